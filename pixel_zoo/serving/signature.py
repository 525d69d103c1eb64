"""The inputs and outputs of a signature, as a server describes them."""

import dataclasses

import numpy as np

from pixel_zoo.types import Shape

# The types of the tensors of a pixel_zoo model, by their names in TensorFlow and its JSON.
_DTYPES = {"DT_BOOL": "bool", "DT_FLOAT": "float32", "DT_INT32": "int32", "DT_INT64": "int64", "DT_UINT8": "uint8"}
# Kinds of dtype and number of axes (with the batch) of the tensors that the client knows by name.
_KNOWN = {
    "image": ("iu", 4),
    "small": ("iu", 4),
    "known": ("b", 3),
    "seed": ("i", 1),
    "temperature": ("f", 1),
    "log_likelihood": ("f", 1),
    "bits_per_dim": ("f", 1),
    "log_probability": ("f", 5),
    "surprise": ("f", 4),
    "log_evidence": ("f", 1),
    "effective_sample_size": ("f", 1),
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output of a signature.

    Attributes:
        dtype: NumPy dtype.
        shape: tuple of ints, None where the size is free, as that of the batch.
    """

    dtype: np.dtype
    shape: Shape


@dataclasses.dataclass(frozen=True)
class Signature:
    """The inputs and the outputs of a signature.

    Attributes:
        inputs, outputs: dictionaries from a name to a `Tensor`.

    Example:
    >>> seed = {"dtype": "DT_INT64", "tensor_shape": {"dim": [{"size": "-1"}]}}
    >>> Signature.from_json({"inputs": {"seed": seed}, "outputs": {}}).inputs
    {'seed': Tensor(dtype=dtype('int64'), shape=(None,))}
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    @classmethod
    def from_json(cls, signature: dict) -> "Signature":
        """Read a SignatureDef in its JSON form.

        Args:
            signature: dictionary.

        Raises:
            ValueError: if a tensor is not described, or has a type or shape that no model of pixel_zoo has.
        """
        return cls(*(_tensors(signature.get(way, {})) for way in ("inputs", "outputs")))


def _tensors(infos):
    if not isinstance(infos, dict):
        raise ValueError(f"the tensors of a signature must be an object, got {str(infos)[:80]!r}")
    return {name: _tensor(name, info) for name, info in infos.items()}


def _tensor(name, info):
    try:
        dtype, sizes = info["dtype"], [int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"tensor {name!r} must have a dtype and a shape, got {str(info)[:80]!r}") from None
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"tensor {name!r} is of type {dtype}")
    tensor = Tensor(np.dtype(_DTYPES[dtype]), tuple(None if size < 0 else size for size in sizes))
    kinds, axes = _KNOWN.get(name, (tensor.dtype.kind, len(sizes)))
    if tensor.dtype.kind not in kinds or len(sizes) != axes or not all(tensor.shape[1:]):
        raise ValueError(f"tensor {name!r} has dtype {tensor.dtype} and shape {tensor.shape}")
    return tensor
