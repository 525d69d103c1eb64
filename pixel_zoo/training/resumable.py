"""Saving a run while it goes on, and going on from there."""

import contextlib
import pathlib
import signal
import threading
import time

import keras

from pixel_zoo.training.state import load_state, restore, save_state
from pixel_zoo.training.stopwatch import Stopwatch

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Resumable(keras.callbacks.Callback):
    """Saves the state of a run, and takes a run up again where it was saved, to the same bits.

    Everything is saved at the end of a step: after so many steps or minutes, after the last step of an epoch (before
    its validation), when training is told to stop, and when a signal asks for the process to end. A run is taken up in
    the midst of its epoch: the steps of before are passed over, the epoch's metrics go on from their sums.

    Put it last: then nothing of a step comes after it.

    Args:
        path: the `.npz` file; if it exists, the run goes on from it.
        steps_per_epoch: int.
        every_steps: int, save after each so many steps; or None.
        every_minutes: float, save when so many minutes have passed since the last time.
        writes: bool, whether this process is the one of several that writes. They all read.

    Attributes:
        epoch: int, the epoch to begin with.
        history: list of dictionaries, the logs of the epochs before it.
        stopwatch: a `Stopwatch` that goes on from the seconds of before; a callback of its own.

    Example:

    >>> resumable = Resumable("state.npz", steps_per_epoch=100)
    >>> resumable.epoch, resumable.position()
    (0, (0, 0))
    """

    def __init__(self, path, steps_per_epoch, every_steps=None, every_minutes=10.0, writes=True):
        super().__init__()
        path = pathlib.Path(path)
        self.path, self.steps_per_epoch = path, steps_per_epoch
        self.every_steps, self.every_minutes, self.writes = every_steps, every_minutes, writes
        self.epoch, self.history, self._passed_over, self.stopwatch = 0, [], 0, Stopwatch()
        self._arrays = self._train_function = None
        if path.exists():
            progress, self._arrays = load_state(path)
            self.epoch, self._passed_over, self.history = progress["epoch"], progress["steps"], progress["history"]
            self.stopwatch = Stopwatch(progress["seconds"])
        self._signal = None
        self._saved_all = False

    def set_model(self, model):
        super().set_model(model)
        self._unsynced_model = model  # `self.model` brings JAX's variables up to date first, which takes time

    def position(self):
        """(epoch, steps of it that are passed over): what the feed of images asks at the start of each pass."""
        return self.epoch, self._passed_over

    def on_train_begin(self, logs=None):
        self._saved = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if self._arrays is None:
            self._passed_over = 0
            return
        restore(self.model, self._arrays)
        self._arrays = None
        self._train_function = self.model.train_function
        self.model.train_function = _no_step(self.model.get_metrics_result())

    def on_train_batch_begin(self, batch, logs=None):
        self._saved_all = False
        if batch == self._passed_over:
            self._take_steps()

    def on_train_batch_end(self, batch, logs=None):
        done = batch + 1
        if done <= self._passed_over:
            return
        last = done == self.steps_per_epoch
        if last or self._due(done) or self._signal is not None or self._unsynced_model.stop_training:
            seconds = self.stopwatch.seconds
            progress = {"epoch": self.epoch, "steps": done, "history": self.history, "seconds": seconds}
            save_state(self.path if self.writes else None, self.model, progress)
            self._saved = time.monotonic()
        self._obey()
        self._saved_all = last

    def on_epoch_end(self, epoch, logs=None):
        self._take_steps()
        self.history.append({name: float(value) for name, value in logs.items()})

    def _due(self, done):
        """Whether it is time to save, so many steps of the epoch being done."""
        step = self.epoch * self.steps_per_epoch + done
        minutes = (time.monotonic() - self._saved) / 60
        return minutes >= self.every_minutes or (self.every_steps is not None and step % self.every_steps == 0)

    def _take_steps(self):
        """From here on steps are taken again."""
        if self._train_function is not None:
            self.model.train_function, self._train_function = self._train_function, None

    @contextlib.contextmanager
    def obeying_signals(self):
        """Inside, SIGTERM and SIGINT (Ctrl-C) first save the state, then do what they would have done anyway.

        They wait for the end of a step; during validation, before which all was saved, they don't. A second one
        doesn't wait at all.
        """
        if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
            yield
            return
        self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            self._restore_handlers()

    def _note(self, number, frame):
        again, self._signal = self._signal is not None, number
        if again or self._saved_all:
            self._obey()

    def _obey(self):
        if self._signal is not None:
            self._restore_handlers()
            signal.raise_signal(self._signal)

    def _restore_handlers(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def _no_step(logs):
    """A train function that does nothing, of either backend: it leaves the iterator and the state as they are."""
    if keras.backend.backend() == "jax":
        return lambda state, iterator: (logs, state)
    return lambda iterator: logs
