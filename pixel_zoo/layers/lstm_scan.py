"""The recurrence of both LSTM layers, with its gradient written by hand."""

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.layers.colours import join


def lstm_scan(gates, kernels, initial_h, initial_c, offsets, learned_edge=False, started=None):
    """Run LSTMs over steps, each of which updates a line of positions from the line before.

    ```
    a(t, p) = gates(t, p) + sum over taps k of  h(t-1, p + offsets[k]) K_k
    o, f, i, g = sigmoid, sigmoid, sigmoid, tanh of a
    c(t, p) = f c(t-1, p) + i g,    h(t, p) = o tanh(c)
    ```

    Several LSTMs of one shape run side by side in one loop. It holds one matrix product for each and the gates. Its
    gradient is a second loop that yields the gradients of the gates alone; a kernel's is one matrix product after it.

    Args:
        gates: list, one float tensor (steps, positions, batch, 4 * units) per LSTM: its input-to-state map.
        kernels: list of float tensors (taps * units, 4 * units), state-to-state weights.
        initial_h: list of float tensors (units,), the state before step 0 at every position.
        initial_c: list of float tensors (units,).
        offsets: tuple of ints, one per tap: which position of the line before it reads.
        learned_edge: whether a tap beyond either end of the line reads `initial_h`; otherwise 0.
        started: bool NumPy array (steps, positions) or None; a position that has not started keeps the initial state.

    Returns:
        list of h, float tensors (steps, positions, batch, units).
    """
    lstms = range(len(gates))
    steps, positions, _, _ = gates[0].shape
    units, batch = kernels[0].shape[1] // 4, ops.shape(gates[0])[2]
    mask = {}
    if started is not None:
        mask["started"] = np.broadcast_to(started[:, :, None, None], (steps, positions, 1, 1))

    def line(state):
        return ops.broadcast_to(state, (positions, batch, units))

    def neighbours(h, initial_h):
        """The taps side by side: h (..., positions, batch, units) to (..., taps * units)."""
        fill = initial_h if learned_edge else ops.zeros_like(initial_h)
        return join([_shift(h, offset, fill) for offset in offsets])

    def forward(gates, kernels, initial_h, initial_c):
        start = [(line(h), line(c)) for h, c in zip(initial_h, initial_c, strict=True)]

        def step(states, x):
            new, ys = [], []
            for n in lstms:
                h, c = states[n]
                a = x["gates"][n] + ops.matmul(neighbours(h, initial_h[n]), kernels[n])
                sigmoids, g = ops.sigmoid(a[..., : 3 * units]), ops.tanh(a[..., 3 * units :])
                o, f, i = ops.split(sigmoids, 3, axis=-1)
                c = f * c + i * g
                h = o * ops.tanh(c)
                if mask:
                    h, c = ops.where(x["started"], h, start[n][0]), ops.where(x["started"], c, start[n][1])
                new.append((h, c))
                ys.append({"h": h, "c": c, "activations": join([sigmoids, g])})
            return new, ys

        return backend.scan(step, start, {"gates": list(gates), **mask})[1]

    def gradient(d_out, ys, kernels, initial_h, initial_c):
        transposed = [ops.transpose(kernel) for kernel in kernels]

        def step(states, x):
            new, d_gates = [], []
            for n in lstms:
                state, d_a = _step_gradient(states[n], x["lstms"][n], x.get("started"))
                d_h = _unshift_all(ops.matmul(d_a, transposed[n]), offsets, units)
                new.append((d_h, *state))
                d_gates.append(d_a)
            return new, d_gates

        previous_h = [ops.concatenate([line(h)[None], y["h"][:-1]]) for h, y in zip(initial_h, ys, strict=True)]
        previous_c = [ops.concatenate([line(c)[None], y["c"][:-1]]) for c, y in zip(initial_c, ys, strict=True)]
        inputs = [
            {"d_out": d, "c": y["c"], "previous_c": c, "activations": y["activations"]}
            for d, y, c in zip(d_out, ys, previous_c, strict=True)
        ]
        zeros, none = ops.zeros_like(ys[0]["h"][0]), ops.zeros_like(initial_h[0])
        states, d_gates = backend.scan(
            step, [(zeros, zeros, none, none) for _ in lstms], {"lstms": inputs, **mask}, reverse=True
        )
        d_kernels, d_initial_h, d_initial_c = [], [], []
        for n in lstms:
            taps = ops.reshape(neighbours(previous_h[n], initial_h[n]), (-1, len(offsets) * units))
            d_kernels.append(ops.matmul(ops.transpose(taps), ops.reshape(d_gates[n], (-1, 4 * units))))
            d_h, d_c, waiting_h, waiting_c = states[n]
            edge = _edge_gradient(d_gates[n], transposed[n], offsets, units) if learned_edge else 0.0
            d_initial_h.append(ops.sum(d_h, axis=(0, 1)) + waiting_h + edge)
            d_initial_c.append(ops.sum(d_c, axis=(0, 1)) + waiting_c)
        return [*d_gates, *d_kernels, *d_initial_h, *d_initial_c]

    def run(*args):
        size = len(lstms)
        gates, kernels, initial_h, initial_c = (args[part * size : (part + 1) * size] for part in range(4))
        ys = forward(gates, kernels, initial_h, initial_c)

        def backward(*d_out, **_):
            # TensorFlow passes the outputs' gradients one by one, JAX in the outputs' own structure.
            return tuple(gradient(keras.tree.flatten(d_out), ys, kernels, initial_h, initial_c))

        return [y["h"] for y in ys], backward

    return ops.custom_gradient(run)(*gates, *kernels, *initial_h, *initial_c)


