"""The Diagonal BiLSTM."""

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.layers.checks import check_groups, positive_integer
from pixel_zoo.layers.colours import by_colour, colour_slice, join
from pixel_zoo.layers.lstm import InputToState, lstm_cell, lstm_cell_by_colour
from pixel_zoo.layers.lstm_scan import lstm_scan
from pixel_zoo.layers.raster_layer import RasterLayer

RIGHT, LEFT = 0, 1


@keras.saving.register_keras_serializable(package="pixel_zoo")
class DiagonalBiLSTM(RasterLayer):
    """Two LSTMs that sweep the image along its diagonals (van den Oord et al. 2016, section 3.2, figure 3).

    ```
    rightward: gates of (i, j) = K_above h(i-1, j) + K_beside h(i, j-1) + K_is x(i, j),  c from (i, j-1)
    leftward:  gates of (i, j) = K_above h(i-1, j) + K_beside h(i, j+1) + K_is x(i, j),  c from (i, j+1)
    output of (i, j) = rightward h(i, j) + leftward h(i-1, j)
    ```

    The leftward map is moved down one row, else it would see the pixels to the right. So a pixel sees all before it.
    Neighbours outside the image have a learned initial state. The map is skewed, row r moved r columns, so that a
    diagonal becomes a column and height + width - 1 steps do all positions; padding never enters a state.

    Args:
        units: int, number of features h of each direction's state and of the output.
        colours: int, number of colour channels of the image; unit k belongs to colour k % colours.

    Input: float tensor (batch, height, width, c_in) of static height and width; `bias`: (batch, height, width,
    8 * units), rightward gates first. Output: float tensor (batch, height, width, units).

    Raises:
        ValueError: for numbers below 1.

    Example:
    >>> import numpy as np
    >>> DiagonalBiLSTM(16)(np.zeros((2, 8, 8, 32), "float32")).shape[1:] == (8, 8, 16)
    True
    """

    def __init__(self, units, colours=1, **kwargs):
        super().__init__(colours=colours, **kwargs)
        self.units = positive_integer("units", units)
        check_groups("units", units, colours)
        self.input_to_state = InputToState(
            units, lstms=2, kernel_size=1, colours=colours, dtype=self.dtype_policy, name="input_to_state"
        )

    def build(self, input_shape):
        super().build(input_shape)
        self.input_to_state.build(input_shape)
        # Axes: direction (rightward, leftward), tap (above, beside), unit, gate.
        self.recurrent_kernel = self.add_weight(
            shape=(2, 2, self.units, 4 * self.units), initializer="glorot_uniform", name="recurrent_kernel"
        )
        self.initial_h = self.add_weight(shape=(2, self.units), initializer="zeros", name="initial_h")
        self.initial_c = self.add_weight(shape=(2, self.units), initializer="zeros", name="initial_c")

    def compute_output_shape(self, x_shape, bias_shape=None):
        return (*x_shape[:-1], self.units)

    def call(self, x, bias=None):
        height, width = x.shape[1], x.shape[2]
        kernels = ops.cast(ops.reshape(self.recurrent_kernel, (2, 2 * self.units, 4 * self.units)), x.dtype)
        initial_h, initial_c = ops.cast(self.initial_h, x.dtype), ops.cast(self.initial_c, x.dtype)
        # The scan's positions are the rows of the skewed map, its steps the columns. Row r starts at step r; until then
        # it keeps the initial state, which stands left of its first column.
        right, left = lstm_scan(
            [self._skewed_gates(x, bias, direction) for direction in (RIGHT, LEFT)],
            [kernels[direction] for direction in (RIGHT, LEFT)],
            [initial_h[direction] for direction in (RIGHT, LEFT)],
            [initial_c[direction] for direction in (RIGHT, LEFT)],
            offsets=(-1, 0),
            learned_edge=True,
            started=np.arange(height + width - 1)[:, None] >= np.arange(height),
        )
        moved_down = ops.pad(_unskew(left, width, LEFT)[:-1], [[1, 0], [0, 0], [0, 0], [0, 0]])
        return ops.transpose(_unskew(right, width, RIGHT) + moved_down, (2, 0, 1, 3))

    def _skewed_gates(self, x, bias, direction):
        """The input-to-state map of one direction, skewed: (steps, height, batch, 4 * units).

        The input is narrower than its gates: it is skewed before the product, not after it.
        """
        gates = self.input_to_state.map_of_lstm(_skew(x, direction), direction)
        if bias is None:
            return gates
        bias = self.input_to_state.of_lstm(bias, direction)
        return gates + _skew(ops.broadcast_to(bias, (*ops.shape(x)[:3], 4 * self.units)), direction)

    # Row by row: both directions' terms from the row above once per row; the rightward LSTM pixel by pixel; the
    # leftward one, right to left, once the row is finished.

    def prepare(self):
        unit_order, _ = self.input_to_state.unit_groups()
        gate_order, _ = by_colour(self.input_to_state.gate_colours())

        def sort(weight, *orders):
            for axis, order in enumerate(orders, start=weight.ndim - len(orders)):
                weight = ops.take(weight, order, axis=axis)
            return ops.cast(weight, self.compute_dtype)

        kernel = sort(self.recurrent_kernel, unit_order, gate_order)
        return [
            {
                "input_to_state": self.input_to_state.prepare(direction),
                "above": kernel[direction, 0],
                "beside": kernel[direction, 1],
                "h": sort(self.initial_h[direction], unit_order),
                "c": sort(self.initial_c[direction], unit_order),
            }
            for direction in (RIGHT, LEFT)
        ]

    def prepare_bias(self, bias):
        return self.input_to_state.prepare_bias(bias)

    def initial_state(self, weights, batch, width):
        """The row above of each direction, and the leftward row that is added to the output: none at row 0."""
        shape = (width, batch, self.units)
        right, left = (ops.broadcast_to(weights[direction]["h"], shape) for direction in (RIGHT, LEFT))
        return right, left, ops.zeros_like(left)

    def enter_row(self, weights, state, bias=()):
        right, left, moved_down = state
        gates = []
        for direction, above in ((RIGHT, right), (LEFT, left)):
            terms = ops.matmul(above, weights[direction]["above"])
            terms = terms if isinstance(bias, tuple) else terms + bias[direction]
            gates.append(self.input_to_state.enter_row(weights[direction]["input_to_state"], [], terms))
        return gates[RIGHT], gates[LEFT], moved_down

    def initial_memory(self, weights, batch):
        """Hidden and cell state of the rightward LSTM left of column 0."""
        return tuple(ops.broadcast_to(weights[RIGHT][state], (batch, self.units)) for state in ("h", "c"))

    def enter_pixel(self, weights, context, memory):
        gates, _, moved_down = context
        h, c = memory
        return gates + ops.matmul(h, weights[RIGHT]["beside"]), c, moved_down

    def step(self, weights, base, inputs, colour):
        gates, c, moved_down = base
        (gates,) = self.input_to_state.step(weights[RIGHT]["input_to_state"], gates, inputs, colour)
        _, widths = self.input_to_state.unit_groups()
        h, c = lstm_cell(gates, colour_slice(c, widths, colour))
        return h + colour_slice(moved_down, widths, colour), h, c

    def leave_pixel(self, weights, memory, inputs, outputs):
        _, h, c = (join(state) for state in zip(*outputs, strict=True))
        return (h, c), (join(inputs), h)

    def row(self, weights, context, x):
        gates, _, moved_down = context
        h = self._sweep(weights[RIGHT], gates, x)
        return h + moved_down, (x, h)

    def leave_row(self, weights, state, context, record):
        x, right = record
        left = self._sweep(weights[LEFT], context[1], x, reverse=True)
        return right, left, left

    def _sweep(self, weights, gates, x, reverse=False):
        """One direction along a row x (width, batch, c_in), terms from above in `gates`: h (width, batch, units)."""
        gates, _ = self.input_to_state.row(weights["input_to_state"], gates, x)
        _, widths = self.input_to_state.unit_groups()

        def pixel(state, gates):
            h, c = lstm_cell_by_colour(gates + ops.matmul(state[0], weights["beside"]), state[1], widths)
            return (h, c), h

        start = tuple(ops.broadcast_to(weights[state], (ops.shape(x)[1], self.units)) for state in ("h", "c"))
        return backend.scan(pixel, start, gates, reverse=reverse)[1]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def _skew(x, direction):
    """Move row r by r columns, after mirroring the map for the leftward direction, and bring the columns to the front.

    Args:
        x: tensor (batch, height, width, features).
        direction: RIGHT or LEFT.

    Returns:
        tensor (height + width - 1, height, batch, features), zeros where no column came to stand.
    """
    _, height, width, features = x.shape
    x = ops.transpose(x, (1, 2, 0, 3))
    x = ops.flip(x, axis=1) if direction == LEFT else x
    x = ops.pad(x, [[0, 0], [0, height], [0, 0], [0, 0]])
    x = ops.reshape(x, (height * (width + height), -1, features))[: height * (width + height - 1)]
    return ops.transpose(ops.reshape(x, (height, width + height - 1, -1, features)), (1, 0, 2, 3))


def _unskew(x, width, direction):
    """Undo `_skew`, but for the order of axes: (steps, height, batch, features) to (height, width, batch, features)."""
    steps, height, _, features = x.shape
    x = ops.reshape(ops.transpose(x, (1, 0, 2, 3)), (height * steps, -1, features))
    x = ops.reshape(ops.pad(x, [[0, height], [0, 0], [0, 0]]), (height, steps + 1, -1, features))[:, :width]
    return ops.flip(x, axis=1) if direction == LEFT else x
