"""Priors over the codes of a VQ-VAE: the network of a well-known example, sampled as there, beside this package's.

    python tools/vq_vae.py mnist runs/mnist_vq
    python benchmarks/code_priors.py runs/mnist_vq/codes.npz --levels 128

The example is "Vector-Quantized Variational Autoencoders" of keras.io (Sayak Paul, 2021): a PixelCNN of 128 filters,
two residual blocks and two further masked layers, which reads the codes one-hot and draws an image with one forward
pass for each code. All priors train on the same codes for the same number of epochs, in batches of 128, and are scored
on the test split.
"""

import argparse
import statistics
import time

import keras
import numpy as np
from keras import layers, ops
from turns import Table

import pixel_zoo as pz
from pixel_zoo import data

BATCH = 128
FILTERS = 128


class MaskedConvolution(layers.Conv2D):
    """A convolution whose kernel is multiplied by mask A or B, as the example has it."""

    def __init__(self, filters, kernel_size, mask_type, **kwargs):
        super().__init__(filters, kernel_size, padding="same", **kwargs)
        self.mask_type = mask_type

    def build(self, input_shape):
        super().build(input_shape)
        height, width = self.kernel_size
        mask = np.zeros(self.kernel.shape, "float32")
        mask[: height // 2] = 1
        mask[height // 2, : width // 2 + (self.mask_type == "B")] = 1
        self.mask = mask

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel * self.mask)


def example(shape, levels):
    """The prior of the example: codes (batch, height, width, 1) to logits (batch, height, width, levels)."""
    codes = keras.Input(shape, dtype="int32")
    x = MaskedConvolution(FILTERS, 7, "A", activation="relu")(ops.one_hot(codes[..., 0], levels))
    for _ in range(2):
        y = layers.Conv2D(FILTERS, 1, activation="relu")(x)
        y = MaskedConvolution(FILTERS // 2, 3, "B", activation="relu")(y)
        x = x + layers.Conv2D(FILTERS, 1, activation="relu")(y)
    for _ in range(2):
        x = MaskedConvolution(FILTERS, 1, "B", activation="relu")(x)
    model = keras.Model(codes, layers.Conv2D(levels, 1)(x))
    model.compile(keras.optimizers.Adam(3e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def draw_example(model, count):
    """Images drawn as the example does: the whole network for each code."""
    codes = np.zeros((count, *model.input_shape[1:]), "int32")
    generator = np.random.default_rng(0)
    for row, column in np.ndindex(*codes.shape[1:3]):
        logits = model.predict(codes, verbose=0)[:, row, column]
        codes[:, row, column, 0] = (logits + generator.gumbel(size=logits.shape)).argmax(axis=-1)
    return codes


def priors(shape, levels):
    """By name: the prior, its nats of images, and how it draws."""

    def nats_of_example(model, codes):
        return model.evaluate(codes, codes, batch_size=BATCH, verbose=0) * np.prod(shape)

    yield "keras.io example", example(shape, levels), nats_of_example, draw_example
    sizes = {"filters": 32, "num_blocks": 6, "head_filters": 64}
    for label, model in {
        "PixelCNN, codes as numbers": pz.models.PixelCNN(shape, levels, **sizes),
        "PixelCNN, embedding_dim=16": pz.models.PixelCNN(shape, levels, embedding_dim=16, **sizes),
        "GatedPixelCNN, embedding_dim=16": pz.models.GatedPixelCNN(shape, levels, embedding_dim=16, **sizes),
    }.items():
        model.compile(keras.optimizers.Adam(2e-3))
        yield label, model, lambda model, codes: -model.log_likelihood(codes).mean(), draw_ours


def draw_ours(model, count):
    return model.generate(count, progress=False)


def main(path, levels, epochs, limit):
    options = {"path": path, "levels": levels}
    train, test = (data.arrays("codes", split, **options)[:limit] for split in ("train", "test"))
    print(f"{len(train)} training maps of {train.shape[1:]}, {len(test)} of the test split, {epochs} epochs")
    keras.utils.set_random_seed(0)
    table = Table("prior", "parameters", "nats", "bits/dim", "s an epoch", "s to draw 10", "first call, s")
    for label, model, nats_of, draw in priors(train.shape[1:], levels):
        begin = time.perf_counter()
        targets = (train, train) if label.startswith("keras.io") else (train,)
        model.fit(*targets, batch_size=BATCH, epochs=epochs, verbose=0)
        epoch = (time.perf_counter() - begin) / epochs
        taken = []
        for _ in range(6):
            begin = time.perf_counter()
            draw(model, 10)
            taken.append(time.perf_counter() - begin)
        nats = nats_of(model, test)
        bits = nats / np.log(2) / train[0].size
        drawn = f"{statistics.median(taken[1:]):.3f}"
        table.row(label, model.count_params(), f"{nats:.2f}", f"{bits:.3f}", f"{epoch:.1f}", drawn, f"{taken[0]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("codes", help="NumPy file of codes, as of `pixel_zoo.data.codes`")
    parser.add_argument("--levels", type=int, required=True, help="size of the codebook")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--limit", type=int, help="use the first so many maps of each split")
    arguments = parser.parse_args()
    main(arguments.codes, arguments.levels, arguments.epochs, arguments.limit)
