"""A block: images that are compressed together, in lanes side by side."""

import zlib

import numpy as np

from pixel_zoo.compression.coded_walk import coded_walk
from pixel_zoo.compression.rans import SCALE, SMALLEST_STATE, encode
from pixel_zoo.compression.stream import Stream
from pixel_zoo.inputs import condition_values, image_shape_of, stages_of
from pixel_zoo.stages import draw_stages, subsample


class BlockCoder:
    """Codes blocks of images with a model.

    Image i of a block is in lane i % lanes, so the images of a batch are in lanes side by side, and those of the next
    batch follow in the same lanes. A lane's state costs 4 bytes, which all of its images share. What the decoder's
    state is in the end can be chosen by the encoder: its low 16 bits are a checksum of the lane's images.

    Args:
        model: functional model, or a multi-scale model.
        lanes: int.
        xla: bool, whether TensorFlow compiles with XLA.
        row_done: function to call after each row of each stage.
    """

    def __init__(self, model, lanes, xla, row_done):
        self.model, self.lanes, self.xla, self.row_done = model, lanes, xla, row_done

    def encode(self, images, conditions):
        """The bytes of a block.

        Args:
            images: integer array (count, height, width, colours).
            conditions: dictionary from the name of an input to an array with an entry for each image.

        Returns:
            bytes.

        Raises:
            ValueError: the model's probabilities are not finite.
        """
        symbols = []
        for first in range(0, len(images), self.lanes):
            batch = images[first : first + self.lanes]
            _, of_batch = self._walk(Stream.of_nothing(self.lanes), 0, batch, self._batch(conditions, first))
            of_batch[:, len(batch) :] = 0, SCALE  # what fills the last batch up is not coded
            symbols.append(of_batch)
        starts, frequencies = np.moveaxis(np.concatenate(symbols), -1, 0)
        states, words = encode(_padded(_last_states(images, self.lanes), self.lanes), starts, frequencies)
        used = min(self.lanes, len(images))
        return states[:used].astype("<u4").tobytes() + words.astype("<u2").tobytes()

    def decode(self, data, count, conditions):
        """The images of a block.

        Args:
            data: bytes of `encode`.
            count: int, number of images.
            conditions: as of `encode`.

        Returns:
            (images, wrong): int32 array (count, height, width, colours); the indices of the images whose lane does not
            have the right checksum.

        Raises:
            ValueError: the bytes end too early, or some are left over.
        """
        used = min(self.lanes, count)
        states = np.frombuffer(data, "<u4", used)
        stream = Stream(_padded(states, self.lanes), np.frombuffer(data, "<u2", offset=4 * used))
        batches = []
        for first in range(0, count, self.lanes):
            unknown = min(self.lanes, count - first)
            images, _ = self._walk(stream, unknown, None, self._batch(conditions, first))
            batches.append(images[:unknown])
        if stream.position != len(stream.words):
            raise ValueError("words are left over")
        images = np.concatenate(batches)
        (lanes,) = np.nonzero(stream.states[:used] != _last_states(images, self.lanes))
        return images, [index for index in range(count) if index % self.lanes in lanes]

    def _walk(self, stream, unknown, images, conditions):
        """Walk through all stages of a batch: (images, symbols). The first `unknown` lanes are read from the stream."""
        symbols, known = [], np.arange(self.lanes) >= unknown

        def draw(index, stage, conditions):
            shape = image_shape_of(stage)
            given = np.zeros((self.lanes, *shape), "int32")
            if images is not None:
                given[: len(images)] = subsample(images, shape)
            values = condition_values(stage, conditions)
            drawn, nats, of_stage = coded_walk(stage)(stream, known, given, values, self.xla, self.row_done)
            if images is not None and not np.isfinite(nats[: len(images)]).all():
                raise ValueError("model: its probabilities are not finite; its weights may be NaN or infinite")
            symbols.append(of_stage)
            return drawn, nats

        drawn, _ = draw_stages(self.model, draw, conditions)
        return drawn, np.concatenate(symbols)

    def _batch(self, conditions, first):
        """The conditions of a batch, repeated where it is not full."""
        return {
            name: np.resize(values[first : first + self.lanes], (self.lanes, *values.shape[1:]))
            for name, values in conditions.items()
        }


def rows_of_batch(model):
    """How many rows a batch walks through, in all stages."""
    return sum(image_shape_of(stage)[0] for stage in stages_of(model))


def dtype_of(levels):
    """The type of the images: as of `generate`."""
    return "uint8" if levels <= 256 else "int32"


def crc_of(images):
    """CRC-32 of images, whatever the integers' type.

    Example:
    >>> crc_of(np.zeros(2, "uint8")) == crc_of(np.zeros(2, "int64"))
    True
    """
    return zlib.crc32(np.ascontiguousarray(images, "<i4"))


def _last_states(images, lanes):
    """The states of the lanes in use when all is decoded: 2**16, and a checksum of 16 bits."""
    return np.array([SMALLEST_STATE + crc_of(images[lane::lanes]) % 2**16 for lane in range(min(lanes, len(images)))])


def _padded(states, lanes):
    return np.concatenate([states, np.full(lanes - len(states), SMALLEST_STATE)])
