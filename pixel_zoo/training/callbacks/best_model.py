"""The best model of a run."""

import math
import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np

from pixel_zoo.files import replacing


class BestModel(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the fewest validation nats, and writes them as a model.

    The file holds a model without optimizer that computes in float32, whatever the model was trained in. It is written
    when `write` is called and at the end of training, so that short epochs need not wait for a disk.

    Args:
        path: the `.keras` file, replaced as a whole.
        history: list of dictionaries, the logs of the epochs before this `fit`.
        build: zero-argument callable that returns an untrained model of the same architecture, in float32.

    Example:

    >>> best = BestModel("best.keras", history=[{"val_nats": 79.5}], build=lambda: pz.models.PixelCNN())
    >>> best.fewest_nats
    79.5
    """

    def __init__(
        self, path: str | os.PathLike[str], history: list[dict[str, float]], build: Callable[[], keras.Model]
    ) -> None:
        super().__init__()
        self.path, self.build = pathlib.Path(path), build
        self.fewest_nats = min((logs["val_nats"] for logs in history), default=math.inf)
        self._weights: list[np.ndarray] | None = None
        self._untrained: keras.Model | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if logs["val_nats"] < self.fewest_nats and all(map(math.isfinite, logs.values())):
            self.fewest_nats = logs["val_nats"]
            self._weights = [keras.ops.convert_to_numpy(weight).copy() for weight in self.model.weights]

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.write()

    def write(self) -> None:
        """Write the file if there is a better model than the one it holds."""
        if self._weights is None:
            return
        if self._untrained is None:
            self._untrained = self.build()
        self._untrained.set_weights(self._weights)
        with replacing(self.path) as temporary:
            self._untrained.save(temporary)
        self._weights = None
