"""Priors over the codes of a VQ-VAE: the network of a well-known example, sampled as there, beside this package's.

    python tools/vq_vae.py mnist runs/mnist_vq
    python benchmarks/code_priors.py runs/mnist_vq/codes.npz --levels 128

The example is "Vector-Quantized Variational Autoencoders" of keras.io (Sayak Paul, 2021): a PixelCNN of 128 filters,
two residual blocks and two further masked layers, which reads the codes one-hot and draws an image with one forward
pass for each code. All priors train on the same codes for the same number of epochs, in batches of 128, and are scored
on the test split.

With `--seeds` and `--priors` it measures what an embedding of the codes is worth, on any codes:

    python benchmarks/code_priors.py CODES.npz --levels 64 --seeds 3 \\
        --priors "PixelCNN, codes as numbers" "PixelCNN, embedding_dim=16"
"""

import argparse
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


def nats_of_example(model, codes):
    return model.evaluate(codes, codes, batch_size=BATCH, verbose=0) * np.prod(codes.shape[1:])


def nats_of_ours(model, codes):
    return -model.log_likelihood(codes).mean()


def draw_ours(model, count):
    return model.generate(count, progress=False)


def ours(architecture, embedding_dim):
    """A function (shape, levels) -> compiled prior of this package."""

    def build(shape, levels):
        model = architecture(shape, levels, 32, 6, 64, embedding_dim=embedding_dim)  # filters, blocks, head's filters
        model.compile(keras.optimizers.Adam(2e-3))
        return model

    return build


#: By name: how a prior is built, its nats of images, and how it draws.
PRIORS = {
    "keras.io example": (example, nats_of_example, draw_example),
    "PixelCNN, codes as numbers": (ours(pz.models.PixelCNN, None), nats_of_ours, draw_ours),
    "PixelCNN, embedding_dim=16": (ours(pz.models.PixelCNN, 16), nats_of_ours, draw_ours),
    "GatedPixelCNN, embedding_dim=16": (ours(pz.models.GatedPixelCNN, 16), nats_of_ours, draw_ours),
}


def trained(build, train, levels, epochs, seed):
    """A trained prior, and the seconds of an epoch."""
    keras.utils.set_random_seed(seed)
    model = build(train.shape[1:], levels)
    targets = () if isinstance(model, pz.models.PixelModel) else (train,)
    begin = time.perf_counter()
    model.fit(train, *targets, batch_size=BATCH, epochs=epochs, verbose=0)
    return model, (time.perf_counter() - begin) / epochs


def times_to_draw(draw, model):
    """Wall seconds of the first call, and the medians of wall and processor seconds of five more."""
    taken = []
    for _ in range(6):
        begin = time.perf_counter(), time.process_time()
        draw(model, 10)
        taken.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    return taken[0][0], *np.median(taken[1:], axis=0)


def main(path, levels, epochs, limit, seeds, names):
    options = {"path": path, "levels": levels}
    train, test = (data.arrays("codes", split, **options)[:limit] for split in ("train", "test"))
    print(f"{len(train)} training maps of {train.shape[1:]}, {len(test)} of the test split, {epochs} epochs")
    units = ("s an epoch", "s to draw 10", "processor s to draw 10", "first call, s")
    table = Table("prior", "parameters", "nats", "of each seed", "bits/dim", *units)
    for name in names:
        build, nats_of, draw = PRIORS[name]
        nats = []
        for seed in range(seeds):
            model, epoch = trained(build, train, levels, epochs, seed)
            nats.append(nats_of(model, test))
        first, wall, processor = times_to_draw(draw, model)
        table.row(
            name,
            model.count_params(),
            f"{np.mean(nats):.2f}",
            ", ".join(f"{one:.2f}" for one in nats),
            f"{np.mean(nats) / np.log(2) / train[0].size:.3f}",
            f"{epoch:.1f}",
            f"{wall:.3f}",
            f"{processor:.3f}",
            f"{first:.1f}",
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("codes", help="NumPy file of codes, as of `pixel_zoo.data.codes`")
    parser.add_argument("--levels", type=int, required=True, help="size of the codebook")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--limit", type=int, help="use the first so many maps of each split")
    parser.add_argument("--seeds", type=int, default=1, help="train each prior with so many seeds")
    parser.add_argument("--priors", nargs="+", default=list(PRIORS), choices=PRIORS, help="measure these priors alone")
    arguments = parser.parse_args()
    main(arguments.codes, arguments.levels, arguments.epochs, arguments.limit, arguments.seeds, arguments.priors)
