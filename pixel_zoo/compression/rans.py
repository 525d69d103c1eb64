"""Range asymmetric numeral systems (Duda 2013, arXiv 1311.2540), interleaved (Giesen 2014, arXiv 1402.3392).

A coder is an integer, its state. To code a symbol of frequency f among 2**15 puts the state x at

```
x' = (x // f) * 2**15 + start + x % f,    start = the sum of the frequencies of the symbols before
```

which is about x * 2**15 / f: the state grows by log2(2**15 / f) bits, what the symbol is worth. The decoder finds the
symbol in the low 15 bits of x', and x. So symbols come out in the opposite order, and the encoder begins with the last.
States are kept in 2**16..2**32-1: whenever one would grow beyond, its low 16 bits are written as a word. Small states
make that "about" inexact. A scale of 2**16 would cost 0.1 % more bits for that, and one of 2**14 would be too coarse
for probabilities near 0.

Each image of a batch has a state of its own, and all write to and read from one stream of words: at each symbol, the
states that need a word take one in the order of the batch. No sizes have to be stored for that, and one operation
serves the whole batch.

The encoder runs in NumPy. The decoder runs inside the graph of the model, because each value is needed for the next.
"""

import numpy as np
from keras import ops

from pixel_zoo.compression.digits import Digits
from pixel_zoo.types import Structure, Tensor

SCALE_BITS, WORD_BITS = 15, 16
SCALE = 1 << SCALE_BITS  # sum of the frequencies
SMALLEST_STATE = 1 << WORD_BITS
_SMALLEST_SUM = 1e-30  # what a model holds impossible may have probability 0, and no digit then has any


def inner_bounds(probabilities: Tensor) -> Tensor:
    """Where the symbols but the first begin on the scale 0..2**15, each symbol having at least 1 of it.

    Frequencies are rounded down; the last symbol gets the rest. Integers are added up, so nothing depends on the order
    of additions.

    Args:
        probabilities: float32 tensor (batch, n) of numbers of at least 0, of sum 1 up to rounding; n at most 128.

    Returns:
        int32 tensor (batch, n - 1), strictly increasing, within 1..2**15 - 1.

    Example:
    >>> ops.convert_to_numpy(inner_bounds(np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]], "float32"))).tolist()
    [[16383, 24575], [32765, 32766]]
    """
    # One less than there is: the sum of n rounded floats may exceed 1 by up to n * 2**-24.
    available = float(SCALE - 1 - probabilities.shape[-1])
    frequencies = 1 + ops.cast(probabilities[:, :-1] * available, "int32")
    return ops.cumsum(frequencies, axis=-1)


