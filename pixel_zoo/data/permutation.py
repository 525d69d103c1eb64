"""Random order that is the same everywhere and for good."""

import numpy as np


def permutation(size, seed):
    """A permutation of range(size) that depends on `seed` (an integer, or a list of them) alone.

    NumPy promises the stream of RandomState for good (NEP 19), that of its newer generators only within a version.
    """
    return np.random.RandomState(seed).permutation(size)
