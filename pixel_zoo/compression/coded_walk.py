"""The walk through images whose values are read from a stream, or are known and give what an encoder needs."""

import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.compression.digits import Digits
from pixel_zoo.compression.rans import Decoder
from pixel_zoo.sampling.packing import FeaturePacking, pack
from pixel_zoo.sampling.walker import Walker


def coded_walk(model):
    """The coded walk of a functional model, made once and kept with the model.

    Raises:
        ValueError: the model is no graph of raster layers; names the layer.
    """
    if "_pixel_zoo_coded_walk" not in model.__dict__:
        model.__dict__["_pixel_zoo_coded_walk"] = CodedWalk(model)
    return model.__dict__["_pixel_zoo_coded_walk"]


class CodedWalk:
    """A walker with a `Decoder` in the place of the noise, compiled row by row, from NumPy to NumPy.

    Args:
        model: functional Keras model of raster layers.

    Attributes:
        image_shape: (height, width, colours).
        levels: int.
    """

    def __init__(self, model):
        self.walker = walker = Walker(model)
        self.image_shape, self.levels = walker.graph.image_shape, walker.likelihood.levels
        digits, packed_maps = Digits(self.levels), FeaturePacking(axes=3)
        self.words_of_lane = self.image_shape[1] * self.image_shape[2] * len(digits.places)  # at most, in a row

        def start(known, conditioning):
            weights, states, maps = walker.start(known.shape[0], conditioning)
            weights, self._unpack = pack(weights)  # always the same: shapes of weights don't change
            maps = packed_maps.pack(maps)
            return weights, maps, states

        def row(weights, maps, states, words, known, coder_states, values):
            decoder = Decoder(digits, words, known)
            carried = coder_states, ops.zeros((), "int32")
            weights, maps = self._unpack(weights), packed_maps.unpack(maps)
            return walker.row_of_choices(weights, maps, states, decoder, carried, values)

        self._start = backend.compiled(start, model.variables, xla=False)
        self._rows = {xla: backend.compiled(row, [], xla=xla) for xla in (False, True)}  # each is compiled when called

    def __call__(self, stream, known, images, conditioning, xla, row_done):
        """Walk through a batch of images.

        Args:
            stream: `Stream`, from which the values of lanes that are not known are read.
            known: bool array (lanes,).
            images: int32 array (lanes, height, width, colours), read where a lane is known.
            conditioning: the model's other inputs, a list of arrays with an entry for each lane.
            xla: bool, whether TensorFlow compiles with XLA: it rounds differently.
            row_done: function to call after each row.

        Returns:
            (images, log_likelihood, symbols): int32 array of the images' shape; float32 array (lanes,) of nats; int32
            array (symbols, lanes, 2), the start and the frequency of each symbol, in the order of decoding.

        Raises:
            ValueError: the stream is too short.
        """
        weights, maps, states = self._start(known, conditioning)
        height, width, colours = self.image_shape
        window = len(known) * self.words_of_lane + 1
        rows, symbols, log_likelihood = [], [], 0.0
        for r in range(height):
            states, values, nats, (coder_states, read), notes = self._rows[xla](
                weights,
                {key: rows_of_map[r] for key, rows_of_map in maps.items()},
                states,
                stream.window(window),
                known,
                stream.states,
                images[:, r].swapaxes(0, 1),
            )
            stream.advance(ops.convert_to_numpy(coder_states), int(read))
            if stream.is_overrun:
                raise ValueError("the stream of words is too short")
            rows.append(ops.convert_to_numpy(values))
            symbols.append(np.stack([ops.convert_to_numpy(note) for note in notes], axis=1))
            log_likelihood = log_likelihood + ops.convert_to_numpy(nats)
            row_done()
        # (rows, columns, colours, lanes, digits and their start and frequency)
        symbols = np.stack(symbols).reshape(height * width * colours, len(known), -1, 2)
        symbols = symbols.swapaxes(1, 2).reshape(-1, len(known), 2)
        return np.stack(rows).transpose(2, 0, 1, 3), log_likelihood, symbols
