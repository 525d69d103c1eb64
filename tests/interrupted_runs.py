"""A small run that is interrupted and resumed, and its expected result."""

import csv
import importlib

import keras
import numpy as np

from pixel_zoo.training import Recipe, train
from pixel_zoo.training.state import load_state

run_module = importlib.import_module("pixel_zoo.training.run")

STEPS_PER_EPOCH = 10
# Everything that has a state: averages, dropout's random numbers, gradients kept for the next step, a schedule.
RECIPE = Recipe(
    data="digits",
    model="PixelCNN",
    model_options={"filters": 4, "num_blocks": 1, "head_filters": 8, "dropout": 0.2},
    learning_rate=1e-2,
    schedule="cosine",
    ema_momentum=0.9,
    batch_size=128,
    accumulation_steps=2,
    epochs=3,
)


class At(keras.callbacks.Callback):
    """Does something at the start of one call of the train function."""

    def __init__(self, call, action, calls_per_epoch):
        super().__init__()
        self.call, self.action, self.calls_per_epoch, self.epoch = call, action, calls_per_epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch * self.calls_per_epoch + batch == self.call:
            self.action()


class Killed(Exception):
    """Simulates the end of a process: the run does nothing after it."""


def kill():
    raise Killed


def train_until(output, call, action, monkeypatch, steps_per_call=1, **options):
    """Train or resume `RECIPE`, and do something at the start of a call of the train function."""
    calls_per_epoch = -(-STEPS_PER_EPOCH // steps_per_call)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "KeepFreedMemory", lambda: At(call, action, calls_per_epoch))
        train(RECIPE, output, resume=True, steps_per_call=steps_per_call, samples=False, verbose=0, **options)


def log_and_seconds(output):
    """The rows of log.csv without the seconds, which differ from run to run, and the seconds."""
    with open(output / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return rows, [float(row.pop("seconds")) for row in rows]


def assert_same_run(output, undisturbed):
    """The state, the log and the best weights are those of the undisturbed run, bit for bit."""
    (progress, arrays), (expected_progress, expected) = (load_state(o / "state.npz") for o in (output, undisturbed))
    for of_a_run in (progress, expected_progress):
        assert of_a_run.pop("seconds") > 0
        assert all(logs.pop("seconds") > 0 for logs in of_a_run["history"])
    assert progress == expected_progress
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, other)
    (rows, seconds), (expected_rows, _) = (log_and_seconds(o) for o in (output, undisturbed))
    assert rows == expected_rows
    assert seconds == sorted(seconds)
    best, expected = (keras.models.load_model(o / "best.keras").get_weights() for o in (output, undisturbed))
    for array, other in zip(best, expected, strict=True):
        np.testing.assert_array_equal(array, other)