class Decoder:
    """Reads each value of a batch of images from a stream of words: what `Walker.row_of_choices` calls.

    Where a lane is known, its values are taken as they are given, and the state stays. So one program serves both ways:
    to encode, all lanes are known, and the notes are what the encoder needs. The probabilities must be the same to the
    last bit, and those of another program, or of another batch size, are not.

    What is carried is (states, position): uint32 tensor (lanes,), and int32 tensor (), the next word to be read.

    Args:
        digits: `Digits`.
        words: uint32 tensor, from the first word that may be read; at least one more than can be.
        known: bool tensor (lanes,).
    """

    def __init__(self, digits: Digits, words: Tensor, known: Tensor) -> None:
        self.digits, self.words, self.known = digits, words, known

    def __call__(
        self, carried: Structure, logits: Tensor, given: Tensor, colour: int
    ) -> tuple[Structure, Tensor, Structure]:
        """Read a value of each image.

        Args:
            carried: (states, position).
            logits: float32 tensor (lanes, levels).
            given: int32 tensor (lanes, colours), the values of known lanes.
            colour: int.

        Returns:
            (carried, values, notes): values int32 (lanes,); notes int32 (lanes, 2 * digits), the start and the
            frequency of each digit.
        """
        probabilities, values, notes = self.digits.spread(ops.softmax(logits)), 0, []
        for place in self.digits.places:
            by_digit = probabilities
            if place > 1:
                table = ops.reshape(probabilities, (-1, self.digits.base, place))
                by_digit = ops.sum(table, axis=-1)
            if len(self.digits.places) > 1:
                total = ops.sum(by_digit, axis=-1, keepdims=True)
                by_digit = by_digit / ops.maximum(total, _SMALLEST_SUM)
            known_digit = self.digits.of(given[:, colour], place)
            carried, digit, start, frequency = self._digit(carried, by_digit, known_digit)
            if place > 1:
                chosen = ops.equal(np.arange(self.digits.base, dtype="int32"), ops.expand_dims(digit, -1))
                probabilities = ops.sum(ops.where(ops.expand_dims(chosen, -1), table, 0.0), axis=1)
            values = values + place * digit
            notes += [start, frequency]
        # In a damaged file, digits may make a value that no image holds.
        return carried, ops.minimum(values, self.digits.levels - 1), ops.stack(notes, axis=-1)

    def _digit(self, carried, probabilities, known_digit):
        """A digit of each image: ((states, position), digit, start, frequency)."""
        states, position = carried
        bounds = inner_bounds(probabilities)
        slots = ops.cast(ops.bitwise_and(states, _word(SCALE - 1)), "int32")
        index = np.arange(bounds.shape[-1], dtype="int32")
        known = ops.expand_dims(self.known, -1)
        passed = ops.where(
            known,
            ops.less(index, ops.expand_dims(known_digit, -1)),
            ops.less_equal(bounds, ops.expand_dims(slots, -1)),
        )
        digit = ops.sum(ops.cast(passed, "int32"), axis=-1)
        start = ops.max(ops.where(passed, bounds, 0), axis=-1)
        frequency = ops.min(ops.where(passed, SCALE, bounds), axis=-1) - start
        high = ops.right_shift(states, _word(SCALE_BITS))
        popped = ops.add(ops.multiply(ops.cast(frequency, "uint32"), high), ops.cast(slots - start, "uint32"))
        return self._refill(ops.where(self.known, states, popped), position), digit, start, frequency

    def _refill(self, states, position):
        """Give each state below the smallest the next word of the stream."""
        empty = ops.less(states, _word(SMALLEST_STATE))
        count = ops.cast(empty, "int32")
        words = ops.take(self.words, position + ops.cumsum(count) - count)
        refilled = ops.bitwise_or(ops.left_shift(states, _word(WORD_BITS)), words)
        return ops.where(empty, refilled, states), position + ops.sum(count)


def _word(number):
    return ops.convert_to_tensor(np.uint32(number), dtype="uint32")


def encode(states: np.ndarray, starts: np.ndarray, frequencies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code the symbols that a `Decoder` is to read, in the opposite order.

    Args:
        states: integer array (lanes,) of what the decoder's states shall be at the end, 2**16..2**32-1.
        starts: integer array (symbols, lanes), where each symbol begins on the scale 0..2**15.
        frequencies: integer array (symbols, lanes), how much of the scale it has; all of it: nothing is coded.

    Returns:
        (states, words): uint32 array (lanes,), the decoder's states at the beginning; uint16 array, what it reads.

    Example:
    >>> states, words = encode(np.array([2**16]), np.array([[0], [2**14]]), np.array([[2**14], [2**14]]))
    >>> [bin(state) for state in states], words.size
    (['0b1001000000000000000'], 0)
    """
    states, written = states.astype("uint64"), []
    for start, frequency in zip(starts[::-1].astype("uint64"), frequencies[::-1].astype("uint64"), strict=True):
        full = states >= frequency << np.uint64(2 * WORD_BITS - SCALE_BITS)
        written.append(states[full].astype("uint16"))  # the low 16 bits
        states = np.where(full, states >> np.uint64(WORD_BITS), states)
        whole, rest = np.divmod(states, frequency)
        states = (whole << np.uint64(SCALE_BITS)) + rest + start
    words = np.concatenate(written[::-1]) if written else np.zeros(0, "uint16")
    return states.astype("uint32"), words
