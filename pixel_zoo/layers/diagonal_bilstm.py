"""The Diagonal BiLSTM."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.checks import check_groups, positive_integer
from pixel_zoo.layers.colours import by_colour, colour_slice, join
from pixel_zoo.layers.lstm import InputToState, lstm_cell, lstm_cell_by_colour
from pixel_zoo.layers.lstm_scan import Taps, lstm_scan
from pixel_zoo.layers.raster_layer import RasterLayer
from pixel_zoo.types import Shape, Structure, Tensor

RIGHT, LEFT = 0, 1
# The smallest step (rows x images of a group) and the largest number of groups that were measured to be faster.
POSITIONS_OF_A_STEP = 112
MOST_GROUPS = 8


@keras.saving.register_keras_serializable(package="pixel_zoo")
class DiagonalBiLSTM(RasterLayer):
    """Two LSTMs that sweep the image along its diagonals (van den Oord et al. 2016, section 3.2, figure 3).

    ```
    rightward: gates of (i, j) = K_above h(i-1, j) + K_beside h(i, j-1) + K_is x(i, j),  c from (i, j-1)
    leftward:  gates of (i, j) = K_above h(i-1, j) + K_beside h(i, j+1) + K_is x(i, j),  c from (i, j+1)
    output of (i, j) = rightward h(i, j) + leftward h(i-1, j)
    ```

    The leftward map is moved down one row, because otherwise it would see the pixels to the right. So each position of
    the output sees all positions of the input that come before it, and its own.

    In a model whose first layer has mask A, as in the paper, one pixel is hidden from most positions: the last pixel of
    the row above. Mask A keeps a pixel out of the features at its own position. The features that hold the last pixel
    of a row lie in the row below, in the columns from which the first layer reaches it: the last 4 columns for a 7x7
    kernel. Positions further to the left do not see those. The paper's network has the same gap.

    Neighbours outside the image have a learned initial state. The map is skewed: row r is moved r columns to the right,
    so that a diagonal becomes a column, and height + width - 1 steps compute all positions. Padding never enters a
    state.

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

    row_is_a_scan = True

    def __init__(self, units: int, colours: int = 1, **kwargs: Any) -> None:
        super().__init__(colours=colours, **kwargs)
        self.units = positive_integer("units", units)
        check_groups("units", units, colours)
        self.input_to_state = InputToState(
            units, lstms=2, kernel_size=1, colours=colours, dtype=self.dtype_policy, name="input_to_state"
        )

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.input_to_state.build(input_shape)
        # Axes: direction (rightward, leftward), tap (above, beside), unit, gate.
        self.recurrent_kernel = self.add_weight(
            shape=(2, 2, self.units, 4 * self.units), initializer="glorot_uniform", name="recurrent_kernel"
        )
        self.initial_h = self.add_weight(shape=(2, self.units), initializer="zeros", name="initial_h")
        self.initial_c = self.add_weight(shape=(2, self.units), initializer="zeros", name="initial_c")

    def compute_output_shape(self, x_shape: Shape, bias_shape: Shape | None = None) -> Shape:
        return (*x_shape[:-1], self.units)

    def call(self, x: Tensor, bias: Tensor | None = None, training: bool = False) -> Tensor:
        height, width = x.shape[1], x.shape[2]
        groups = _groups(x.shape[0], height, training)
        # The scan's positions are the rows of the skewed map, its steps the columns. Row r starts a sequence at step r,
        # and another with each image that follows.
        steps = groups * width + height - 1
        h = lstm_scan(  # type: ignore[call-arg, misc]
            _skew(x, groups),
            *self._weights_of_scan(x.dtype),
            Taps(states=(-1, 0), inputs=(0,), learned_edge=True),
            starts=(np.arange(steps)[:, None] - np.arange(height)) % width == 0,
            conditioning=None if bias is None else self._conditioning(x, bias, groups),
        )
        right, left = (_unskew(h[:, direction], width, groups, direction) for direction in (RIGHT, LEFT))
        moved_down = ops.pad(left[:-1], [[1, 0], *[[0, 0]] * 4])
        images = ops.transpose(right + moved_down, (1, 4, 0, 2, 3))
        return ops.reshape(images, (-1, height, width, self.units))[: ops.shape(x)[0]]

    def _weights_of_scan(self, dtype):
        """Kernel, bias and initial states of both directions, as `lstm_scan` takes them."""
        by_direction = (-1, 2, 4 * self.units)
        inputs = ops.transpose(ops.reshape(self.input_to_state.masked_kernel(), by_direction), (1, 2, 0))
        states = ops.transpose(ops.reshape(self.recurrent_kernel, (2, 2 * self.units, -1)), (0, 2, 1))
        bias = ops.reshape(self.input_to_state.bias, by_direction[1:])
        weights = (ops.concatenate([states, inputs], axis=-1), bias, self.initial_h, self.initial_c)
        return [ops.cast(weight, dtype) for weight in weights]

    def _conditioning(self, x, bias, groups):
        """The conditioning map (batch, height, width, 8 * units) as `lstm_scan` takes it, each direction its half."""
        bias = ops.broadcast_to(ops.cast(bias, x.dtype), (*ops.shape(x)[:3], 8 * self.units))
        halves = [self.input_to_state.of_lstm(bias, direction) for direction in (RIGHT, LEFT)]
        return ops.stack([_skew(half, groups)[:, n] for n, half in enumerate(halves)], axis=1)

    # Row by row: the terms from the row above once per row, for both directions; the rightward LSTM pixel by pixel; the
    # leftward LSTM from right to left when the row is finished.

    def prepare(self) -> Structure:
        unit_order, _ = self.input_to_state.unit_groups()
        gate_order, _ = by_colour(self.input_to_state.gate_colours())

        def sort(weight, *orders):
            for axis, order in enumerate(orders, start=weight.ndim - len(orders)):
                weight = backend.take(weight, order, axis=axis)
            return ops.cast(weight, self.compute_dtype)

        kernels = ops.unstack(sort(self.recurrent_kernel, unit_order, gate_order))
        above, beside = zip(*(ops.unstack(kernel) for kernel in kernels), strict=True)
        h, c = (ops.unstack(sort(state, unit_order)) for state in (self.initial_h, self.initial_c))
        inputs = [self.input_to_state.prepare(direction) for direction in (RIGHT, LEFT)]
        # A step takes the state to the left and the input in one product.
        states = backend.split(beside[RIGHT], [matrix.shape[1] for matrix in inputs[RIGHT]["steps"]])
        inputs[RIGHT]["steps"] = [ops.concatenate(pair) for pair in zip(states, inputs[RIGHT]["steps"], strict=True)]
        return [
            {
                "input_to_state": inputs[direction],
                "above": above[direction],
                "beside": beside[direction],
                "h": h[direction],
                "c": c[direction],
            }
            for direction in (RIGHT, LEFT)
        ]

    def prepare_bias(self, bias: Tensor) -> Structure:
        return self.input_to_state.prepare_bias(bias)

    def initial_state(self, weights: Structure, batch: int | Tensor, width: int) -> Structure:
        """The row above of each direction, and the leftward row that is added to the output: none at row 0."""
        shape = (width, batch, self.units)
        right, left = (ops.broadcast_to(weights[direction]["h"], shape) for direction in (RIGHT, LEFT))
        return right, left, ops.zeros_like(left)

    def enter_row(self, weights: Structure, state: Structure, bias: Tensor | None = None) -> Structure:
        right, left, moved_down = state
        gates = []
        for direction, above in ((RIGHT, right), (LEFT, left)):
            terms = ops.matmul(above, weights[direction]["above"])
            terms = terms if bias is None else terms + bias[direction]
            gates += self.input_to_state.enter_row(weights[direction]["input_to_state"], [], terms)
        return gates[RIGHT], gates[LEFT], moved_down

    def initial_memory(self, weights: Structure, batch: int | Tensor) -> Structure:
        """Hidden and cell state of the rightward LSTM left of column 0."""
        return tuple(ops.broadcast_to(weights[RIGHT][state], (batch, self.units)) for state in ("h", "c"))

    def enter_pixel(self, weights: Structure, context: Structure, memory: Structure) -> Structure:
        gates, _, moved_down = context
        h, c = memory
        return self.input_to_state.enter_pixel(weights[RIGHT]["input_to_state"], [gates], [h]), c, moved_down

    def step(self, weights: Structure, base: Structure, inputs: Sequence[Tensor], colour: int) -> tuple[Tensor, ...]:
        gates, c, moved_down = base
        (gates,) = self.input_to_state.step(weights[RIGHT]["input_to_state"], gates, inputs, colour)
        widths = self._widths()
        h, c = lstm_cell(gates, colour_slice(c, widths, colour))
        return h + colour_slice(moved_down, widths, colour), h, c

    def leave_pixel(
        self, weights: Structure, memory: Structure, inputs: Sequence[Tensor], outputs: Sequence[tuple[Tensor, ...]]
    ) -> tuple[Structure, Structure]:
        _, h, c = (join(state) for state in zip(*outputs, strict=True))
        return (h, c), (join(inputs), h)

    def row(self, weights: Structure, context: Structure, x: Tensor) -> tuple[Tensor, Structure]:
        gates, _, moved_down = context
        (h,) = _sweep([self._gates(weights[RIGHT], gates, x)], [weights[RIGHT]], self._widths())
        return h + moved_down, (x, h)

    def leave_row(self, weights: Structure, state: Structure, context: Structure, record: Structure) -> Structure:
        x, right = record
        (left,) = _sweep([self._gates(weights[LEFT], context[1], x)], [weights[LEFT]], self._widths(), reverse=True)
        return right, left, left

    @classmethod
    def leave_rows(
        cls,
        layers: Sequence[Self],
        weights: Sequence[Structure],
        states: Sequence[Structure],
        contexts: Sequence[Structure],
        records: Sequence[Structure],
    ) -> list[Structure]:
        """The leftward LSTMs of equal size run side by side, since their inputs are all known.

        Without XLA, a loop costs more than its arithmetic. With XLA, one product of stacked matrices takes longer than
        separate loops.
        """
        if backend.compiles_with_xla() or cls.leave_row is not DiagonalBiLSTM.leave_row:  # a subclass may have its own
            return super().leave_rows(layers, weights, states, contexts, records)
        gates = [
            layer._gates(w[LEFT], context[1], x)
            for layer, w, context, (x, _) in zip(layers, weights, contexts, records, strict=True)
        ]
        kinds = [(layer.compute_dtype, tuple(layer._widths())) for layer in layers]
        left: list[Any] = [None] * len(layers)
        for kind in dict.fromkeys(kinds):
            alike = [index for index, other in enumerate(kinds) if other == kind]
            swept = _sweep([gates[i] for i in alike], [weights[i][LEFT] for i in alike], kind[1], reverse=True)
            for index, h in zip(alike, swept, strict=True):
                left[index] = h
        return [(right, h, h) for (_, right), h in zip(records, left, strict=True)]

    def _widths(self):
        """How many units there are of each colour."""
        return self.input_to_state.unit_groups()[1]

    def _gates(self, weights, above, x):
        """Gates (width, batch, 4 * units) of one direction, without the state beside: a row x and the terms above."""
        return self.input_to_state.row(weights["input_to_state"], [above], x)[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def _sweep(gates, weights, widths, reverse=False):
    """LSTMs of equal size side by side along a row.

    Args:
        gates: list of tensors (width, batch, 4 * units), one for each LSTM, from `DiagonalBiLSTM._gates`.
        weights: list of their weights, from `DiagonalBiLSTM.prepare`.
        widths: ints, units per colour.
        reverse: whether to run from right to left.

    Returns:
        List of their hidden states (width, batch, units).
    """
    beside, h, c = (ops.stack([w[name] for w in weights]) for name in ("beside", "h", "c"))

    def pixel(state, gates):
        h, c = lstm_cell_by_colour(gates + ops.matmul(state[0], beside), state[1], widths)
        return (h, c), h

    shape = (len(weights), ops.shape(gates[0])[1], h.shape[-1])
    start = tuple(ops.broadcast_to(state[:, None], shape) for state in (h, c))
    return ops.unstack(backend.scan(pixel, start, ops.stack(gates, axis=1), reverse=reverse)[1], axis=1)


def _groups(batch, height, training):
    """The number of groups to split a batch into: see `_skew`.

    More groups waste less on padding but need more and smaller steps. On a CPU that is faster as long as a step has
    about a hundred positions; on an accelerator it is slower.
    """
    if backend.on_accelerator():
        return 1
    if batch is None:  # traced for batches of any size: those of training are large, those of a server small
        batch = 32 if training else 8
    most = min(MOST_GROUPS, batch, batch * height // POSITIONS_OF_A_STEP)
    return max(groups for groups in range(1, max(1, most) + 1) if batch % groups == 0)


def _skew(x, groups):
    """Move row r by r columns, for both directions, and make the columns the first axis.

    Half of a skewed map is padding. Images placed side by side, one of each of `groups` groups, share it: the first row
    of an image starts while the last rows of the image before it are not finished.

    Args:
        x: tensor (batch, height, width, features).
        groups: int, into how many groups of images to split the batch.

    Returns:
        tensor (groups * width + height - 1, 2 directions, features, height, images of a group): rightward, and
        leftward with the map mirrored. Positions without a column are zero.
    """
    _, height, width, features = x.shape
    x = ops.reshape(_whole_groups(x, groups), (groups, -1, height, width, features))
    x = ops.reshape(ops.transpose(x, (2, 0, 3, 4, 1)), (height, groups * width, features, -1))
    steps = groups * width + height - 1
    x = ops.stack([x, ops.flip(x, axis=1)])
    x = ops.reshape(ops.pad(x, [[0, 0], [0, 0], [0, height], [0, 0], [0, 0]]), (2, height * (steps + 1), features, -1))
    x = ops.reshape(x[:, : height * steps], (2, height, steps, features, -1))
    return ops.transpose(x, (2, 0, 3, 1, 4))


def _whole_groups(x, groups):
    """Images (batch, ...) followed by blank ones, so that all groups have the same size."""
    missing = -ops.shape(x)[0] % groups
    return x if groups == 1 else ops.concatenate([x, ops.zeros((missing, *x.shape[1:]), x.dtype)])


def _unskew(x, width, groups, direction):
    """Undo `_skew` for one direction, but for the order of axes.

    Args:
        x: tensor (groups * width + height - 1, features, height, images of a group).
        width: int, of an image.
        groups: int.
        direction: RIGHT or LEFT.

    Returns:
        tensor (height, groups, width, features, images of a group).
    """
    steps, features, height, _ = x.shape
    x = ops.reshape(ops.transpose(x, (2, 0, 1, 3)), (height * steps, features, -1))
    x = ops.reshape(ops.pad(x, [[0, height], [0, 0], [0, 0]]), (height, steps + 1, features, -1))[:, : groups * width]
    x = ops.flip(x, axis=1) if direction == LEFT else x
    return ops.reshape(x, (height, groups, width, features, -1))
