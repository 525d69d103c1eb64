"""Checks of scores and negative log-likelihoods."""

import numpy as np
from numpy.typing import ArrayLike


def one_number_each(name: str, values: ArrayLike) -> np.ndarray:
    """Return numbers, one for each image, as a float64 array (n,), or raise an error that names them.

    Example:

    >>> one_number_each("nats", [79.5, 81])
    array([79.5, 81. ])
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be numbers, got dtype {array.dtype}")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must hold one number for each image, got shape {array.shape}")
    if np.isnan(array).any():
        raise ValueError(f"{name} must hold no NaN, got {np.count_nonzero(np.isnan(array)):,} of {array.size:,}")
    return array.astype("float64")
