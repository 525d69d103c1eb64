"""How long training has taken."""

import time

import keras


class Stopwatch(keras.callbacks.Callback):
    """Adds to the logs of each epoch `seconds`, the time that the run has taken until its end, validation included.

    Put it before whatever writes logs.

    Args:
        seconds: float, what the run had taken when it was saved, if it is one that goes on.

    Example:

    >>> Stopwatch(seconds=60.0).seconds
    60.0
    """

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self._before = seconds
        self._started: float | None = None

    @property
    def seconds(self) -> float:
        """Float, the time that the run has taken until now."""
        return self._before if self._started is None else self._before + time.monotonic() - self._started

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        logs["seconds"] = self.seconds
