"""The messages of TensorFlow Serving's gRPC API.

TensorFlow's own Python modules for them import all of TensorFlow. These messages hold only the fields that the client
uses, with the field numbers of `tensorflow_serving/apis` and `tensorflow/core`; protocol buffers skip unknown fields.
"""

import math

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

_PACKAGE = "pixel_zoo.serving"
# Field name: (number, type); a type in a list is repeated. A map is a repeated message of a key and a value.
_MESSAGES = {
    "Dim": {"size": (1, "int64")},
    "TensorShape": {"dim": (2, ["Dim"]), "unknown_rank": (3, "bool")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShape"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, ["float"]),
        "int_val": (7, ["int32"]),
        "int64_val": (10, ["int64"]),
        "bool_val": (11, ["bool"]),
    },
    "NamedTensor": {"key": (1, "string"), "value": (2, "Tensor")},
    "Version": {"value": (1, "int64")},
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, "Version"),
        "signature_name": (3, "string"),
        "version_label": (4, "string"),
    },
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, ["NamedTensor"])},
    "PredictResponse": {"outputs": (1, ["NamedTensor"])},
    "GetModelMetadataRequest": {"model_spec": (1, "ModelSpec"), "metadata_field": (2, ["string"])},
    "Any": {"type_url": (1, "string"), "value": (2, "bytes")},
    "NamedAny": {"key": (1, "string"), "value": (2, "Any")},
    "GetModelMetadataResponse": {"metadata": (2, ["NamedAny"])},
    "TensorInfo": {"dtype": (2, "int32"), "tensor_shape": (3, "TensorShape")},
    "NamedTensorInfo": {"key": (1, "string"), "value": (2, "TensorInfo")},
    "SignatureDef": {"inputs": (1, ["NamedTensorInfo"]), "outputs": (2, ["NamedTensorInfo"])},
    "NamedSignatureDef": {"key": (1, "string"), "value": (2, "SignatureDef")},
    "SignatureDefMap": {"signature_def": (1, ["NamedSignatureDef"])},
}
# TensorFlow's DataType: number, name, NumPy dtype, the field of values that are not in `tensor_content`.
_DTYPES = [
    (1, "DT_FLOAT", "float32", "float_val"),
    (3, "DT_INT32", "int32", "int_val"),
    (4, "DT_UINT8", "uint8", "int_val"),
    (9, "DT_INT64", "int64", "int64_val"),
    (10, "DT_BOOL", "bool", "bool_val"),
]


def _message_classes():
    """The classes of `_MESSAGES`, in a separate pool, so that they do not clash with TensorFlow's."""
    file = descriptor_pb2.FileDescriptorProto(name="pixel_zoo/serving.proto", package=_PACKAGE, syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        descriptor = file.message_type.add(name=message_name)
        for name, (number, kind) in fields.items():
            repeated = isinstance(kind, list)
            (kind,) = kind if repeated else (kind,)
            field = descriptor.field.add(name=name, number=number)
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if kind in _MESSAGES:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = getattr(field, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


_CLASSES = _message_classes()
PredictRequest = _CLASSES["PredictRequest"]
PredictResponse = _CLASSES["PredictResponse"]
GetModelMetadataRequest = _CLASSES["GetModelMetadataRequest"]
GetModelMetadataResponse = _CLASSES["GetModelMetadataResponse"]
SignatureDefMap = _CLASSES["SignatureDefMap"]


def add_tensor(tensors, name: str, array: np.ndarray) -> None:
    """Append a NumPy array to the repeated field of a message."""
    (number,) = (number for number, _, dtype, _ in _DTYPES if dtype == array.dtype.name)
    tensor = tensors.add(key=name).value
    tensor.dtype = number
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = array.astype(array.dtype.newbyteorder("<")).tobytes()


def read_tensors(tensors) -> dict[str, np.ndarray]:
    """The NumPy arrays of a repeated field.

    Raises:
        ValueError: if a tensor has a type that models of pixel_zoo do not have, or its size does not fit its shape.
    """
    return {named.key: _read_tensor(named.key, named.value) for named in tensors}


def _read_tensor(name, tensor):
    found = [(dtype, field) for number, _, dtype, field in _DTYPES if number == tensor.dtype]
    if not found:
        raise ValueError(f"tensor {name!r} is of TensorFlow's type number {tensor.dtype}")
    ((dtype, field),) = found
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    dtype, values = np.dtype(dtype), getattr(tensor, field)
    if tensor.tensor_content:
        if len(tensor.tensor_content) % dtype.itemsize:
            raise ValueError(f"tensor {name!r} of dtype {dtype} holds {len(tensor.tensor_content)} bytes")
        array = np.frombuffer(tensor.tensor_content, dtype.newbyteorder("<")).astype(dtype)
    else:  # as wide as the field, so that the range can be checked
        array = np.array(values, "int64" if dtype.kind in "iu" else dtype)
    size = math.prod(shape)
    if min(shape, default=0) < 0 or array.size not in (1, size):
        raise ValueError(f"tensor {name!r} of shape {tuple(shape)} holds {array.size} values")
    return array.reshape(shape) if array.size == size else np.broadcast_to(array[0], shape)  # one fills all


def signatures_to_json(content: bytes) -> dict[str, dict]:
    """A serialised SignatureDefMap as a dictionary from a name to a SignatureDef in its JSON form.

    Raises:
        ValueError: if it can't be parsed.
    """
    try:
        signatures = SignatureDefMap.FromString(content).signature_def
    except message.DecodeError as error:
        raise ValueError(f"not a SignatureDefMap: {error}") from error
    return {
        named.key: {way: _infos(getattr(named.value, way)) for way in ("inputs", "outputs")} for named in signatures
    }


def _infos(tensors):
    names = {number: name for number, name, _, _ in _DTYPES}
    return {
        named.key: {
            "dtype": names.get(named.value.dtype, f"number {named.value.dtype}"),
            "tensor_shape": {"dim": [{"size": dim.size} for dim in named.value.tensor_shape.dim]},
        }
        for named in tensors
    }
