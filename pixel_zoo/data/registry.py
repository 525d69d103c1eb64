"""The package's data sets by name, and those of users."""

import dataclasses
import functools
import inspect
from collections.abc import Iterable
from typing import Any

from pixel_zoo.checks import did_you_mean, one_of
from pixel_zoo.data.codes import codes
from pixel_zoo.data.data_set import DataLike, DataSet
from pixel_zoo.data.imagenet import imagenet
from pixel_zoo.data.images import images
from pixel_zoo.data.picture_codes import codes_of
from pixel_zoo.data.readers import DIGITS_SPLITS, read_digit_labels, read_digits, tfds_is_here, tfds_reader
from pixel_zoo.data.shifted import shifted
from pixel_zoo.data.stored import state_of_files, stored_before
from pixel_zoo.data.user_data_set import UserDataSet
from pixel_zoo.references import imported, is_reference, reference_to

_MNIST_SLICES = {"train": "train[:55000]", "validation": "train[55000:]"}
_CIFAR10_SLICES = {"train": "train[:45000]", "validation": "train[45000:]"}

_PICTURES = {
    data_set.name: dataclasses.replace(data_set, read=stored_before(data_set.read, data_set.name))
    for data_set in (
        DataSet(
            name="digits",
            image_shape=(8, 8, 1),
            levels=17,
            splits=DIGITS_SPLITS,
            description="Handwritten digits, each value the number of inked pixels (0 to 16) in a 4 x 4 block of a "
            "32 x 32 bitmap. The 1,797 come with the package: nothing is downloaded. Split by a fixed permutation.",
            source="Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits (scikit-learn's load_digits)",
            read=read_digits,
            classes=10,
            read_labels=read_digit_labels,
        ),
        DataSet(
            name="binarized_mnist",
            image_shape=(28, 28, 1),
            levels=2,
            splits={"train": 50_000, "validation": 10_000, "test": 10_000},
            description="MNIST, binarised once and for all: each pixel was drawn with its grey level as probability "
            "(the fixed binarisation of Salakhutdinov & Murray 2008, as published by Larochelle). Official split. "
            "Likelihoods under a dynamic or a thresholded binarisation are another benchmark.",
            source="Salakhutdinov & Murray 2008; Larochelle & Murray 2011 (TFDS binarized_mnist)",
            read=tfds_reader("binarized_mnist:1.*.*"),
            is_here=tfds_is_here("binarized_mnist:1.*.*"),
        ),
        DataSet(
            name="mnist",
            image_shape=(28, 28, 1),
            levels=256,
            splits={"train": 55_000, "validation": 5_000, "test": 10_000},
            description="Handwritten digits in grey levels 0 to 255, not binarised. Validation is the last 5,000 of "
            "the 60,000 training images, in the order of TFDS.",
            source="LeCun, Cortes & Burges 2010 (TFDS mnist)",
            read=tfds_reader("mnist:3.*.*", **_MNIST_SLICES),
            classes=10,
            read_labels=tfds_reader("mnist:3.*.*", "label", **_MNIST_SLICES),
            is_here=tfds_is_here("mnist:3.*.*"),
        ),
        DataSet(
            name="cifar10",
            image_shape=(32, 32, 3),
            levels=256,
            splits={"train": 45_000, "validation": 5_000, "test": 10_000},
            description="Colour photographs of ten kinds of things, RGB values 0 to 255. Validation is the last 5,000 "
            "of the 50,000 training images, in the order of TFDS.",
            source="Krizhevsky 2009 (TFDS cifar10)",
            read=tfds_reader("cifar10:3.*.*", **_CIFAR10_SLICES),
            classes=10,
            read_labels=tfds_reader("cifar10:3.*.*", "label", **_CIFAR10_SLICES),
            is_here=tfds_is_here("cifar10:3.*.*"),
        ),
    )
}

_CODES = {
    data_set.name: dataclasses.replace(data_set, read=stored_before(data_set.read, data_set.name))
    for data_set in (
        codes_of(
            "mnist_vq",
            pictures=_PICTURES["mnist"],
            code_shape=(7, 7, 1),
            levels=128,
            description="The pictures of `mnist` as codes of a VQ-VAE that comes with the package: each code is one of "
            "128 vectors and stands for 4 x 4 pixels. Splits and labels are those of `mnist`.",
        ),
    )
}

_DATA_SETS = _PICTURES | _CODES


def _shifted(of: str, pixels: int = 1) -> DataSet:
    return shifted(info(of), pixels)


_USER_DATA_SETS = {
    data_set.name: data_set
    for data_set in (
        UserDataSet(
            name="codes",
            image="as stored",
            levels="as stored",
            description="Integer maps in a .npy or .npz file, such as the codes of a VQ-VAE, and their labels if there "
            "are any. Splits as stored, or by a hash of each map.",
            open=codes,
        ),
        UserDataSet(
            name="images",
            image="size x size x colours",
            levels="256",
            description="A folder of pictures of any kind, the centre of each shrunk to one size; subfolders are "
            "classes. Split by a hash of each file.",
            open=images,
        ),
        UserDataSet(
            name="shifted",
            image="those of another set",
            levels="those of another set",
            description="The images of another data set (of), those for training shifted by up to so many pixels; the "
            "label is the shift.",
            open=_shifted,
        ),
        *(
            UserDataSet(
                name=f"imagenet{side}",
                image=f"{side}x{side}x3",
                levels="256",
                description="Downsampled ImageNet of the paper, from TensorFlow Datasets or files of yours. Test is "
                "the official validation split.",
                open=functools.partial(imagenet, side),
            )
            for side in (32, 64)
        ),
    )
}


