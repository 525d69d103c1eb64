"""Saving a model while it is trained."""

import contextlib
import math
import os
import pathlib
from typing import Any

import keras

from pixel_zoo.files import replacing
from pixel_zoo.training.callbacks.pace import Pace


class Checkpoint(keras.callbacks.ModelCheckpoint):
    """Keras's `ModelCheckpoint`, whose files are always whole and never those of a model that has diverged.

    A file is written under a temporary name and then renamed (`pixel_zoo.files.replacing`), so that an interrupted save
    leaves the previous file.
    After an epoch with a figure that is not finite, nothing is saved.

    Args:
        path: the `.keras` file.
        pace: `Pace` that tells after which epochs there is time to save, besides the last one; None saves after every
            epoch.
        **options: of `ModelCheckpoint`, such as `monitor` and `save_best_only`.

    Example:

    >>> checkpoint = Checkpoint("best.keras", monitor="val_nats", mode="min", save_best_only=True)
    """

    def __init__(self, path: str | os.PathLike[str], pace: Pace | None = None, **options: Any) -> None:
        self.path, self.pace = pathlib.Path(path), pace
        super().__init__(self.path, **options)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        last = self.model.stop_training or epoch + 1 == (self.params or {}).get("epochs")
        if not all(map(math.isfinite, logs.values())) or not (last or self.pace is None or self.pace.due()):
            return
        with (
            contextlib.nullcontext() if self.pace is None else self.pace.saving(),
            contextlib.suppress(_NotBetter),
            replacing(self.path) as temporary,
        ):
            self.filepath = str(temporary)
            super().on_epoch_end(epoch, logs)
            if not temporary.exists():
                raise _NotBetter  # so that `replacing` leaves the previous file


class _NotBetter(Exception):
    """Keras has saved nothing: only better models are saved, and this is not one."""
