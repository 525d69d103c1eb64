"""A small VQ-VAE in Keras: turns the pictures of a data set into codes, and codes into pictures.

    python tools/vq_vae.py mnist runs/mnist_vq

writes `encoder.keras` (pictures to codes) and `decoder.keras` (codes to pictures), both of built-in Keras layers alone,
and `codes.npz`: the codes and labels of all splits, as `pixel_zoo.data.codes` reads them. See docs/codes.md.
"""

import argparse
import pathlib

import keras
import numpy as np
from keras import layers, ops

from pixel_zoo import data
from pixel_zoo.data.data_set import SPLITS
from pixel_zoo.files import replacing


class VectorQuantizer(layers.Layer):
    """Replaces each vector by the nearest one of a codebook (van den Oord et al. 2017, 1711.00937, equations 1 to 3).

    All vectors have length 1, which keeps most of the codebook in use (Yu et al. 2022, 2110.04627, section 3.2).

    Input and output: float tensor (batch, height, width, features).
    """

    def __init__(self, num_codes, commitment=0.25, **kwargs):
        super().__init__(**kwargs)
        self.num_codes, self.commitment = num_codes, commitment

    def build(self, input_shape):
        self.codebook = self.add_weight(shape=(self.num_codes, input_shape[-1]), initializer="random_normal")

    def call(self, z):
        z, codebook = ops.normalize(z, axis=-1), ops.normalize(self.codebook, axis=-1)
        # Of vectors of length 1, the nearest one has the largest scalar product.
        nearest = ops.take(codebook, ops.argmax(ops.matmul(z, ops.transpose(codebook)), axis=-1), axis=0)
        self.add_loss(ops.mean(ops.square(ops.stop_gradient(z) - nearest)))
        self.add_loss(self.commitment * ops.mean(ops.square(z - ops.stop_gradient(nearest))))
        return z + ops.stop_gradient(nearest - z)  # the gradient of the output is passed on to z


def networks(picture_shape, levels, filters=64, features=8):
    """Two networks of convolutions: pictures 0..levels-1 to vectors at a quarter of the size, and back to [0, 1]."""
    options = {"padding": "same", "activation": "relu"}
    to_vectors = keras.Sequential(
        [
            keras.Input(picture_shape),
            layers.Rescaling(1 / (levels - 1)),
            layers.Conv2D(filters // 2, 4, 2, **options),
            layers.Conv2D(filters, 4, 2, **options),
            layers.Conv2D(filters, 3, **options),
            layers.Conv2D(features, 1),
        ]
    )
    to_pictures = keras.Sequential(
        [
            keras.Input(to_vectors.output_shape[1:]),
            layers.Conv2D(filters, 3, **options),
            layers.Conv2DTranspose(filters, 4, 2, **options),
            layers.Conv2DTranspose(filters // 2, 4, 2, **options),
            layers.Conv2D(picture_shape[-1], 3, padding="same"),
        ]
    )
    return to_vectors, to_pictures


def encoder_of(to_vectors, quantizer):
    """Integer pictures (batch, height, width, channels) to codes int32 (batch, height / 4, width / 4, 1)."""
    pictures = keras.Input(to_vectors.input_shape[1:], dtype="uint8", name="picture")
    scores = layers.Dense(quantizer.num_codes, use_bias=False, name="codebook")
    codes = ops.argmax(scores(to_vectors(ops.cast(pictures, "float32"))), axis=-1)
    encoder = keras.Model(pictures, ops.expand_dims(codes, -1), name="encoder")
    scores.set_weights([ops.convert_to_numpy(ops.normalize(quantizer.codebook, axis=-1)).T])
    return encoder


def decoder_of(to_pictures, quantizer, levels):
    """Codes (batch, height / 4, width / 4, 1) to pictures uint8 (batch, height, width, channels)."""
    codes = keras.Input((*to_pictures.input_shape[1:3], 1), dtype="int32", name="codes")
    vectors = layers.Embedding(quantizer.num_codes, to_pictures.input_shape[-1], name="codebook")
    pictures = ops.round(to_pictures(vectors(codes[..., 0])) * (levels - 1))
    decoder = keras.Model(codes, ops.cast(ops.clip(pictures, 0, levels - 1), "uint8"), name="decoder")
    vectors.set_weights([ops.convert_to_numpy(ops.normalize(quantizer.codebook, axis=-1))])
    return decoder


def train(name, output, num_codes=128, epochs=4, batch_size=64, seed=0, **sizes):
    """Train a VQ-VAE on a data set and write encoder, decoder and codes.

    Args:
        name: data set of pictures whose sides are multiples of 4, as of `pixel_zoo.data.arrays`.
        output: directory, which is made.
        num_codes: size of the codebook.
        epochs, batch_size, seed: of training.
        **sizes: arguments of `networks`.

    Returns:
        (encoder, decoder): Keras models.
    """
    keras.utils.set_random_seed(seed)
    info, pictures = data.info(name), data.arrays(name, "train")
    to_vectors, to_pictures = networks(info.image_shape, info.levels, **sizes)
    quantizer = VectorQuantizer(num_codes)
    autoencoder = keras.Sequential([to_vectors, quantizer, to_pictures])
    targets = (pictures / (info.levels - 1)).astype("float32")
    steps = epochs * -(-len(pictures) // batch_size)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps))
    # Errors are measured in units of the pictures' variance, to balance them with those of the vectors.
    autoencoder.compile(optimizer, "mse", loss_weights=[1 / targets.var()])
    autoencoder.fit(pictures, targets, batch_size, epochs, verbose=2)
    encoder, decoder = encoder_of(to_vectors, quantizer), decoder_of(to_pictures, quantizer, info.levels)
    write(name, output, encoder, decoder)
    return encoder, decoder


def write(name, output, encoder, decoder):
    """Write both models, and the codes and labels of all splits of a data set."""
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for split in SPLITS:
        pictures = data.arrays(name, split)
        arrays[f"x_{split}"] = encoder.predict(pictures, batch_size=256, verbose=0).astype("int32")
        if data.info(name).classes is not None:
            arrays[f"y_{split}"] = data.labels(name, split)
    decoded = decoder.predict(arrays["x_test"], batch_size=256, verbose=0)
    error, variance = np.mean((decoded - pictures.astype("float32")) ** 2), pictures.var()
    used = len(np.unique(arrays["x_train"]))
    print(f"test pictures: {error / variance:.4f} of the variance is lost; {used} codes are used")
    for model in (encoder, decoder):
        with replacing(output / f"{model.name}.keras") as temporary:
            model.save(temporary)
    with replacing(output / "codes.npz") as temporary:
        np.savez_compressed(temporary, **arrays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="name of a data set, such as mnist or cifar10")
    parser.add_argument("output", help="directory to write")
    parser.add_argument("--codes", type=int, default=128, help="size of the codebook")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--filters", type=int, default=64, help="width of the convolutions")
    arguments = parser.parse_args()
    train(arguments.data, arguments.output, arguments.codes, arguments.epochs, filters=arguments.filters)
