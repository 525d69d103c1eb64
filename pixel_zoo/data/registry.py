"""The data sets there are."""

import dataclasses
import functools

from pixel_zoo.data.codes import codes
from pixel_zoo.data.data_set import DataSet
from pixel_zoo.data.imagenet import imagenet
from pixel_zoo.data.images import images
from pixel_zoo.data.readers import DIGITS_SPLITS, read_digit_labels, read_digits, tfds_is_here, tfds_reader
from pixel_zoo.data.stored import stored_before
from pixel_zoo.data.user_data_set import UserDataSet

_MNIST_SLICES = {"train": "train[:55000]", "validation": "train[55000:]"}
_CIFAR10_SLICES = {"train": "train[:45000]", "validation": "train[45000:]"}

_DATA_SETS = {
    data_set.name: dataclasses.replace(data_set, read=stored_before(data_set.read, data_set.name))
    for data_set in (
        DataSet(
            name="digits",
            image_shape=(8, 8, 1),
            levels=17,
            splits=DIGITS_SPLITS,
            description="Handwritten digits, each value the number of inked pixels (0 to 16) in a 4 x 4 block of a "
            "32 x 32 bitmap. The 1,797 come with scikit-learn: nothing is downloaded. Split by a fixed permutation.",
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

_USER_DATA_SETS = {
    data_set.name: data_set
    for data_set in (
        UserDataSet(
            name="codes",
            image="as stored",
            levels="as stored",
            description="Integer maps in a .npy or .npz file, such as the codes of a VQ-VAE. Splits as stored, or by a "
            "hash of each map.",
            open=codes,
        ),
        UserDataSet(
            name="images",
            image="size x size x colours",
            levels="256",
            description="A folder of pictures of any kind, the central square of each shrunk to one size. Split by a "
            "hash of each file.",
            open=images,
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


def names():
    """The names of the data sets there are, in alphabetical order.

    Example:

    >>> names()
    ['binarized_mnist', 'cifar10', 'codes', 'digits', 'imagenet32', 'imagenet64', 'images', 'mnist']
    """
    return sorted(_DATA_SETS | _USER_DATA_SETS)


def options(name):
    """The options of a data set.

    Args:
        name: one of `names()`.

    Returns:
        Dictionary of name -> `inspect.Parameter` (its default, if any, and its type); empty for a set that is fixed.

    Raises:
        ValueError: there is no data set of this name.

    Example:

    >>> list(options("images")), list(options("digits"))
    (['path', 'size', 'colours'], [])
    """
    if name not in names():
        raise ValueError(f"name must be one of {', '.join(names())}, got {name!r}")
    return dict(_USER_DATA_SETS[name].options) if name in _USER_DATA_SETS else {}


def check_options(name, given):
    """Raise unless `given` are names of options of the data set `name`; looks for no data.

    Example:

    >>> check_options("digits", {"size": 8})
    Traceback (most recent call last):
    ValueError: data options: digits takes none, got 'size'
    """
    known = options(name)
    for option in given:
        if option not in known:
            raise ValueError(f"data options: {name} takes {', '.join(known) or 'none'}, got {option!r}")


def info(name, **options):
    """The `DataSet` of a name: image shape, levels, splits, description, source.

    Reads no image of a fixed data set. One that the user brings is read once in a process and kept.

    Args:
        name: one of `names()`.
        **options: what `pixel_zoo.data.options(name)` lists, such as the path of a folder.

    Raises:
        ValueError: there is no data set of this name, or it has no such option, or needs one that is not given; or
            what lies at `path` is not such data.
        FileNotFoundError: nothing lies at `path`.

    Example:

    >>> info("binarized_mnist").levels
    2
    """
    check_options(name, options)
    if name in _DATA_SETS:
        return _DATA_SETS[name]
    for option, parameter in _USER_DATA_SETS[name].options.items():
        if parameter.default is parameter.empty and option not in options:
            raise ValueError(f"data options: {name} needs {option} (data_options.{option} of a recipe)")
    return _open(name, *sorted(options.items()))


@functools.cache
def _open(name, *options):
    return _USER_DATA_SETS[name].open(**dict(options))


def in_words(name):
    """What there is to say of a data set before any option is known: image, levels and description, three texts.

    Example:

    >>> in_words("images")[:2]
    ('size x size x colours', '256')
    """
    if name in _USER_DATA_SETS:
        data_set = _USER_DATA_SETS[name]
        return data_set.image, data_set.levels, f"{data_set.description} Options: {', '.join(data_set.options)}."
    data_set = info(name)
    return "x".join(map(str, data_set.image_shape)), str(data_set.levels), data_set.description
