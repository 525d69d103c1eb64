"""How long training has taken."""

import time

import keras


class Stopwatch(keras.callbacks.Callback):
    """Adds `seconds` to the logs of each epoch: the time from the start of the run to the end of its validation.

    Put it before callbacks that write logs.

    Args:
        seconds: float, the time that the run had taken before it was resumed; 0 for a new run.

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

    def start(self) -> None:
        """Start it, if it does not run yet, for work before `fit`."""
        self._started = time.monotonic() if self._started is None else self._started

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.start()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        logs["seconds"] = self.seconds
