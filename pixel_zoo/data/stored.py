"""Arrays in .npy and .npz files of a user."""

import os
import pathlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np


def load_arrays(path: str | os.PathLike, mmap_mode: Literal["r"] | None = None) -> np.ndarray | dict[str, np.ndarray]:
    """The arrays of a .npy or .npz file. Pickled objects, which can run code, are refused.

    Args:
        path: the file.
        mmap_mode: "r" to leave the array of a .npy file on disk.

    Returns:
        Dictionary of name -> array for .npz, or the one array for .npy.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a complete .npy or .npz file, or holds pickled objects.

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


def state_of_files(path: Any) -> Any:
    """What changes when a file is written again, or when files are added to a folder or removed from it; else None.

    Args:
        path: the value of an option, which may name a file or a folder.

    Returns:
        For a file its time of modification, size and inode; for a folder those of it and of all its subfolders.

    Example:

    >>> state_of_files("no such file"), state_of_files(8)
    (None, None)
    """
    if not isinstance(path, (str, os.PathLike)) or not os.path.exists(path):
        return None
    folders = [folder for folder, _, _ in os.walk(str(path))]
    return [(state.st_mtime_ns, state.st_size, state.st_ino) for state in map(os.stat, folders or [str(path)])]


def stored_before(read: Callable[[str], np.ndarray], name: str) -> Callable[[str], np.ndarray]:
    """Wrap `read`, a function split -> array, so that it first looks for the split in the folder `PIXEL_ZOO_DATA`.

    This environment variable names a folder of files `NAME-SPLIT.npy`; splits that are not there are read by `read`.

    Args:
        read: as of `DataSet`.
        name: the set's name.

    Returns:
        A function split -> array, which raises FileNotFoundError if `PIXEL_ZOO_DATA` is not a folder.

    Example:

    >>> stored_before(lambda split: "read", "digits")("train")
    'read'
    """

    def read_stored_first(split):
        folder = os.environ.get("PIXEL_ZOO_DATA")
        if not folder:
            return read(split)
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"PIXEL_ZOO_DATA: there is no folder {folder!r}")
        path = pathlib.Path(folder, f"{name}-{split}.npy")
        return load_arrays(path) if path.exists() else read(split)

    return read_stored_first
