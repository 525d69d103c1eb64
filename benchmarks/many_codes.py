"""What 16,384 codes cost, and whether it pays to tie the output to the embedding.

    pip install scikit-learn
    python benchmarks/many_codes.py

The codes are those of MNIST's 7x7 patches: each half of a patch is one of 128 k-means vectors, so a pair of halves is
one of 16,384 codes. A PixelCNN is the prior of the 4x4 maps. With a tied output (Press & Wolf 2017, 1608.05859), the
logit of a code is the scalar product of the features with the code's own vector, plus a bias. Each variant runs in a
process of its own, because a process does not give back its largest memory.
"""

import argparse
import resource
import subprocess
import sys
import time

import keras
import numpy as np
from keras import layers, ops
from turns import Table

import pixel_zoo as pz
from pixel_zoo import data

HALF_CODES, SIDE = 128, 7
BATCH, EPOCHS, TRAINING_MAPS, TEST_MAPS = 32, 3, 1_600, 800
VARIANTS = ("256 codes", "16,384 codes", "16,384 codes, tied")


class TiedLogits(layers.Layer):
    """Logits from the vectors of a `ValueEmbedding` of one colour."""

    def __init__(self, embedding, **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(self.embedding.levels,), initializer="zeros")

    def call(self, x):
        return ops.matmul(x, ops.transpose(self.embedding.embeddings[0])) + self.bias


def halves(split, count):
    """The halves of the patches of images: (count, 4, 4, 2, vector)."""
    images = data.arrays("mnist", split)[:count, ..., 0].astype("float32")
    patches = images.reshape(count, 4, SIDE, 4, SIDE).transpose(0, 1, 3, 2, 4)
    padded = np.pad(patches, ((0, 0),) * 4 + ((0, 1),))  # 7 columns are no two halves
    return padded.reshape(count, 4, 4, SIDE, 2, 4).transpose(0, 1, 2, 4, 3, 5).reshape(count, 4, 4, 2, -1)


def codes(path):
    """Write training and test maps of 16,384 codes."""
    from sklearn.cluster import MiniBatchKMeans

    train, test = halves("train", TRAINING_MAPS), halves("test", TEST_MAPS)
    k_means = MiniBatchKMeans(HALF_CODES, random_state=0, batch_size=8192, n_init=1, max_iter=10)
    k_means.fit(train.reshape(-1, train.shape[-1]))
    maps = {}
    for name, vectors in (("train", train), ("test", test)):
        numbers = k_means.predict(vectors.reshape(-1, vectors.shape[-1])).reshape(-1, 4, 4, 2)
        maps[name] = (numbers[..., :1] * HALF_CODES + numbers[..., 1:]).astype("int32")
    np.savez(path, **maps)


def prior(levels, tied):
    """A PixelCNN, with its own last layer or a tied one."""
    model = pz.models.PixelCNN((4, 4, 1), levels, filters=32, num_blocks=4, head_filters=64, embedding_dim=64)
    features = model.get_layer("logits").input
    logits = TiedLogits(model.get_layer("embedding"))(features) if tied else layers.Dense(levels)(features)
    plain = keras.Model(model.input, logits)
    plain.compile(keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return plain


def measure(variant, path):
    """Train and score one variant, and print its row."""
    with np.load(path) as stored:
        train, test = stored["train"], stored["test"]
    levels = 256 if variant.startswith("256") else HALF_CODES**2
    train, test = train % levels, test % levels
    keras.utils.set_random_seed(0)
    model = prior(levels, tied=variant.endswith("tied"))
    model.fit(train[:BATCH], train[:BATCH], BATCH, verbose=0)  # compiles
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    model.fit(train, train, BATCH, EPOCHS, verbose=0)
    seconds = (time.process_time() - begin) / (EPOCHS * -(-len(train) // BATCH))
    nats = model.evaluate(test, test, batch_size=BATCH, verbose=0) * train[0].size
    peak = max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024
    cells = f"{model.count_params():,}", f"{nats:.2f}", f"{1000 * seconds:.0f}", f"{peak:,.0f}"
    print(" | ".join(cells), flush=True)


def main(path):
    codes(path)
    print(f"batches of {BATCH} maps of 4x4, {EPOCHS} epochs of {TRAINING_MAPS}; {TEST_MAPS} test maps")
    table = Table("prior", "parameters", "test, nats", "processor ms a step", "largest memory, MB")
    for variant in VARIANTS:
        command = [sys.executable, __file__, "--codes", path, "--variant", variant]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        table.row(variant, *done.stdout.splitlines()[-1].split(" | "))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", default="runs/many_codes.npz", help="file of the codes, which is written")
    parser.add_argument("--variant", choices=VARIANTS, help="measure this one alone, on codes that are there")
    arguments = parser.parse_args()
    if arguments.variant:
        measure(arguments.variant, arguments.codes)
    else:
        main(arguments.codes)
