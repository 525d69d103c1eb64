"""Checks of the tensors in an answer of a server."""

import math

import numpy as np

from pixel_zoo.serving.signature import Tensor

_ROUNDING = 1e-3
# The least and the largest value of outputs, where they differ from those of the type. NaN fails every comparison.
_RANGES = {
    "log_likelihood": (-math.inf, _ROUNDING),
    "log_probability": (-math.inf, _ROUNDING),
    "bits_per_dim": (-_ROUNDING, math.inf),
    "surprise": (-_ROUNDING, math.inf),
    "log_evidence": (-math.inf, _ROUNDING),
    "effective_sample_size": (1 - _ROUNDING, math.inf),
}


def check_answer(
    outputs: dict[str, np.ndarray], tensors: dict[str, Tensor], count: int, levels: int
) -> dict[str, np.ndarray]:
    """Return the outputs of a call with the types of its signature, or raise what is wrong with them.

    Args:
        outputs: dictionary from a name to an array, as received.
        tensors: the outputs that the signature promises.
        count: int, the number of images in the request.
        levels: int, the number of values that a colour of a pixel can take.

    Returns:
        Dictionary of NumPy arrays.

    Raises:
        ValueError: if names, types, shapes or values differ from the signature's, or a number is NaN.

    Example:
    >>> image = Tensor(np.dtype("uint8"), (None, 1, 1, 1))
    >>> check_answer({"image": np.array([[[[300]]]])}, {"image": image}, count=1, levels=256)
    Traceback (most recent call last):
    ...
    ValueError: output 'image' must have values 0..255, got 300..300
    """
    if outputs.keys() != tensors.keys():
        expected, got = (", ".join(map(str, sorted(names))) for names in (tensors, outputs))
        raise ValueError(f"the outputs must be {expected}, got {got or 'none'}")
    return {name: _check_output(name, outputs[name], tensor, count, levels) for name, tensor in tensors.items()}


def _check_output(name, array, tensor, count, levels):
    if array.dtype.kind not in {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}[tensor.dtype.kind]:
        raise ValueError(f"output {name!r} must be of dtype {tensor.dtype}, got {array.dtype}")
    shape = (count, *tensor.shape[1:])
    if array.ndim != len(shape) or any(size not in (None, own) for size, own in zip(shape, array.shape, strict=True)):
        raise ValueError(f"output {name!r} must have shape {shape}, got {array.shape}")
    least, largest = (0, levels - 1) if name == "image" else _RANGES.get(name, _range_of(tensor.dtype))
    if not ((array >= least) & (array <= largest)).all():
        raise ValueError(f"output {name!r} must have values {least}..{largest}, got {array.min()}..{array.max()}")
    with np.errstate(over="ignore"):
        return array.astype(tensor.dtype)


def _range_of(dtype):
    if dtype.kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return (False, True) if dtype.kind == "b" else (-math.inf, math.inf)
