"""The parts that both recurrent layers share: the cell and its input-to-state map."""

import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.layers.colours import by_colour, colour_slice, feature_colours, join, sort_features
from pixel_zoo.layers.masked_conv2d import MaskedConv2D


def lstm_cell(gates, cell):
    """One LSTM update (van den Oord et al. 2016, equation 3).

    ```
    o, f, i, g = sigmoid, sigmoid, sigmoid, tanh of the gates
    c = f * c_previous + i * g
    h = o * tanh(c)
    ```

    Args:
        gates: tensor (..., 4 * units), pre-activations in the order o, f, i, g.
        cell: tensor (..., units), the previous cell state.

    Returns:
        (h, c), two tensors (..., units).
    """
    output, forget, update, content = ops.split(gates, 4, axis=-1)
    cell = ops.sigmoid(forget) * cell + ops.sigmoid(update) * ops.tanh(content)
    return ops.sigmoid(output) * ops.tanh(cell), cell


def lstm_cell_by_colour(gates, cell, widths):
    """`lstm_cell` of features sorted by colour: each colour's gates o, f, i, g, then the next colour's.

    Args:
        gates: tensor (..., 4 * units).
        cell: tensor (..., units).
        widths: list of ints, units per colour.

    Returns:
        (h, c), two tensors (..., units), sorted by colour.
    """
    gate_widths = [4 * width for width in widths]
    groups = [
        lstm_cell(colour_slice(gates, gate_widths, colour), colour_slice(cell, widths, colour))
        for colour in range(len(widths))
    ]
    return tuple(join(state) for state in zip(*groups, strict=True))


class InputToState(MaskedConv2D):
    """Masked convolution to the gates [o, f, i, g] of one or more LSTMs, each gate `units` wide.

    A gate has the colour of its unit, so colours repeat every `units` features, not every `filters`.
    """

    def __init__(self, units, lstms=1, **kwargs):
        super().__init__(filters=4 * units * lstms, mask_type="B", **kwargs)
        self.units, self.lstms = units, lstms

    def unit_groups(self):
        """The units sorted by colour, and how many there are of each: see `by_colour`."""
        return by_colour(feature_colours(self.units, self.colours))

    def gate_colours(self):
        """The colour of each gate feature of one LSTM, int array (4 * units,)."""
        return np.tile(feature_colours(self.units, self.colours), 4)

    def output_colours(self):
        return np.tile(self.gate_colours(), self.lstms)

    def of_lstm(self, features, lstm):
        """The slice of a tensor (..., 4 * units * lstms) that belongs to one LSTM."""
        return backend.split(features, [4 * self.units] * self.lstms)[lstm]

    def prepare(self, lstm=0):
        """The weights of one LSTM's gates, in the form that the steps of `MaskedConv2D` take."""
        kernel, bias = (self.of_lstm(w, lstm) for w in (self.masked_kernel(), ops.convert_to_tensor(self.bias)))
        return self._prepare(kernel, bias, self.gate_colours())

    def prepare_bias(self, bias):
        """The conditioning map of each LSTM's gates, a list."""
        return [sort_features(self.of_lstm(bias, lstm), self.gate_colours()) for lstm in range(self.lstms)]
