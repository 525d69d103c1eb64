"""What a served model says that a signature takes and returns."""

import dataclasses

import numpy as np

# The types that models of this package are served with; as which JSON knows them, and gRPC's messages turned into JSON.
_DTYPES = {"DT_BOOL": "bool", "DT_FLOAT": "float32", "DT_INT32": "int32", "DT_INT64": "int64", "DT_UINT8": "uint8"}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output of a signature.

    Attributes:
        dtype: NumPy dtype.
        shape: tuple of ints, None where the size is free, as that of the batch.
    """

    dtype: np.dtype
    shape: tuple


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

    inputs: dict
    outputs: dict

    @classmethod
    def from_json(cls, signature):
        """Read a SignatureDef in the form that protocol buffers have in JSON.

        Args:
            signature: dictionary.

        Raises:
            ValueError: if a tensor is of a type that models of this package are not served with.
        """
        return cls(*(_tensors(signature.get(way, {})) for way in ("inputs", "outputs")))


def _tensors(infos):
    return {name: Tensor(_dtype(name, info["dtype"]), _shape(info["tensor_shape"])) for name, info in infos.items()}


def _dtype(name, dtype):
    if dtype not in _DTYPES:
        raise ValueError(f"the served model is none of pixel_zoo's: a signature has a tensor {name!r} of type {dtype}")
    return np.dtype(_DTYPES[dtype])


def _shape(shape):
    sizes = [int(dim["size"]) for dim in shape.get("dim", [])]
    return tuple(None if size < 0 else size for size in sizes)
