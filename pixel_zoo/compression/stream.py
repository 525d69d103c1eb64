"""The words of a block while they are read."""

import numpy as np

from pixel_zoo.compression.rans import SMALLEST_STATE


class Stream:
    """The states of a block's lanes, its words, and the position of the next one.

    Args:
        states: integer array (lanes,).
        words: uint16 array.

    Example:
    >>> Stream.of_nothing(lanes=3).states
    array([65536, 65536, 65536], dtype=uint32)
    """

    def __init__(self, states: np.ndarray, words: np.ndarray) -> None:
        self.states, self.words, self.position = states.astype("uint32"), words, 0

    @classmethod
    def of_nothing(cls, lanes: int) -> "Stream":
        """A stream from which nothing is read: all values are given."""
        return cls(np.full(lanes, SMALLEST_STATE), np.zeros(0, "uint16"))

    @property
    def is_overrun(self) -> bool:
        """Whether more words were read than there are, which happens with damaged files only."""
        return self.position > len(self.words)

    def window(self, length: int) -> np.ndarray:
        """The next words, uint32 array (length,), filled up with zeros."""
        part = self.words[self.position : self.position + length].astype("uint32")
        return np.pad(part, (0, length - len(part)))

    def advance(self, states: np.ndarray, count: int) -> None:
        """Note that `count` words were read, and the states after that."""
        self.states, self.position = states, self.position + count
