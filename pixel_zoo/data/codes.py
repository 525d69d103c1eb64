"""Integer maps in a NumPy file as a data set: `codes`."""

import hashlib

import numpy as np

from pixel_zoo.checks import positive_integer
from pixel_zoo.data.data_set import SPLITS, DataSet, dtype_of
from pixel_zoo.data.splits import split_by_digest
from pixel_zoo.data.stored import load_arrays

_MOST_LEVELS = 2**20
_LEVELS_UNASKED = 2**16
_MOST_COLOURS = 4  # a first axis this small is probably colours, not rows


def codes(path: str, levels: int | None = None, colours: int | None = None) -> DataSet:
    """Integer maps such as the codes of a VQ-VAE (van den Oord et al. 2017), for which a model is to be the prior.

    Maps that look like another layout (channels first, one-hot) are refused with a question; `colours` confirms them.

    Args:
        path: a .npz file of arrays `train`, `validation` and `test` (`validation` or `test` may be missing), or a .npz
            or .npy file of one array, which is split 80 : 10 : 10 by a hash of each map. An array holds integers from
            0, (N, H, W) or (N, H, W, C).
        levels: the codes are 0 .. levels - 1, at most 2**20 of them; None takes the highest code for the last. It is
            needed for codes from 2**16 on.
        colours: the size C of the last axis of a four-dimensional array, to confirm that it is one; None if that is
            plain from the shape.

    Returns:
        The `DataSet`, its arrays uint8, or int32 for more than 256 levels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: bad `levels` or `colours`; the file is damaged, holds pickled objects or other arrays than these;
            codes are not integers, are below 0 or not below `levels`, or look like another layout.

    Example:

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/codes.npy"
    >>> np.save(path, np.arange(512).repeat(16).reshape(512, 4, 4))
    >>> data_set = codes(path)
    >>> data_set.image_shape, data_set.levels, data_set.splits
    ((4, 4, 1), 512, {'train': 427, 'validation': 40, 'test': 45})
    """
    if levels is not None and not 2 <= positive_integer("levels", levels) <= _MOST_LEVELS:
        raise ValueError(f"levels must be from 2 to {_MOST_LEVELS}, got {levels!r}")
    stored = _maps_of(path, colours)
    highest = max(int(maps.max(initial=0)) for maps in stored.values())
    if levels is None:
        if highest >= _LEVELS_UNASKED:
            as_they_are = f"set levels={highest + 1}, or " if highest < _MOST_LEVELS else ""
            raise ValueError(
                f"path: did you mean codes up to {highest}, as in {str(path)!r}? A model puts out a number for each "
                f"code from 0 on: {as_they_are}renumber them with np.unique(codes, return_inverse=True)"
            )
        levels = max(highest + 1, 2)
    elif highest >= levels:
        raise ValueError(f"levels={levels}: {str(path)!r} holds codes up to {highest}; levels=None takes what it needs")
    parts = {name: maps.astype(dtype_of(levels)) for name, maps in stored.items()}
    if len(parts) == 1:
        (maps,) = parts.values()
        # Hashed as the same bytes whatever their stored dtype.
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


def _maps_of(path, colours):
    """The arrays (N, H, W, C) of a file by name, checked to be maps of one shape."""
    try:
        stored = load_arrays(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; codes takes a .npy or .npz file of your integer maps (data_options.path of a recipe)"
        ) from error
    if isinstance(stored, np.ndarray):
        stored = {"array": stored}
    if len(stored) != 1 and not ("train" in stored and set(stored) <= set(SPLITS)):
        raise ValueError(
            f"path: {str(path)!r} must hold one array, or arrays named {', '.join(SPLITS)}; "
            f"it holds {', '.join(stored) or 'none'}"
        )
    for name, maps in stored.items():
        if not np.issubdtype(maps.dtype, np.integer) or maps.ndim not in (3, 4) or not maps.size or maps.min() < 0:
            lowest = f" from {maps.min()}" if maps.size and np.issubdtype(maps.dtype, np.number) else ""
            raise ValueError(
                f"path: {name} of {str(path)!r} must be integers from 0, (N, H, W) or (N, H, W, C), "
                f"got {maps.dtype} {maps.shape}{lowest}"
            )
    with_colours = any(maps.ndim == 4 for maps in stored.values())
    stored = {name: maps[..., np.newaxis] if maps.ndim == 3 else maps for name, maps in stored.items()}
    shapes = {maps.shape[1:] for maps in stored.values()}
    if len(shapes) > 1:
        raise ValueError(f"path: the maps of {str(path)!r} must have one shape, got {', '.join(map(str, shapes))}")
    (shape,) = shapes
    if colours is None and with_colours:
        _check_layout(path, stored)
    elif colours not in (None, shape[-1]):
        raise ValueError(f"colours must be {shape[-1]}, as the maps in {str(path)!r} are {shape}, got {colours!r}")
    return stored


def _check_layout(path, stored):
    """Raise, with a question, if maps of four axes look like one-hot codes or have their channels first."""
    maps = next(iter(stored.values()))
    shape = maps.shape
    for axis in (-1, 1):
        one_hot = shape[axis] > 1 and all(part.max() == 1 and (part.sum(axis) == 1).all() for part in stored.values())
        if one_hot:
            _ask(path, shape, "one-hot codes", f"np.argmax(codes, axis={axis})")
    if shape[1] <= _MOST_COLOURS < min(shape[2:]):
        _ask(path, shape, "channels first", "np.moveaxis(codes, 1, -1)")


def _ask(path, shape, layout, remedy):
    raise ValueError(
        f"path: did you mean {layout}? The arrays in {str(path)!r} are read as (N, H, W, C) = {shape}; if that is "
        f"wrong, store {remedy}, else set colours={shape[-1]}"
    )
