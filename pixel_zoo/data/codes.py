"""Integer maps in a NumPy file as a data set: `codes`."""

import hashlib
import math

import numpy as np

from pixel_zoo.checks import did_you_mean, positive_integer
from pixel_zoo.data.data_set import SPLITS, DataSet, dtype_of
from pixel_zoo.data.splits import split_by_digest
from pixel_zoo.data.stored import load_arrays

_MOST_LEVELS = 2**20
_LEVELS_UNASKED = 2**16
_MOST_COLOURS = 4  # a first axis this small is probably colours, not rows


def codes(
    path: str,
    levels: int | None = None,
    colours: int | None = None,
    array: str | None = None,
    classes: int | None = None,
    small: str | None = None,
) -> DataSet:
    """Integer maps such as the codes of a VQ-VAE (van den Oord et al. 2017), for which a model is to be the prior.

    | the file holds | its splits |
    |---|---|
    | `train`, `validation` and `test`, or `x_train`, ...; labels as `y_train`, ... | as stored |
    | one array of any name; labels as `labels` or `y` | 80 : 10 : 10 by a hash of each map |
    | several arrays, such as `top` and `bottom`; labels as `labels` or `y` | 80 : 10 : 10 by a hash of all maps of an \
      image; `array="top"` chooses one |
    | `top_train`, `top_validation`, ..., `bottom_train`, ...; labels as `y_train`, ... | as stored; `array="top"` \
      chooses one |

    If validation maps are missing, a hash takes one tenth of the training maps for them. Test maps may be missing. Maps
    that look like another layout (channels first, one-hot) are refused with a question; `colours` confirms them.

    Args:
        path: a .npz file, or a .npy file of one array. Maps are integers from 0, (N, H, W) or (N, H, W, C). Labels are
            integers from 0, (N,).
        levels: the codes are 0 .. levels - 1, at most 2**20 of them; None takes the highest code for the last. It is
            needed for codes from 2**16 on.
        colours: the size C of the last axis of a four-dimensional array, to confirm that it is one; None if that is
            plain from the shape.
        array: which of several maps of an image to read, or None if there is one.
        classes: the labels are 0 .. classes - 1; None takes the highest label for the last.
        small: which of several maps of an image `array` is given with, such as "top" for the bottom codes of a
            VQ-VAE-2 (Razavi et al. 2019), or None. Both have the same `levels`.

    Returns:
        The `DataSet`, its arrays uint8, or int32 for more than 256 levels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: bad `levels`, `colours`, `array`, `classes` or `small`; the file is damaged, holds pickled objects
            or other arrays than these; codes are not integers, are below 0 or not below `levels`, or look like another
            layout; labels are not integers from 0, one for each map.

    Example:

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/codes.npz"
    >>> np.savez(path, codes=np.arange(512).repeat(16).reshape(512, 4, 4), labels=np.arange(512) % 10)
    >>> data_set = codes(path)
    >>> data_set.image_shape, data_set.levels, data_set.classes, data_set.splits
    ((4, 4, 1), 512, 10, {'train': 427, 'validation': 40, 'test': 45})
    """
    if levels is not None and not 2 <= positive_integer("levels", levels) <= _MOST_LEVELS:
        raise ValueError(f"levels must be from 2 to {_MOST_LEVELS}, got {levels!r}")
    if classes is not None:
        positive_integer("classes", classes)
    stored = _load(path)
    names, label_names = _names(path, stored, array)
    maps = _maps_of(path, {name: stored[name] for name in names.values()}, colours)
    small_maps, small_names = _small_maps(path, stored, array, small, names, maps)
    labels = {names[part]: _labels_of(path, stored, name, len(maps[names[part]])) for part, name in label_names.items()}
    levels = _levels_of(path, maps | small_maps, levels)
    classes = _classes_of(path, labels, classes)
    rows, how = _rows(maps, names, stored if array else maps)
    parts = {split: maps[name][which].astype(dtype_of(levels)) for split, (name, which) in rows.items()}
    labels = {split: labels[name][which] for split, (name, which) in rows.items()} if labels else {}
    smalls = (
        {split: small_maps[small_names[name]][which].astype(dtype_of(levels)) for split, (name, which) in rows.items()}
        if small
        else {}
    )
    return DataSet(
        name="codes",
        image_shape=next(iter(parts.values())).shape[1:],
        levels=levels,
        splits={split: len(part) for split, part in parts.items()},
        description=f"The integer maps{f' {array!r}' if array else ''} of {path}, values 0 to {levels - 1}. {how}",
        source=str(path),
        read=parts.__getitem__,
        classes=classes,
        read_labels=labels.__getitem__ if labels else None,
        small_shape=next(iter(smalls.values())).shape[1:3] if smalls else None,
        read_small=smalls.__getitem__ if smalls else None,
    )


