"""A trace of some training steps."""

import os

import keras

from pixel_zoo import backend


class Profile(keras.callbacks.Callback):
    """Writes a trace of some steps of the first epoch, which TensorBoard's profiler shows.

    Args:
        directory: where to write it, below `plugins/profile/`.
        first: int, the first step that is traced; those before it compile.
        last: int, the last one; an epoch that ends before it ends the trace.

    Example:

    >>> callbacks = [Profile("runs/mine/profile")]
    """

    def __init__(self, directory: str | os.PathLike[str], first: int = 3, last: int = 12) -> None:
        super().__init__()
        self.directory, self.first, self.last = directory, first, last
        self.tracing = self.done = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if batch == self.first and not self.done:
            backend.start_trace(self.directory)
            self.tracing = self.done = True

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if batch == self.last:
            self._stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.tracing:
            backend.stop_trace()
        self.tracing = False
