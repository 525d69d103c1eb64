"""A worker of `turns`: Diagonal BiLSTM 7x16 in JAX, straight from the equations: skew, `jax.lax.scan`, `jax.grad`."""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from turns import serve

UNITS, BLOCKS, HEAD, SIDE = 16, 7, 32, 28


def parameters():
    """All weights, as a dictionary."""
    random = np.random.default_rng(0)

    def matrix(*shape):
        bound = np.sqrt(6 / (np.prod(shape[:-1]) + shape[-1]))
        return random.uniform(-bound, bound, shape).astype("float32")

    def dense(inputs, outputs):
        return {"kernel": matrix(inputs, outputs), "bias": np.zeros(outputs, "float32")}

    def direction():
        states = {"h": np.zeros(UNITS, "float32"), "c": np.zeros(UNITS, "float32")}
        kernels = {"above": matrix(UNITS, 4 * UNITS), "beside": matrix(UNITS, 4 * UNITS)}
        return {"input": dense(2 * UNITS, 4 * UNITS), **kernels, **states}

    def block():
        maps = {"up": dense(UNITS, 2 * UNITS), "skip": dense(UNITS, 2 * UNITS)}
        return {"right": direction(), "left": direction(), **maps}

    return {
        "first": {"kernel": matrix(7, 7, 1, 2 * UNITS), "bias": np.zeros(2 * UNITS, "float32")},
        "blocks": [block() for _ in range(BLOCKS)],
        "head": [dense(2 * UNITS, HEAD), dense(HEAD, HEAD), dense(HEAD, 1)],
    }


def affine(weights, x):
    return x @ weights["kernel"] + weights["bias"]


def first_layer(weights, x):
    mask = np.ones((7, 7, 1, 1), "float32")
    mask[3, 3:] = mask[4:] = 0
    y = jax.lax.conv_general_dilated(
        x, weights["kernel"] * mask, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + weights["bias"]


def skew(x):
    """Move row r by r columns: (batch, rows, columns, features) -> (batch, rows, columns + rows - 1, features)."""
    batch, rows, columns, features = x.shape
    x = jnp.pad(x, [[0, 0], [0, 0], [0, rows], [0, 0]]).reshape(batch, rows * (columns + rows), features)
    return x[:, : rows * (columns + rows - 1)].reshape(batch, rows, columns + rows - 1, features)


def unskew(x, columns):
    batch, rows, steps, features = x.shape
    x = jnp.pad(x.reshape(batch, rows * steps, features), [[0, 0], [0, rows], [0, 0]])
    return x.reshape(batch, rows, steps + 1, features)[:, :, :columns]


def sweep(weights, x):
    """One direction's states h (batch, rows, columns, features)."""
    batch, rows, columns, _ = x.shape
    gates = jnp.moveaxis(skew(affine(weights["input"], x)), 2, 0)
    started = (np.arange(columns + rows - 1)[:, None] > np.arange(rows))[:, None, :, None]
    initial_h, initial_c = (jnp.broadcast_to(weights[state], (batch, rows, UNITS)) for state in ("h", "c"))

    def step(state, inputs):
        (h, c), (gates, started) = state, inputs
        above = jnp.concatenate([initial_h[:, :1], h[:, :-1]], axis=1)
        h, c = jnp.where(started, h, initial_h), jnp.where(started, c, initial_c)
        gates = gates + above @ weights["above"] + h @ weights["beside"]
        output, forget, update, content = jnp.split(gates, 4, axis=-1)
        c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(update) * jnp.tanh(content)
        h = jax.nn.sigmoid(output) * jnp.tanh(c)
        return (h, c), h

    _, h = jax.lax.scan(step, (initial_h, initial_c), (gates, started))
    return unskew(jnp.moveaxis(h, 0, 2), columns)


def diagonal_bilstm(weights, x):
    left = sweep(weights["left"], x[:, :, ::-1])[:, :, ::-1]
    return sweep(weights["right"], x) + jnp.pad(left[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])


def loss(weights, images):
    x = first_layer(weights["first"], 2 * images - 1)
    skips = 0
    for block in weights["blocks"]:
        y = diagonal_bilstm(block, x)
        x, skips = x + affine(block["up"], y), skips + affine(block["skip"], y)
    x = x + skips
    for layer in weights["head"]:
        x = affine(layer, jax.nn.relu(x))
    return jnp.mean(jnp.sum(jax.nn.softplus((1 - 2 * images) * x), axis=(1, 2, 3)))


@jax.jit
def train_step(weights, moments, t, images):
    """A step of Adam."""
    value, gradient = jax.value_and_grad(loss)(weights, images)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradient)
    second = jax.tree.map(lambda m, g: 0.999 * m + 0.001 * g * g, moments[1], gradient)
    rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
    return weights, (first, second), value


def main(batch):
    weights = parameters()
    moments = tuple(jax.tree.map(np.zeros_like, weights) for _ in range(2))
    images = (np.random.default_rng(0).random((batch, SIDE, SIDE, 1)) < 0.13).astype("float32")
    state = [weights, moments, 0]

    def run(steps):
        seconds = []
        for _ in range(steps):
            begin = time.perf_counter()
            state[0], state[1], value = train_step(state[0], state[1], state[2] + 1.0, images)
            state[2] += 1
            float(value)
            seconds.append(time.perf_counter() - begin)
        return seconds

    serve(run)


if __name__ == "__main__":
    main(int(sys.argv[1]))