def _load(path):
    """The arrays of a file by name."""
    try:
        stored = load_arrays(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; codes takes a .npy or .npz file of your integer maps (data_options.path of a recipe)"
        ) from error
    return {"array": stored} if isinstance(stored, np.ndarray) else stored


def _names(path, stored, array, option="array"):
    """The names of the maps that an option chooses, and of their labels: each by split, or by None without splits."""
    labels = {None: "labels" if "labels" in stored else "y"} | {split: f"y_{split}" for split in SPLITS}
    labels = {part: name for part, name in labels.items() if name in stored}
    others = [name for name in stored if name not in labels.values()]
    for prefix in ["", "x_"] if array is None else [f"{array}_"]:
        names = {split: prefix + split for split in SPLITS if prefix + split in stored}
        if "train" in names and (array or len(names) == len(others)):
            break
    else:
        if array is not None and array not in others:
            hint, held = did_you_mean(array, others), ", ".join(others) or "no maps"
            raise ValueError(f"{option}: {hint}{str(path)!r} holds {held}, got {array!r}")
        if array is None and len(others) != 1:
            choose = f", of which array={others[0]!r} would choose one" if _same_length(stored, others) else ""
            raise ValueError(
                f"path: {str(path)!r} must hold one array, or arrays named {', '.join(SPLITS)}; "
                f"it holds {', '.join(stored) or 'none'}{choose}"
            )
        names = {None: array or others[0]}
    labels = {part: name for part, name in labels.items() if part in names}
    missing = [f"y_{part}" for part in names if part not in labels]
    if labels and missing:
        raise ValueError(
            f"path: {str(path)!r} holds {', '.join(labels.values())}, but not {', '.join(missing)}: store labels of "
            "all maps, or of none"
        )
    return names, labels


def _small_maps(path, stored, array, small, names, maps):
    """The maps that those of `array` are given with, and the name of these for that of each; both by name."""
    if small is None:
        return {}, {}
    if array is None or small == array:
        raise ValueError(f"small: must be another map than array, got array={array!r} and small={small!r}")
    small_names, _ = _names(path, stored, small, option="small")
    if set(small_names) != set(names):
        raise ValueError(
            f"small: {str(path)!r} holds {', '.join(names.values())}, but {', '.join(small_names.values())}: store the "
            "same splits of both"
        )
    partners = {name: small_names[part] for part, name in names.items()}
    small_maps = _maps_of(path, {name: stored[name] for name in partners.values()}, None)
    for name, partner in partners.items():
        large, few = maps[name], small_maps[partner]
        fits = len(large) == len(few) and large.shape[3] == few.shape[3]
        if not fits or large.shape[1] % few.shape[1] or large.shape[2] % few.shape[2]:
            raise ValueError(
                f"small: the maps of {partner} must be as many as those of {name} in {str(path)!r}, with as many "
                f"channels, and their height and width must divide those, got {few.shape} and {large.shape}"
            )
    return small_maps, partners


def _same_length(stored, names):
    return len(names) > 1 and len({stored[name].shape[:1] for name in names}) == 1


def _rows(maps, names, hashed):
    """Which rows of which array make up each split, and how they are split in words.

    Args:
        maps: the arrays (N, H, W, C) by name.
        names: the name of each split's array, or {None: name}.
        hashed: all arrays of the file, of which those as long as the maps decide where a map belongs.
    """
    rows = {split: (name, slice(None)) for split, name in names.items()}
    if len(names) == 1:
        (name,) = names.values()
        parts = split_by_digest(np.arange(len(maps[name])), _digests(hashed, name))
        return {split: (name, which) for split, which in parts.items()}, "Split by a hash of each map."
    how = "Splits as stored."
    if "validation" not in names:
        of_train = {name: array for name, array in hashed.items() if name.endswith("train") and name[:2] != "y_"}
        parts = split_by_digest(np.arange(len(maps[names["train"]])), _digests(of_train, names["train"]))
        train = np.sort(np.concatenate([parts["train"], parts["test"]]))
        rows |= {"train": (names["train"], train), "validation": (names["train"], parts["validation"])}
        how = "The test split as stored; a hash takes one tenth of the training maps for validation."
    rows.setdefault("test", (names["train"], slice(0, 0)))
    return {split: rows[split] for split in SPLITS}, how


def _digests(arrays, name):
    """A hash of each map of an array, and of what belongs to it in other arrays of integers of the same length."""
    together = [maps for _, maps in sorted(arrays.items()) if len(maps) == len(arrays[name]) and maps.ndim > 1]
    # Hashed as the same bytes whatever their stored dtype.
    return [
        hashlib.sha256(b"".join(row.astype("<i4") for row in rows)).hexdigest() for rows in zip(*together, strict=True)
    ]