def _step_gradient(state, x, started):
    """One step back in one LSTM, up to the gates: ((d_c, d_initial_h, d_initial_c), gradient of the gates)."""
    d_h, d_c, d_initial_h, d_initial_c = state
    d_h = d_h + x["d_out"]
    o, f, i, g = ops.split(x["activations"], 4, axis=-1)
    if started is not None:
        # A position that had not started was the initial state, whatever its gates.
        waiting = ops.cast(ops.logical_not(started), d_h.dtype)
        d_initial_h = d_initial_h + ops.sum(d_h * waiting, axis=(0, 1))
        d_initial_c = d_initial_c + ops.sum(d_c * waiting, axis=(0, 1))
        d_h, d_c = d_h * (1 - waiting), d_c * (1 - waiting)
    tanh_c = ops.tanh(x["c"])
    d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
    d_a = [
        d_h * tanh_c * o * (1 - o),
        d_c * x["previous_c"] * f * (1 - f),
        d_c * g * i * (1 - i),
        d_c * i * (1 - g * g),
    ]
    return (d_c * f, d_initial_h, d_initial_c), join(d_a)


def _edge_gradient(d_gates, transposed, offsets, units):
    """What taps beyond the ends of the line send back to the initial h."""
    total = 0.0
    for tap, offset in enumerate(offsets):
        if offset:
            beyond = d_gates[:, :-offset] if offset < 0 else d_gates[:, -offset:]
            weights = transposed[:, tap * units : (tap + 1) * units]
            total = total + ops.matmul(ops.sum(beyond, axis=(0, 1, 2))[None], weights)[0]
    return total


def _shift(h, offset, fill):
    """h at p + offset for every position p of (..., positions, batch, units); `fill` (units,) beyond the ends."""
    if offset == 0:
        return h
    width = min(abs(offset), h.shape[-3])
    edge = ops.broadcast_to(fill, (*h.shape[:-3], width, ops.shape(h)[-2], h.shape[-1]))
    parts = [edge, h[..., :offset, :, :]] if offset < 0 else [h[..., offset:, :, :], edge]
    return ops.concatenate(parts, axis=-3)


def _unshift_all(d_taps, offsets, units):
    """The transpose of the taps: gradients (positions, batch, taps * units) back to (positions, batch, units)."""
    total = 0.0
    for tap, offset in enumerate(offsets):
        d_tap = d_taps[..., tap * units : (tap + 1) * units]
        total = total + _shift(d_tap, -offset, ops.zeros_like(d_tap[0, 0]))
    return total
