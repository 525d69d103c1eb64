"""A random order that is the same on every machine and in every version."""

import numpy as np


def permutation(size: int, seed: int | list[int]) -> np.ndarray:
    """A permutation of range(size) that depends on `seed` (an integer, or a list of them) only.

    NumPy guarantees the stream of RandomState for ever (NEP 19), that of its newer generators only within a version.
    """
    return np.random.RandomState(seed).permutation(size)