def _levels_of(path, maps, levels):
    highest = max(int(part.max(initial=0)) for part in maps.values())
    if levels is None:
        if highest >= _LEVELS_UNASKED:
            as_they_are = f"set levels={highest + 1}, or " if highest < _MOST_LEVELS else ""
            raise ValueError(
                f"path: did you mean codes up to {highest}, as in {str(path)!r}? A model puts out a number for each "
                f"code from 0 on: {as_they_are}renumber them with np.unique(codes, return_inverse=True)"
            )
        return max(highest + 1, 2)
    if highest >= levels:
        raise ValueError(f"levels={levels}: {str(path)!r} holds codes up to {highest}; levels=None takes what it needs")
    return levels


def _classes_of(path, labels, classes):
    """The number of classes, or None without labels."""
    if not labels:
        if classes is not None:
            raise ValueError(f"classes: {str(path)!r} holds no labels, got classes={classes}; store them as 'labels'")
        return None
    highest = max(int(part.max(initial=0)) for part in labels.values())
    if classes is not None and highest >= classes:
        raise ValueError(f"classes={classes}: {str(path)!r} holds labels up to {highest}")
    return classes or highest + 1


def _labels_of(path, stored, name, count):
    """The labels of an array of maps, checked."""
    labels = stored[name]
    if labels.shape == (count,) and np.issubdtype(labels.dtype, np.integer) and labels.min(initial=0) >= 0:
        return labels
    hint = ""
    if labels.shape == (count, 1):
        hint = f"; store {name}[:, 0]"
    elif labels.ndim == 2 and len(labels) == count:
        hint = f"; if they are one-hot, store np.argmax({name}, axis=1)"
    elif labels.shape != (count,):
        hint = f"; labels and maps must be in the same order, one label for each of {count} maps"
    elif not np.issubdtype(labels.dtype, np.integer):
        hint = f"; store np.unique({name}, return_inverse=True)[1]"
    elif labels.min() < 0:
        hint = f" from {labels.min()}; number the classes from 0, and leave out maps without a class"
    raise ValueError(
        f"path: {name} of {str(path)!r} must be {count} integers from 0, one for each map, got {labels.dtype} "
        f"{labels.shape}{hint}"
    )


def _maps_of(path, stored, colours):
    """The arrays by name as maps (N, H, W, C), checked to be of one shape."""
    for name, maps in stored.items():
        if not np.issubdtype(maps.dtype, np.integer) or maps.ndim not in (3, 4) or not maps.size or maps.min() < 0:
            lowest = f" from {maps.min()}" if maps.size and np.issubdtype(maps.dtype, np.number) else ""
            raise ValueError(
                f"path: {name} of {str(path)!r} must be integers from 0, (N, H, W) or (N, H, W, C), "
                f"got {maps.dtype} {maps.shape}{lowest}{_probably(maps, name)}"
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


def _probably(maps, name):
    """What an array that is no maps of codes probably is, and what to store instead; "" if nobody knows."""
    if not maps.size or not np.issubdtype(maps.dtype, np.number):
        return ""
    for axis in (-1, 1):
        if maps.ndim > 3 and _is_one_hot(maps, axis):
            return f": did you mean one-hot codes? Store np.argmax({name}, axis={axis})"
    if np.issubdtype(maps.dtype, np.floating):
        if np.isfinite(maps).all() and (maps == np.floor(maps)).all():
            return f": store {name}.astype('int32')"
        return ": are these vectors? Store the number of each vector in the codebook instead"
    if maps.ndim == 2 and math.isqrt(maps.shape[1]) ** 2 == maps.shape[1] > 1:
        side = math.isqrt(maps.shape[1])
        return f": did you mean maps of one row after the other? Store {name}.reshape(-1, {side}, {side})"
    if maps.min() < 0:
        return f": if codes are numbered from {maps.min()}, store {name} - {name}.min()"
    return ""


def _is_one_hot(maps, axis):
    return maps.shape[axis] > 1 and maps.max() == 1 and maps.min() == 0 and (maps.sum(axis) == 1).all()


def _check_layout(path, stored):
    """Raise, with a question, if maps of four axes look like one-hot codes or have their channels first."""
    maps = next(iter(stored.values()))
    shape = maps.shape
    for axis in (-1, 1):
        if all(_is_one_hot(part, axis) for part in stored.values()):
            _ask(path, shape, "one-hot codes", f"np.argmax(codes, axis={axis})")
    if _may_have_channels_first(*shape[1:]):
        _ask(path, shape, "channels first", "np.moveaxis(codes, 1, -1)")


def _may_have_channels_first(first, second, last):
    """Whether maps of these axes after the first are more likely (C, H, W) than (H, W, C)."""
    square = second == last and first != second and last > 2
    return square or (first <= _MOST_COLOURS < last) or (first == 1 and last > 2)


def _ask(path, shape, layout, remedy):
    raise ValueError(
        f"path: did you mean {layout}? The arrays in {str(path)!r} are read as (N, H, W, C) = {shape}; if that is "
        f"wrong, store {remedy}, else set colours={shape[-1]}"
    )
