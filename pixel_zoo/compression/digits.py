"""A value as one or more digits: the coder codes a digit at a time."""

from keras import ops

from pixel_zoo.types import Tensor

#: A digit that may take n values costs at least n * 2**-15 / ln 2 bits, because none of them has frequency 0.
LARGEST_ONLY = 32
LARGEST = 128


class Digits:
    """The digits of values 0..levels-1, the most significant one first.

    Up to 32 levels are one digit. More are several digits of equal base, as few as possible with a base of at most 128,
    so that the smallest frequencies cost little and no step looks at more than 128 of them.

    Args:
        levels: int, at least 2.

    Attributes:
        base: int, how many values a digit takes.
        places: list of int, what a digit stands for: its value times `places[i]`.

    Example:
    >>> digits = Digits(256)
    >>> digits.base, digits.places
    (16, [16, 1])
    >>> Digits(17).places
    [1]
    """

    def __init__(self, levels: int) -> None:
        self.levels = levels
        count, self.base = 1, levels
        if levels > LARGEST_ONLY:
            while LARGEST**count < levels:
                count += 1
            count = max(count, 2)
            self.base = next(base for base in range(2, LARGEST + 1) if base**count >= levels)
        self.places = [self.base**place for place in reversed(range(count))]

    def spread(self, probabilities: Tensor) -> Tensor:
        """Probabilities (batch, levels) with zeros for the values that the digits allow and the levels do not."""
        unused = self.base ** len(self.places) - self.levels
        return ops.pad(probabilities, ((0, 0), (0, unused))) if unused else probabilities

    def of(self, values: Tensor, place: int) -> Tensor:
        """The digits of integer values at one of the places."""
        return values if len(self.places) == 1 else values // place % self.base
