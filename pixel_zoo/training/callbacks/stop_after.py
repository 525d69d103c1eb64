"""A bound on the time that training takes."""

import time

import keras


class StopAfter(keras.callbacks.Callback):
    """Stops `fit` at the first batch that ends at least `minutes` after this callback was created.

    The epoch that is cut short is still validated, logged and saved. A learning-rate schedule is measured in steps
    and ignores this bound.

    Args:
        minutes: a number above 0.

    Raises:
        ValueError: `minutes` is not above 0.

    Example:

    >>> StopAfter(minutes=20).seconds
    1200
    """

    def __init__(self, minutes: float) -> None:
        super().__init__()
        if not minutes > 0:
            raise ValueError(f"minutes must be above 0, got {minutes!r}")
        self.seconds = 60 * minutes
        self.end = time.monotonic() + self.seconds

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if time.monotonic() >= self.end:
            self.model.stop_training = True
