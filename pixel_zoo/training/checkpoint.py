"""Saving a model while it is trained."""

import math
import os
import pathlib

import keras


class Checkpoint(keras.callbacks.ModelCheckpoint):
    """Keras's `ModelCheckpoint`, with files that are always whole and never of a model that has diverged.

    A file is written beside its path and then renamed, so that whatever interrupts the writing, the one before stays.
    After an epoch with a figure that is not finite nothing is saved.

    Args:
        path: the `.keras` file.
        **options: of `ModelCheckpoint`, such as `monitor` and `save_best_only`.

    Example:

    >>> checkpoint = Checkpoint("best.keras", monitor="val_nats", mode="min", save_best_only=True)
    """

    def __init__(self, path, **options):
        self.path = pathlib.Path(path)
        self.unfinished = self.path.with_name(f".unfinished-{self.path.name}")
        super().__init__(self.unfinished, **options)

    def on_epoch_end(self, epoch, logs=None):
        if not all(map(math.isfinite, logs.values())):
            return
        self.unfinished.unlink(missing_ok=True)  # left by a process that was killed while it wrote
        super().on_epoch_end(epoch, logs)
        if self.unfinished.exists():  # not so if only better models are saved, and this is none
            os.replace(self.unfinished, self.path)
