"""Arrays that a user has stored in .npy and .npz files."""

import os

import numpy as np


def load_arrays(path, mmap_mode=None):
    """The arrays of a .npy or .npz file; pickled objects, which can run code, are refused.

    Args:
        path: the file.
        mmap_mode: "r" to leave the array of a .npy file on disk.

    Returns:
        Dictionary of name -> array for .npz, or the one array for .npy.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no whole .npy or .npz file, or holds pickled objects.

    Example:

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/codes.npz"
    >>> np.savez(path, train=np.zeros((2, 4, 4), int))
    >>> load_arrays(path)["train"].shape
    (2, 4, 4)
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"path: there is no file {str(path)!r}")
    try:
        stored = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            return stored
        with stored:
            return dict(stored)
    except Exception as error:  # a damaged archive fails in many ways, deep in zip and zlib
        raise ValueError(
            f"path: {str(path)!r} must be a .npy or .npz file of numbers, without pickled objects: {error}"
        ) from error
