"""Early stopping that counts the epochs before a run was resumed."""

import keras


class Patience(keras.callbacks.EarlyStopping):
    """Stops training after a number of epochs without fewer validation nats.

    Args:
        epochs: int, how many.
        history: list of dictionaries, the logs of the epochs before this `fit`.

    Example:

    >>> Patience(3, history=[]).patience
    3
    """

    def __init__(self, epochs: int, history: list[dict[str, float]]) -> None:
        super().__init__(monitor="val_nats", mode="min", patience=epochs)
        self.history = list(history)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        for epoch, epoch_logs in enumerate(self.history):
            self.on_epoch_end(epoch, epoch_logs)
