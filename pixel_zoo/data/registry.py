"""The data sets there are."""

from pixel_zoo.data.data_set import DataSet
from pixel_zoo.data.readers import DIGITS_SPLITS, read_digit_labels, read_digits, tfds_reader

_MNIST_SLICES = {"train": "train[:55000]", "validation": "train[55000:]"}
_CIFAR10_SLICES = {"train": "train[:45000]", "validation": "train[45000:]"}

_DATA_SETS = {
    data_set.name: data_set
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
        ),
    )
}


def names():
    """The names of the data sets there are, in alphabetical order.

    Example:

    >>> names()
    ['binarized_mnist', 'cifar10', 'digits', 'mnist']
    """
    return sorted(_DATA_SETS)


def info(name):
    """The `DataSet` of a name: image shape, levels, splits, description, source. Reads no image.

    Args:
        name: one of `names()`.

    Raises:
        ValueError: there is no data set of this name.

    Example:

    >>> info("binarized_mnist").levels
    2
    """
    if name not in names():
        raise ValueError(f"name must be one of {', '.join(names())}, got {name!r}")
    return _DATA_SETS[name]
