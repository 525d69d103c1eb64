"""A worker of `turns`: PixelCNN 7x32 in Flax, with its own masked convolutions, trained by Optax.

    python benchmarks/peer_flax.py 32 pixel_cnn.npz

The weights come from a file that `pixel_cnn_weights.py` wrote.
"""

import functools
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax import traverse_util
from turns import serve


def masked_convolution(inputs, outputs, size, mask_type, name):
    mask = np.ones((size, size, inputs, outputs), "float32")
    mask[size // 2, size // 2 + (mask_type == "B") :] = 0
    mask[size // 2 + 1 :] = 0
    return nn.Conv(outputs, (size, size), mask=mask, name=name)


class Block(nn.Module):
    filters: int

    @nn.compact
    def __call__(self, x):
        y = nn.Conv(self.filters, (1, 1), name="down")(nn.relu(x))
        y = masked_convolution(self.filters, self.filters, 3, "B", "conv")(nn.relu(y))
        y = nn.relu(y)
        return x + nn.Conv(2 * self.filters, (1, 1), name="up")(y), nn.Conv(2 * self.filters, (1, 1), name="skip")(y)


class PixelCNN(nn.Module):
    filters: int = 32
    blocks: int = 7
    head_filters: int = 32

    @nn.compact
    def __call__(self, images):
        x = masked_convolution(1, 2 * self.filters, 7, "A", "first")(2 * images - 1)
        skips = 0
        for block in range(self.blocks):
            x, skip = Block(self.filters, name=f"blocks.{block}")(x)
            skips = skips + skip
        x = x + skips
        for layer, filters in enumerate([self.head_filters, self.head_filters, 1]):
            x = nn.Conv(filters, (1, 1), name=f"head.{layer}")(nn.relu(x))
        return x


def parameters_of(weights):
    """The arrays of a file as Flax nests them: a block's layers are below it."""
    flat = {}
    for name in weights.files:
        layer, _, kind = name.rpartition("/")
        if layer.startswith("blocks."):
            block, _, part = layer.rpartition(".")
            flat[block, part, kind] = weights[name]
        elif layer:
            flat[layer, kind] = weights[name]
    return traverse_util.unflatten_dict(flat)


def main(batch, path):
    weights = np.load(path)
    images = weights["images"][:batch].astype("float32")
    model, optimizer = PixelCNN(), optax.adam(1e-3)
    parameters = jax.tree.map(jnp.asarray, parameters_of(weights))
    made = jax.eval_shape(model.init, jax.random.key(0), images)["params"]
    if jax.tree.map(jnp.shape, parameters) != jax.tree.map(jnp.shape, made):
        raise ValueError(f"{path} holds other weights than the model has")

    def loss_of(parameters, images):
        logits = model.apply({"params": parameters}, images)
        return optax.sigmoid_binary_cross_entropy(logits, images).sum((1, 2, 3)).mean()

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train_step(parameters, state, images):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, images)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(parameters, updates), state, loss

    loss = float(jax.jit(loss_of)(parameters, images))
    training = [parameters, optimizer.init(parameters)]

    def run(steps):
        seconds = []
        for _ in range(steps):
            begin = time.perf_counter()
            *training[:], loss = train_step(*training, images)
            float(loss)
            seconds.append(time.perf_counter() - begin)
        return seconds

    serve(run, loss=loss)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
