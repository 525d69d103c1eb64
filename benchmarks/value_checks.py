"""What it costs that `fit` checks the values of images: training with the checks and without them, in turns.

    python benchmarks/value_checks.py                # six minutes on two quiet cores
    python benchmarks/value_checks.py --rounds 4     # a short run

Both ways run in one process, one after the other in each round, the order changing from round to round. The time is the
processor time of the whole process, which other programs on the machine disturb less than the clock. The last column
is the check alone, timed apart from training: the difference of two ways is far noisier than that.
"""

import argparse
import contextlib
import functools
import statistics
import time
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from turns import Table

import pixel_zoo as pz
from pixel_zoo.models.checked_data import DataCheck

BATCH = 16  # as in the paper: the smaller the batch, the larger the share of what each step costs
STEPS = 30


class Batches(keras.utils.PyDataset):
    """Arrays of images as a `PyDataset`."""

    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return len(self.images) // BATCH

    def __getitem__(self, index):
        return (self.images[index * BATCH : (index + 1) * BATCH],)


SOURCES = {
    "array": lambda images: images,
    "tf.data": lambda images: tf.data.Dataset.from_tensor_slices(images).batch(BATCH),
    "PyDataset": Batches,
}


def without_checks():
    """A context in which models take their data as they are."""
    return mock.patch.object(DataCheck, "data", lambda self, x, y=None: x)


def seconds(function):
    """Processor seconds of all threads."""
    before = time.process_time()
    function()
    return time.process_time() - before


def check_alone(model, source, x):
    """Processor seconds of checking the data of one epoch."""
    check = model._data_check()
    if source == "array":
        return seconds(lambda: check.data(x))
    if source == "PyDataset":
        return seconds(lambda: [check.batch(x[index]) for index in range(len(x))])
    checked = check.data(x)
    return seconds(lambda: sum(1 for _ in checked)) - seconds(lambda: sum(1 for _ in x))


def main(rounds):
    keras.utils.set_random_seed(0)
    model = pz.models.PixelCNN((28, 28, 1), levels=2, filters=32, num_blocks=7)
    model.compile()
    images = np.random.default_rng(0).integers(0, 2, (STEPS * BATCH, 28, 28, 1)).astype("uint8")
    table = Table(
        "data", "ms a step", "with checks / without", "quartiles", "check alone, ms a step", "share of a step"
    )
    for source, make in SOURCES.items():
        x = make(images)
        options = {"batch_size": BATCH} if source == "array" else {}
        ways = (without_checks, contextlib.nullcontext)
        taken = {way: [] for way in ways}
        for turn in range(-1, rounds):
            for way in ways[:: 1 if turn % 2 else -1]:
                with way():
                    spent = seconds(functools.partial(model.fit, x, verbose=0, **options))
                taken[way] += [spent] if turn >= 0 else []  # the first one compiles
        without, checked = taken.values()
        ratios = [ours / theirs for ours, theirs in zip(checked, without, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        step = statistics.median(without) / STEPS
        alone = statistics.median(check_alone(model, source, x) for _ in range(3 * rounds)) / STEPS
        spread = f"{low:.4f} to {high:.4f}"
        table.row(source, f"{step * 1e3:.1f}", f"{middle:.4f}", spread, f"{alone * 1e3:.3f}", f"{alone / step:.2%}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=20)
    main(arguments.parse_args().rounds)
