"""DataSet: what is known of a data set before any of it is read."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class DataSet:
    """A data set of images, its values and its fixed splits.

    Args:
        name: what it is called in `pixel_zoo.data.arrays` and on the command line.
        image_shape: (height, width, channels) of each image.
        levels: the values of a pixel are the integers 0 .. levels - 1.
        splits: the number of images of "train", "validation" and "test".
        description: what the images are, which binarisation where there is one, and where the splits come from.
        source: who published the images.
        read: split -> integers (splits[split], *image_shape) of the data set's dtype.
        classes: the labels of the images are the integers 0 .. classes - 1; None where they have none.
        read_labels: split -> integers (splits[split],), in the order of `read`; None where there are none.
        is_here: a function of nothing: whether `read` needs no download.

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

    @property
    def dtype(self):
        """What the values are stored as: see `dtype_of`."""
        return dtype_of(self.levels)


def dtype_of(levels):
    """The dtype of values 0 .. levels - 1: "uint8", or "int32" for more than 256."""
    return "uint8" if levels <= 256 else "int32"
