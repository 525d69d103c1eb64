"""UserDataSet: a kind of data set whose images the user brings."""

import dataclasses
import inspect
from collections.abc import Callable

from pixel_zoo.data.data_set import DataSet


@dataclasses.dataclass(frozen=True)
class UserDataSet:
    """A kind of data set whose images the user brings: options say where they lie and how to read them.

    Args:
        name: what it is called in `pixel_zoo.data.arrays` and on the command line.
        image: the images' height, width and channels, in words.
        levels: how many values a pixel takes, in words.
        description: what the images are and how they are split.
        open: options -> `DataSet`; its parameters are the options there are.

    Example:

    >>> from pixel_zoo.data import codes
    >>> list(UserDataSet("mine", "as stored", "as stored", "Codes of a VQ-VAE.", codes.codes).options)
    ['path', 'levels']
    """

    name: str
    image: str
    levels: str
    description: str
    open: Callable[..., DataSet] = dataclasses.field(repr=False)

    @property
    def options(self):
        """The parameters of `open` by name."""
        return inspect.signature(self.open).parameters
