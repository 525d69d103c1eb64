"""Integer maps in a NumPy file as a data set: `codes`."""

import hashlib

import numpy as np

from pixel_zoo.checks import positive_integer
from pixel_zoo.data.data_set import DataSet, dtype_of
from pixel_zoo.data.splits import split_by_digest
from pixel_zoo.data.stored import load_arrays

_SPLITS = ("train", "validation", "test")


def codes(path: str, levels: int | None = None):
    """Integer maps such as the codes of a VQ-VAE (van den Oord et al. 2017), for which a model is to be the prior.

    Args:
        path: a .npz file of arrays `train`, `validation` and `test` (one of the last two may be absent), or a .npz or
            .npy file of one array, which a hash of each map splits 80 : 10 : 10. An array holds integers from 0,
            (N, H, W) or (N, H, W, C).
        levels: the codes are 0 .. levels - 1; None takes the highest of the file for the last.

    Returns:
        The `DataSet`, its arrays uint8, or int32 for more than 256 levels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: bad `levels`; the file is damaged, holds pickled objects or other arrays than these; codes are
            fractions, below 0 or not below `levels`.

    Example:

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/codes.npy"
    >>> np.save(path, np.arange(512).repeat(16).reshape(512, 4, 4))
    >>> data_set = codes(path)
    >>> data_set.image_shape, data_set.levels, data_set.splits
    ((4, 4, 1), 512, {'train': 427, 'validation': 40, 'test': 45})
    """
    if levels is not None and positive_integer("levels", levels) < 2:
        raise ValueError(f"levels must be at least 2, got {levels!r}")
    stored = _maps_of(path)
    highest = max(int(maps.max(initial=0)) for maps in stored.values())
    if levels is None:
        levels = max(highest + 1, 2)
    elif highest >= levels:
        raise ValueError(f"levels={levels}: {str(path)!r} holds codes up to {highest}; levels=None takes what it needs")
    parts = {name: maps.astype(dtype_of(levels)) for name, maps in stored.items()}
    if len(parts) == 1:
        (maps,) = parts.values()
        # Hashed as the same bytes whatever they are stored as.
        parts = split_by_digest(maps, [hashlib.sha256(row.astype("<i4")).hexdigest() for row in maps])
    image_shape = next(iter(parts.values())).shape[1:]
    return DataSet(
        name="codes",
        image_shape=image_shape,
        levels=levels,
        splits={split: len(maps) for split, maps in parts.items()},
        description=f"The integer maps of {path}, values 0 to {levels - 1}. "
        + ("Split by a hash of each map." if len(stored) == 1 else "Splits as stored."),
        source=str(path),
        read=parts.__getitem__,
    )


def _maps_of(path):
    """The arrays (N, H, W, C) of a file by name, checked to be maps of one shape."""
    try:
        stored = load_arrays(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; codes takes a .npy or .npz file of your integer maps (data_options.path of a recipe)"
        ) from error
    if isinstance(stored, np.ndarray):
        stored = {"array": stored}
    if len(stored) != 1 and not ("train" in stored and set(stored) <= set(_SPLITS)):
        raise ValueError(
            f"path: {str(path)!r} must hold one array, or arrays named {', '.join(_SPLITS)}; "
            f"it holds {', '.join(stored) or 'none'}"
        )
    for name, maps in stored.items():
        if not np.issubdtype(maps.dtype, np.integer) or maps.ndim not in (3, 4) or not maps.size or maps.min() < 0:
            lowest = f" from {maps.min()}" if maps.size and np.issubdtype(maps.dtype, np.number) else ""
            raise ValueError(
                f"path: {name} of {str(path)!r} must be integers from 0, (N, H, W) or (N, H, W, C), "
                f"got {maps.dtype} {maps.shape}{lowest}"
            )
    stored = {name: maps[..., np.newaxis] if maps.ndim == 3 else maps for name, maps in stored.items()}
    shapes = {maps.shape[1:] for maps in stored.values()}
    if len(shapes) > 1:
        raise ValueError(f"path: the maps of {str(path)!r} must have one shape, got {', '.join(map(str, shapes))}")
    return stored
