"""The recurrence of both LSTM layers, with its gradient written by hand."""

import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.layers.colours import join


def lstm_scan(gates, kernel, initial_h, initial_c, offsets, learned_edge=False, started=None):
    """Run LSTMs over steps, each of which updates a line of positions from the line before.

    ```
    a(t, p) = gates(t, p) + sum over taps k of  h(t-1, p + offsets[k]) K_k
    o, f, i, g = sigmoid, sigmoid, sigmoid, tanh of a
    c(t, p) = f c(t-1, p) + i g,    h(t, p) = o tanh(c)
    ```

    The loop holds one matrix product for each direction and the gates. Its gradient is a second loop that yields the
    gradients of the gates alone; the kernel's is one matrix product after it.

    Args:
        gates: float tensor (steps, directions, positions, batch, 4 * units), input-to-state maps in the order o, f, i, g.
        kernel: float tensor (directions, taps * units, 4 * units), state-to-state weights.
        initial_h: float tensor (directions, units), the state before step 0 at every position.
        initial_c: float tensor (directions, units).
        offsets: tuple of ints, one per tap: which position of the line before it reads.
        learned_edge: whether a tap beyond either end of the line reads `initial_h`; otherwise 0.
        started: bool NumPy array (steps, positions) or None; a position that has not started keeps the initial state.

    Returns:
        h, float tensor (steps, directions, positions, batch, units).
    """
    directions = range(kernel.shape[0])
    units = initial_h.shape[-1]
    steps, _, positions, _, _ = gates.shape
    batch = ops.shape(gates)[3]
    if started is not None:
        started = np.broadcast_to(started[:, None, :, None, None], (steps, 1, positions, 1, 1))

    def initial(state):
        return ops.broadcast_to(state[:, None, None], (len(directions), positions, batch, units))

    def neighbours(h, initial_h, direction):
        """The taps of one direction side by side: h (..., positions, batch, units) to (..., taps * units)."""
        fill = initial_h[direction] if learned_edge else ops.zeros_like(initial_h[direction])
        return join([_shift(h, offset, fill) for offset in offsets])

    def state_to_state(h, kernel, initial_h):
        return ops.stack([ops.matmul(neighbours(h[d], initial_h, d), kernel[d]) for d in directions])

    def forward(gates, kernel, initial_h, initial_c):
        start_h, start_c = initial(initial_h), initial(initial_c)

        def step(state, x):
            h, c = state
            a = x["gates"] + state_to_state(h, kernel, initial_h)
            sigmoids, g = ops.sigmoid(a[..., : 3 * units]), ops.tanh(a[..., 3 * units :])
            o, f, i = ops.split(sigmoids, 3, axis=-1)
            c = f * c + i * g
            h = o * ops.tanh(c)
            if started is not None:
                h, c = ops.where(x["started"], h, start_h), ops.where(x["started"], c, start_c)
            return (h, c), {"h": h, "c": c, "activations": ops.concatenate([sigmoids, g], axis=-1)}

        _, ys = backend.scan(step, (start_h, start_c), {"gates": gates, **_if_started(started)})
        return ys

    def run(gates, kernel, initial_h, initial_c):
        ys = forward(gates, kernel, initial_h, initial_c)

        def gradient(d_h, *_, **__):
            return _gradient(d_h, ys, kernel, initial_h, initial_c)

        return ys["h"], gradient

    def _gradient(d_out, ys, kernel, initial_h, initial_c):
        previous = {
            name: ops.concatenate([initial(state)[None], ys[name][:-1]], axis=0)
            for name, state in (("h", initial_h), ("c", initial_c))
        }
        transposed = ops.transpose(kernel, (0, 2, 1))

        def step(state, x):
            d_h, d_c, d_initial_h, d_initial_c = state
            d_h = d_h + x["d_out"]
            o, f, i, g = ops.split(x["activations"], 4, axis=-1)
            if started is not None:
                waiting = ops.cast(ops.logical_not(x["started"]), d_h.dtype)
                d_initial_h = d_initial_h + ops.sum(d_h * waiting, axis=(1, 2))
                d_initial_c = d_initial_c + ops.sum(d_c * waiting, axis=(1, 2))
                d_h, d_c = d_h * (1 - waiting), d_c * (1 - waiting)
            tanh_c = ops.tanh(x["c"])
            d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
            d_a = ops.concatenate(
                [
                    d_h * tanh_c * o * (1 - o),
                    d_c * x["previous_c"] * f * (1 - f),
                    d_c * g * i * (1 - i),
                    d_c * i * (1 - g * g),
                ],
                axis=-1,
            )
            d_h = ops.stack([_unshift_all(ops.matmul(d_a[d], transposed[d]), offsets, units) for d in directions])
            return (d_h, d_c * f, d_initial_h, d_initial_c), d_a

        zeros = ops.zeros_like(ys["h"][0])
        inputs = {
            "d_out": d_out,
            "c": ys["c"],
            "previous_c": previous["c"],
            "activations": ys["activations"],
            **_if_started(started),
        }
        carry = (zeros, zeros, ops.zeros_like(initial_h), ops.zeros_like(initial_c))
        (d_h, d_c, d_initial_h, d_initial_c), d_gates = backend.scan(step, carry, inputs, reverse=True)
        d_initial_h = d_initial_h + ops.sum(d_h, axis=(1, 2))
        d_initial_c = d_initial_c + ops.sum(d_c, axis=(1, 2))
        d_kernel = []
        for d in directions:
            taps = ops.reshape(neighbours(previous["h"][:, d], initial_h, d), (-1, len(offsets) * units))
            d_kernel.append(ops.matmul(ops.transpose(taps), ops.reshape(d_gates[:, d], (-1, 4 * units))))
        if learned_edge:
            d_initial_h = d_initial_h + _edge_gradient(d_gates, transposed)
        return d_gates, ops.stack(d_kernel), d_initial_h, d_initial_c

    def _edge_gradient(d_gates, transposed):
        """What taps beyond the ends of the line send back to the initial state."""
        totals = []
        for d in directions:
            total = 0.0
            for tap, offset in enumerate(offsets):
                beyond = d_gates[:, d, :-offset] if offset < 0 else d_gates[:, d, positions - offset :]
                weights = transposed[d][:, tap * units : (tap + 1) * units]
                total = total + ops.matmul(ops.sum(beyond, axis=(0, 1, 2))[None], weights)[0]
            totals.append(total)
        return ops.stack(totals)

    return ops.custom_gradient(run)(gates, kernel, initial_h, initial_c)


def _if_started(started):
    return {} if started is None else {"started": started}


def _shift(h, offset, fill):
    """h at p + offset for every position p of (..., positions, batch, units); `fill` (units,) beyond the ends."""
    if offset == 0:
        return h
    edge = ops.broadcast_to(fill, (*h.shape[:-3], abs(offset), ops.shape(h)[-2], h.shape[-1]))
    parts = [edge, h[..., :offset, :, :]] if offset < 0 else [h[..., offset:, :, :], edge]
    return ops.concatenate(parts, axis=-3)


def _unshift_all(d_taps, offsets, units):
    """The transpose of the taps: gradients (positions, batch, taps * units) back to (positions, batch, units)."""
    total = 0.0
    for tap, offset in enumerate(offsets):
        d_tap = d_taps[..., tap * units : (tap + 1) * units]
        total = total + _shift(d_tap, -offset, ops.zeros_like(d_tap[0, 0]))
    return total
