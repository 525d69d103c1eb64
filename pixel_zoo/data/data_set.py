"""DataSet: the facts about a data set, and how to read it."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from pixel_zoo.checks import positive_integer

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class DataSet:
    """A data set of images, its values and its fixed splits.

    Pass your own data set in place of a name: `pixel_zoo.data.arrays(data_set, "test")`, `Recipe(data=data_set, ...)`.

    Args:
        name: its name in reports and error messages; for the package's sets, in `pixel_zoo.data.arrays` too.
        image_shape: (height, width, channels) of each image.
        levels: the values of a pixel are the integers 0 .. levels - 1.
        splits: the number of images in "train", "validation" and "test".
        description: what the images are, how they were binarised if they were, and where the splits come from.
        source: who published the images.
        read: split -> integers (splits[split], *image_shape) of the data set's dtype.
        classes: the labels of the images are the integers 0 .. classes - 1; None if they have none.
        read_labels: split -> integers (splits[split],), in the order of `read`; None if there are none.
        is_here: function without arguments: whether `read` needs no download.
        small_shape: (height, width) of a small image that each image is given with, such as the top codes of a
            VQ-VAE-2; None if there is none.
        read_small: split -> integers (splits[split], *small_shape, channels) of the data set's dtype, in the order of
            `read`; None if there are none.

    Raises:
        ValueError, TypeError: an argument is not as described; the message names it.

    Example:

    >>> from pixel_zoo import data
    >>> digits = data.info("digits")
    >>> digits.image_shape, digits.levels, digits.splits
    ((8, 8, 1), 17, {'train': 1297, 'validation': 200, 'test': 300})
    """

    name: str
    image_shape: tuple[int, int, int]
    levels: int
    splits: Mapping[str, int]
    description: str
    source: str
    read: Callable[[str], np.ndarray] = dataclasses.field(repr=False)
    classes: int | None = None
    read_labels: Callable[[str], np.ndarray] | None = dataclasses.field(default=None, repr=False)
    is_here: Callable[[], bool] = dataclasses.field(default=lambda: True, repr=False)
    small_shape: tuple[int, int] | None = None
    read_small: Callable[[str], np.ndarray] | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self):
        if len(tuple(self.image_shape)) != 3:
            raise ValueError(f"image_shape must be (height, width, channels), got {self.image_shape!r}")
        for size in self.image_shape:
            positive_integer("each size in image_shape", size)
        if positive_integer("levels", self.levels) < 2:
            raise ValueError(f"levels must be at least 2, got {self.levels!r}")
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"splits must count the images of {', '.join(SPLITS)}, got {dict(self.splits)!r}")
        if not callable(self.read):
            raise TypeError(f"read must be a function of the split, got {self.read!r}")
        if (self.classes is None) != (self.read_labels is None):
            raise ValueError("classes and read_labels belong together: give both or neither")
        if (self.small_shape is None) != (self.read_small is None):
            raise ValueError("small_shape and read_small belong together: give both or neither")

    @property
    def dtype(self) -> str:
        """The dtype of the values: see `dtype_of`."""
        return dtype_of(self.levels)


def dtype_of(levels: int) -> str:
    """The dtype of values 0 .. levels - 1: "uint8", or "int32" for more than 256."""
    return "uint8" if levels <= 256 else "int32"


#: What is accepted as a data set: one of `pixel_zoo.data.names()`, a `DataSet`, a function that returns one, or text
#: "package.module:name" that names either of these.
DataLike = str | DataSet | Callable[..., DataSet]