_OPENED: dict[tuple, tuple[list, DataSet]] = {}  # by function and options: the state of the files, and what they held


def names() -> list[str]:
    """The names of the package's data sets, in alphabetical order.

    Example:

    >>> names()[:4]
    ['binarized_mnist', 'cifar10', 'codes', 'digits']
    """
    return sorted(_DATA_SETS | _USER_DATA_SETS)


def name_of(data: DataLike) -> str:
    """The text that records a data set, in config.json for example.

    Args:
        data: as of `info`.

    Returns:
        Text is returned unchanged, a `DataSet` as its `name`, a function "package.module:name".

    Example:

    >>> name_of("digits"), name_of(info("digits"))
    ('digits', 'digits')
    """
    if isinstance(data, str):
        return data
    return data.name if isinstance(data, DataSet) else reference_to("data", data)


def options(data: DataLike) -> dict[str, inspect.Parameter]:
    """The options of a data set.

    Args:
        data: as of `info`.

    Returns:
        Dictionary of name -> `inspect.Parameter` (with its default and type, if any); empty if there are none.

    Raises:
        ValueError, TypeError: there is no such data set.

    Example:

    >>> list(options("images")), list(options("digits"))
    (['path', 'size', 'colours', 'bits'], [])
    """
    return _parameters(_find(data))


def _parameters(found):
    """The options of a `DataSet`, which has none, or of a function that returns one."""
    return {} if isinstance(found, DataSet) else dict(inspect.signature(found, eval_str=True).parameters)


def check_options(data: DataLike, passed: Iterable[str]) -> None:
    """Raise unless `passed` are names of options of a data set; looks for no data.

    Args:
        data: as of `info`.
        passed: names of options, any iterable of them.

    Example:

    >>> check_options("digits", {"size": 8})
    Traceback (most recent call last):
    ValueError: data options: digits takes none, got 'size'
    """
    known = options(data)
    for option in passed:
        if option not in known:
            raise ValueError(
                f"data options: {did_you_mean(option, known)}{name_of(data)} takes {', '.join(known) or 'none'}, "
                f"got {option!r}"
            )


def info(data: DataLike, /, **options: Any) -> DataSet:
    """The `DataSet` of a name: image shape, levels, splits, description, source.

    Reads no image of a fixed data set. A data set with options is read once in a process and kept, until a file or
    folder that an option names has changed: its time of modification, its size, or which files a folder holds.

    Args:
        data: one of `names()`; or a `DataSet` of yours, or a function that takes options and returns one; or text
            "package.module:name" that names either.
        **options: those that `pixel_zoo.data.options(data)` lists, such as the path of a folder.

    Raises:
        ValueError: there is no such data set, it has no such option or needs one that is missing, or the files at
            `path` are not such data.
        TypeError: `data`, or what it names, is none of these.
        FileNotFoundError: there is nothing at `path`.

    Example:

    >>> info("binarized_mnist").levels
    2
    """
    check_options(data, options)
    found = _find(data)
    if isinstance(found, DataSet):
        return found
    for option, parameter in _parameters(found).items():
        if parameter.default is parameter.empty and option not in options:
            raise ValueError(f"data options: {name_of(data)} needs {option} (data_options.{option} of a recipe)")
    return _open(
        found, {option: tuple(value) if isinstance(value, list) else value for option, value in options.items()}
    )


def _open(function, options):
    """The `DataSet` that a function returns: the one kept, unless its files have changed since."""
    key, states = (function, *sorted(options.items())), [state_of_files(value) for value in options.values()]
    if key not in _OPENED or _OPENED[key][0] != states:
        data_set = function(**options)
        if not isinstance(data_set, DataSet):
            name = reference_to("data", function)
            raise TypeError(f"data: {name} must return a DataSet, got {type(data_set).__name__}")
        _OPENED[key] = states, data_set
    return _OPENED[key][1]


def _find(data):
    """A `DataSet`, or a function of options that returns one."""
    if is_reference(data):
        found = imported("data", data)
    elif isinstance(data, str):
        found = (_DATA_SETS | {name: kind.open for name, kind in _USER_DATA_SETS.items()}).get(data)
        if found is None:
            one_of("data", data, [*names(), "'package.module:name' of a data set of your own"])
    else:
        found = data
    if not isinstance(found, DataSet) and not callable(found):
        raise TypeError(f"data must be a name, a DataSet, or a function that returns one, got {found!r}")
    return found


def in_words(name: str) -> tuple[str, str, str]:
    """What is known of a data set before its options are: image, levels and description, three texts.

    Args:
        name: one of `names()`.

    Example:

    >>> in_words("images")[:2]
    ('size x size x colours', '256')
    """
    if name in _USER_DATA_SETS:
        kind = _USER_DATA_SETS[name]
        return kind.image, kind.levels, f"{kind.description} Options: {', '.join(options(name))}."
    data_set = info(name)
    return "x".join(map(str, data_set.image_shape)), str(data_set.levels), data_set.description
