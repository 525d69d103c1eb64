"""The recurrence of both LSTM layers, with its gradient written by hand."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend


class Taps(NamedTuple):
    """What a position reads: other positions of the line before (states), and of its own line (inputs).

    Attributes:
        states: tuple of ints, one per tap of the state-to-state kernel: the position it reads, relative to its own.
        inputs: tuple of ints, the same for the input-to-state kernel.
        learned_edge: whether a state tap beyond either end of the line reads the initial state, instead of zeros.
    """

    states: tuple
    inputs: tuple
    learned_edge: bool = False


def lstm_scan(x, kernel, bias, initial_h, initial_c, taps, starts=None, conditioning=None):
    """Run LSTMs over steps, each of which updates a line of positions from the line before.

    ```
    a(t, p) = K [h(t-1, p + s) for s in taps.states, x(t, p + s) for s in taps.inputs] + bias + conditioning(t, p)
    o, f, i, g = sigmoid, sigmoid, sigmoid, tanh of a
    c(t, p) = f c(t-1, p) + i g,    h(t, p) = o tanh(c)
    ```

    Several LSTMs of the same shape run together. What a step reads is arranged as the columns of one matrix, so that a
    step is one matrix product for each LSTM. Features come before positions, so that gates are contiguous. The gradient
    is a second loop that accumulates the gradients of the weights. Of the gates, only the activations that the gradient
    needs are stored.

    Args:
        x: float tensor (steps, lstms, features, positions, batch).
        kernel: float tensor (lstms, 4 * units, states * units + inputs * features), taps in their order.
        bias: float tensor (lstms, 4 * units).
        initial_h: float tensor (lstms, units), the state before step 0 at every position.
        initial_c: float tensor (lstms, units).
        taps: `Taps`.
        starts: bool NumPy array (steps, positions) or None. A sequence begins where it is True: the cell and the state
            tap of offset 0 read the initial state there.
        conditioning: float tensor (steps, lstms, 4 * units, positions, batch) added to the gates, or None.

    Returns:
        h, float tensor (steps, lstms, units, positions, batch).
    """
    scan = _LSTMScan(x, kernel, taps, starts)

    def run(x, kernel, bias, initial_h, initial_c, *conditioning):
        saved = scan.forward(x, kernel, bias, initial_h, initial_c, *conditioning)

        def backward(*d_h, **_):
            # TensorFlow passes the gradient of the output as it is, JAX in a structure like the output's.
            (d_h,) = keras.tree.flatten(d_h)
            return scan.gradient(d_h, saved, x, kernel, initial_h, initial_c, conditioned=bool(conditioning))

        return saved["h"], backward

    optional = () if conditioning is None else (conditioning,)
    return ops.custom_gradient(run)(x, kernel, bias, initial_h, initial_c, *optional)


class _LSTMScan:
    """`lstm_scan` for inputs of given shapes: both loops, and what a step reads in both of them."""

    def __init__(self, x, kernel, taps, starts):
        self.steps, self.lstms, self.features, self.positions = x.shape[:4]
        self.batch = ops.shape(x)[4]
        self.units = kernel.shape[1] // 4
        self.taps = taps
        self.dtype = keras.backend.standardize_dtype(x.dtype)
        # In mixed precision gates, cells and sums stay in float32; what is multiplied by a kernel does not.
        self.wide = "float32" if self.dtype in ("bfloat16", "float16") else self.dtype
        self.starts = {} if starts is None else {"starts": starts[:, None, None, :, None]}

    def forward(self, x, kernel, bias, initial_h, initial_c, *conditioning):
        """Run all steps: dictionary of h, c, sigmoids and g, each (steps, lstms, features, positions, batch)."""
        start_h, start_c = self._line(initial_h), ops.cast(self._line(initial_c), self.wide)
        bias = ops.cast(bias, self.wide)[:, :, None, None]

        def step(carry, x):
            h, c, operand = carry
            operand = self._fill(operand, _where_started(x, start_h, h), h, x["x"])
            a = self._product(kernel, operand) + bias
            for map_ in x["conditioning"]:  # one or none
                a = a + ops.cast(map_, self.wide)
            sigmoids, g = ops.sigmoid(a[:, : 3 * self.units]), ops.tanh(a[:, 3 * self.units :])
            o, f, i = ops.split(sigmoids, 3, axis=1)
            c = f * _where_started(x, start_c, c) + i * g
            h = ops.cast(o * ops.tanh(c), self.dtype)
            return (h, c, operand), {"h": h, "c": c, "sigmoids": sigmoids, "g": g}

        xs = {"x": x, "conditioning": conditioning, **self.starts}
        return backend.scan(step, (start_h, start_c, self._empty_operand(initial_h)), xs)[1]

    def gradient(self, d_out, saved, x, kernel, initial_h, initial_c, conditioned):
        """Run all steps backwards: the gradients of what `forward` takes, in its order."""
        start_h, start_c = self._line(initial_h), ops.cast(self._line(initial_c), self.wide)
        transposed = ops.transpose(kernel, (0, 2, 1))

        def step(carry, x):
            d_h, d_c, d_a, operand, d = carry
            first, before = ops.equal(x["t"], 0), ops.maximum(x["t"] - 1, 0)
            h, c = ops.where(first, start_h, saved["h"][before]), ops.where(first, start_c, saved["c"][before])
            d_h = d_h + x["d_out"]
            d_c, parts = _gate_gradients(d_h, d_c, x, _where_started(x, start_c, c))
            for gate, part in enumerate(parts):
                d_a = backend.slice_update(d_a, (0, gate * self.units, 0, 0), ops.cast(part, self.dtype))
            operand = self._fill(operand, _where_started(x, start_h, h), h, x["x"])
            columns = ops.transpose(self._columns(operand), (0, 2, 1))
            d_kernel = backend.matmul(self._columns(d_a), columns, self.wide)
            d_h, d_initial_h, d_x = self._unfill(self._product(transposed, d_a), x)
            d_c, d_initial_c = _split_started(x, d_c)
            d_bias = ops.sum(ops.cast(d_a, self.wide), axis=(2, 3))
            sums = (d_kernel, d_bias, d_initial_h, d_initial_c)
            d = [total + part for total, part in zip(d, sums, strict=True)]
            d_x = ops.cast(d_x, self.dtype)
            return (d_h, d_c, d_a, operand, d), (d_x, d_a) if conditioned else (d_x,)

        zeros = ops.zeros_like(start_c)
        no_gates = ops.cast(ops.tile(zeros, (1, 4, 1, 1)), self.dtype)
        d = [ops.zeros(weight.shape, self.wide) for weight in (kernel, kernel[:, :, 0], initial_h, initial_c)]
        carry = (zeros, zeros, no_gates, self._empty_operand(initial_h), d)
        xs = {"t": np.arange(self.steps, dtype="int32"), "x": x, "d_out": d_out, **saved, **self.starts}
        (d_h, d_c, _, _, d), (d_x, *d_conditioning) = backend.scan(step, carry, xs, reverse=True)
        d_kernel, d_bias, d_initial_h, d_initial_c = d
        d_initial_h = d_initial_h + ops.sum(d_h, axis=(2, 3))
        d_initial_c = d_initial_c + ops.sum(d_c, axis=(2, 3))
        d_weights = (d_kernel, d_bias, d_initial_h, d_initial_c)
        return d_x, *(ops.cast(d, self.dtype) for d in d_weights), *d_conditioning

    def _line(self, state):
        """A state (lstms, units) at every position."""
        return ops.broadcast_to(state[:, :, None, None], (self.lstms, self.units, self.positions, self.batch))

    def _columns(self, x):
        """Positions and batch as the columns of one matrix for each LSTM."""
        return ops.reshape(x, (self.lstms, x.shape[1], -1))

    def _product(self, kernel, x):
        """kernel (lstms, m, n) times features x (lstms, n, positions, batch), in the wide dtype."""
        product = backend.matmul(kernel, self._columns(x), self.wide)
        return ops.reshape(product, (self.lstms, kernel.shape[1], self.positions, -1))

    # A step reads the states of all taps, then the inputs of all taps.

    def _empty_operand(self, initial_h):
        """An operand that holds only what no step changes: the values beyond the ends of the line."""
        edge = initial_h if self.taps.learned_edge else ops.zeros_like(initial_h)
        rows = [edge] * len(self.taps.states)
        rows.append(ops.zeros((self.lstms, len(self.taps.inputs) * self.features), edge.dtype))
        rows = ops.concatenate(rows, axis=1)
        return ops.broadcast_to(rows[:, :, None, None], (*rows.shape, self.positions, self.batch))

    def _fill(self, operand, h_beside, h, x):
        """Write what a step reads. Updating slices in place costs less than a concatenation."""
        for row, tap in self._state_rows():
            readers, read = self._inside(tap)
            source = h if tap else h_beside
            operand = backend.slice_update(operand, (0, row, readers.start, 0), source[:, :, read])
        for row, tap in self._input_rows():
            readers, read = self._inside(tap)
            operand = backend.slice_update(operand, (0, row, readers.start, 0), x[:, :, read])
        return operand

    def _unfill(self, d_operand, x):
        """The transpose of `_fill` and `_empty_operand`: gradients of h, of the initial h, and of x."""
        d_h, d_initial_h, d_x = 0.0, 0.0, 0.0
        for row, tap in self._state_rows():
            d = d_operand[:, row : row + self.units]
            if tap == 0:
                d, d_started = _split_started(x, d)
                d_initial_h = d_initial_h + d_started
            elif self.taps.learned_edge:
                readers, _ = self._inside(tap)
                beyond = d[:, :, : readers.start] if tap < 0 else d[:, :, readers.stop :]
                d_initial_h = d_initial_h + ops.sum(beyond, axis=(2, 3))
            d_h = d_h + self._shift_back(d, tap)
        for row, tap in self._input_rows():
            d_x = d_x + self._shift_back(d_operand[:, row : row + self.features], tap)
        return d_h, d_initial_h, d_x

    def _state_rows(self):
        """The first row of each state tap, and its offset."""
        return [(n * self.units, tap) for n, tap in enumerate(self.taps.states)]

    def _input_rows(self):
        """The first row of each input tap, and its offset."""
        above = len(self.taps.states) * self.units
        return [(above + n * self.features, tap) for n, tap in enumerate(self.taps.inputs)]

    def _inside(self, tap):
        """The positions whose tap reads inside the line, and those that it reads: two slices."""
        reach = min(abs(tap), self.positions)
        early, late = slice(0, self.positions - reach), slice(reach, self.positions)
        return (early, late) if tap > 0 else (late, early)

    def _shift_back(self, d, tap):
        if tap == 0:
            return d
        readers, read = self._inside(tap)
        return ops.pad(d[:, :, readers], [[0, 0], [0, 0], [read.start, self.positions - read.stop], [0, 0]])


def _where_started(x, initial, state):
    """The state, or the initial one at positions where a sequence starts."""
    return ops.where(x["starts"], initial, state) if "starts" in x else state


def _split_started(x, d):
    """The transpose of `_where_started`: gradients (lstms, units, positions, batch) of the state and (lstms, units)."""
    if "starts" not in x:
        return d, 0.0
    zero = ops.zeros_like(d)
    return ops.where(x["starts"], zero, d), ops.sum(ops.where(x["starts"], d, zero), axis=(2, 3))


def _gate_gradients(d_h, d_c, x, c_before):
    """Back through one update of the cell: (gradient of the cell before, gradients of o, f, i, g before activation)."""
    o, f, i = ops.split(x["sigmoids"], 3, axis=1)
    g, tanh_c = x["g"], ops.tanh(x["c"])
    d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
    d_o = d_h * tanh_c * o * (1 - o)
    d_f = d_c * c_before * f * (1 - f)
    return d_c * f, (d_o, d_f, d_c * g * i * (1 - i), d_c * i * (1 - g * g))
