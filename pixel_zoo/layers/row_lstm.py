"""The Row LSTM."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from pixel_zoo import backend
from pixel_zoo.checks import check_groups, odd_integer, positive_integer
from pixel_zoo.layers.colours import by_colour, colour_slice, join
from pixel_zoo.layers.lstm import InputToState, lstm_cell, lstm_cell_by_colour
from pixel_zoo.layers.lstm_scan import Taps, lstm_scan
from pixel_zoo.layers.raster_layer import RasterLayer
from pixel_zoo.types import Shape, Structure, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class RowLSTM(RasterLayer):
    """LSTM that runs down the image and computes a whole row at a time (van den Oord et al. 2016, section 3.1).

    ```
    gates of row r = K_ss * h of row r-1  +  K_is * x of row r
    c = f c of row r-1 + i g,   h = o tanh(c)
    ```

    The input-to-state convolution K_is is 1 x `kernel_size` with mask B. The state-to-state convolution K_ss has the
    same width and no mask. So a pixel sees a triangle above it. Above row 0 there is a learned initial state; to the
    left and right of the image there are zeros.

    Args:
        units: int, number of features h of the state and of the output.
        kernel_size: odd int, width of both convolutions.
        colours: int, number of colour channels of the image; unit k belongs to colour k % colours.

    Input: float tensor (batch, height, width, c_in) of static height and width; `bias`: (batch, height, width,
    4 * units). Output: float tensor (batch, height, width, units).

    Raises:
        ValueError: for an even kernel size or numbers below 1.

    Example:
    >>> import numpy as np
    >>> RowLSTM(16)(np.zeros((2, 8, 8, 32), "float32")).shape[1:] == (8, 8, 16)
    True
    """

    def __init__(self, units: int, kernel_size: int = 3, colours: int = 1, **kwargs: Any) -> None:
        super().__init__(colours=colours, **kwargs)
        self.units = positive_integer("units", units)
        check_groups("units", units, colours)
        self.kernel_size = odd_integer("kernel_size", kernel_size)
        self.input_to_state = InputToState(
            units, kernel_size=(1, kernel_size), colours=colours, dtype=self.dtype_policy, name="input_to_state"
        )

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.input_to_state.build(input_shape)
        self.recurrent_kernel = self.add_weight(
            shape=(self.kernel_size, self.units, 4 * self.units), initializer="glorot_uniform", name="recurrent_kernel"
        )
        self.initial_h = self.add_weight(shape=(self.units,), initializer="zeros", name="initial_h")
        self.initial_c = self.add_weight(shape=(self.units,), initializer="zeros", name="initial_c")

    def compute_output_shape(self, x_shape: Shape, bias_shape: Shape | None = None) -> Shape:
        return (*x_shape[:-1], self.units)

    def call(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        side = self.kernel_size // 2
        # The scan's positions are the columns of a row, its steps the rows.
        h = lstm_scan(  # type: ignore[call-arg, misc]
            _to_steps(x),
            *self._weights_of_scan(x.dtype),
            Taps(states=tuple(range(-side, side + 1)), inputs=tuple(range(-side, 1))),
            conditioning=None if bias is None else self._conditioning(x, bias),
        )
        return ops.transpose(h[:, 0], (3, 0, 2, 1))

    def _weights_of_scan(self, dtype):
        """Kernel, bias and initial states as `lstm_scan` takes them, without the taps that the mask hides."""
        inputs = self.input_to_state.masked_kernel()[0, : self.kernel_size // 2 + 1]
        rows = [ops.reshape(kernel, (-1, 4 * self.units)) for kernel in (self.recurrent_kernel, inputs)]
        weights = (
            ops.transpose(ops.concatenate(rows)),
            self.input_to_state.bias,
            self.initial_h,
            self.initial_c,
        )
        return [ops.cast(weight, dtype)[None] for weight in weights]

    def _conditioning(self, x, bias):
        return _to_steps(ops.broadcast_to(ops.cast(bias, x.dtype), (*ops.shape(x)[:3], 4 * self.units)))

    def _recurrent_weights(self, unit_order, gate_order):
        """State-to-state kernel and initial state in the compute dtype, units and gates in the orders given."""
        kernel = backend.take(backend.take(self.recurrent_kernel, unit_order, axis=1), gate_order, axis=2)
        weights = {
            "state_to_state": ops.reshape(kernel, (-1, 4 * self.units)),
            "h": backend.take(self.initial_h, unit_order, axis=0),
            "c": backend.take(self.initial_c, unit_order, axis=0),
        }
        return {name: ops.cast(value, self.compute_dtype) for name, value in weights.items()}

    def _state_to_state(self, weights, h):
        """K_ss * h for a row h (width, batch, units), as one matrix product of all taps."""
        side, width = self.kernel_size // 2, h.shape[0]
        padded = ops.pad(h, [[side, side], [0, 0], [0, 0]])
        taps = [h if tap == side else padded[tap : tap + width] for tap in range(self.kernel_size)]
        return ops.matmul(join(taps), weights["state_to_state"])

    # Row by row: the state-to-state term once per row, then the input-to-state map and the cell for each pixel.

    def prepare(self) -> Structure:
        unit_order, _ = self.input_to_state.unit_groups()
        gate_order, _ = by_colour(self.input_to_state.gate_colours())
        weights = self._recurrent_weights(unit_order, gate_order)
        return {**weights, "input_to_state": self.input_to_state.prepare()}

    def prepare_bias(self, bias: Tensor) -> Structure:
        return self.input_to_state.prepare_bias(bias)[0]

    def initial_state(self, weights: Structure, batch: int | Tensor, width: int) -> Structure:
        shape = (width, batch, self.units)
        return ops.broadcast_to(weights["h"], shape), ops.broadcast_to(weights["c"], shape)

    @property
    def reach(self) -> tuple[int, int]:
        return 1, self.kernel_size // 2

    def initial_record(self, weights: Structure, batch: int | Tensor) -> Structure:
        return tuple(ops.broadcast_to(weights[state], (batch, self.units)) for state in ("h", "c"))

    def enter_row(self, weights: Structure, state: Structure, bias: Tensor | None = None) -> Structure:
        h, c = state
        return self._gates(weights, self._state_to_state(weights, h), bias), c

    def enter_window(self, weights: Structure, state: Structure, bias: Tensor | None = None) -> Structure:
        h, c = state
        state_to_state = ops.matmul(join(ops.unstack(h)), weights["state_to_state"])
        return self._gates(weights, state_to_state, bias), c[self.kernel_size // 2]

    def _gates(self, weights, state_to_state, bias):
        """What the row above and the conditioning map add to the gates."""
        gates = state_to_state if bias is None else state_to_state + bias
        return self.input_to_state.enter_row(weights["input_to_state"], [], gates)

    def initial_memory(self, weights: Structure, batch: int | Tensor) -> Structure:
        return self.input_to_state.initial_memory(weights["input_to_state"], batch)

    def enter_pixel(self, weights: Structure, context: Structure, memory: Structure) -> Structure:
        gates, c = context
        return self.input_to_state.enter_pixel(weights["input_to_state"], gates, memory), c

    def step(self, weights: Structure, base: Structure, inputs: Sequence[Tensor], colour: int) -> tuple[Tensor, ...]:
        gates, c = base
        (gates,) = self.input_to_state.step(weights["input_to_state"], gates, inputs, colour)
        return lstm_cell(gates, colour_slice(c, self.input_to_state.unit_groups()[1], colour))

    def leave_pixel(
        self, weights: Structure, memory: Structure, inputs: Sequence[Tensor], outputs: Sequence[tuple[Tensor, ...]]
    ) -> tuple[Structure, Structure]:
        memory, _ = self.input_to_state.leave_pixel(weights["input_to_state"], memory, inputs, ())
        return memory, tuple(join(state) for state in zip(*outputs, strict=True))

    def row(self, weights: Structure, context: Structure, x: Tensor) -> tuple[Tensor, Structure]:
        gates, c = context
        gates, _ = self.input_to_state.row(weights["input_to_state"], gates, x)
        h, c = lstm_cell_by_colour(gates, c, self.input_to_state.unit_groups()[1])
        return h, (h, c)

    def leave_row(self, weights: Structure, state: Structure, context: Structure, record: Structure) -> Structure:
        return record

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "kernel_size": self.kernel_size}


def _to_steps(x):
    """A map (batch, height, width, features) as `lstm_scan` takes it: (height, 1, features, width, batch)."""
    return ops.transpose(x, (1, 3, 2, 0))[:, None]
