"""UserDataSet: a kind of data set that is made from what the user supplies."""

import dataclasses
from collections.abc import Callable

from pixel_zoo.data.data_set import DataSet


@dataclasses.dataclass(frozen=True)
class UserDataSet:
    """A kind of data set that is made from what the user supplies: its options say where the images are.

    Args:
        name: its name in `pixel_zoo.data.arrays` and on the command line.
        image: the images' height, width and channels, in words.
        levels: the number of values of a pixel, in words.
        description: what the images are and how they are split.
        open: options -> `DataSet`; its parameters are the options.

    Example:

    >>> from pixel_zoo.data import codes
    >>> UserDataSet("mine", "as stored", "as stored", "Codes of a VQ-VAE.", codes.codes).levels
    'as stored'
    """

    name: str
    image: str
    levels: str
    description: str
    open: Callable[..., DataSet] = dataclasses.field(repr=False)
