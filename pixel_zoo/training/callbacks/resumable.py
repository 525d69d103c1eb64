"""Saving a run while it trains, and resuming it."""

import contextlib
import os
import pathlib
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import keras

from pixel_zoo.training.callbacks.pace import Pace
from pixel_zoo.training.callbacks.stopwatch import Stopwatch
from pixel_zoo.training.state import load_state, restore, save_state

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Resumable(keras.callbacks.Callback):
    """Saves the state of a run, and resumes a run from its last saved state, bit for bit.

    The state is saved at the end of a step: after a number of steps or minutes, after the last step of an epoch (before
    its validation), when training is told to stop, and when a signal asks the process to end. At the end of an epoch
    it is skipped if saving would take more than two percent of the time, except in the last epoch. A run resumes
    inside its epoch: a no-op train function skips the completed steps, and the metrics continue from their sums.

    Put it last, so that nothing of a step happens after it.

    Args:
        path: the `.npz` file; if it exists, the run continues from it.
        steps_per_epoch: int, steps of training.
        steps_per_call: int, steps that the train function takes at a time: what Keras then counts as a batch.
        every_steps: int, save every this many steps (at the end of a call); or None.
        every_minutes: float, save when this many minutes have passed since the last save.
        writes: bool, whether this process is the one of several that writes. They all read.

    Attributes:
        epoch: int, the epoch to begin with.
        history: list of dictionaries, the logs of the epochs before it.
        stopwatch: a `Stopwatch` that continues from the seconds before; add it as a separate callback.
        before_saving: zero-argument callable, called before each save.

    Raises:
        ValueError: the state in `path` is not at the end of a call, or the file holds something else.

    Example:

    >>> resumable = Resumable("state.npz", steps_per_epoch=100)
    >>> resumable.epoch, resumable.position()
    (0, (0, 0))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        steps_per_epoch: int,
        *,
        steps_per_call: int = 1,
        every_steps: int | None = None,
        every_minutes: float = 10.0,
        writes: bool = True,
    ) -> None:
        super().__init__()
        path = pathlib.Path(path)
        self.path, self.steps_per_epoch, self.steps_per_call = path, steps_per_epoch, steps_per_call
        self.every_steps, self.every_minutes, self.writes = every_steps, every_minutes, writes
        self.epoch, self.history, self._skipped_calls, self.stopwatch = 0, [], 0, Stopwatch()
        self._arrays = self._train_function = None
        if path.exists():
            progress, self._arrays = load_state(path)
            _check_progress(path, progress)
            self.epoch, self.history = progress["epoch"], progress["history"]
            self._skipped_calls = self._calls(progress["steps"])
            self.stopwatch = Stopwatch(progress["seconds"])
        self._signal: int | None = None
        self._saved_all = False
        self._pace = Pace()
        self.before_saving = lambda: None

    def _calls(self, steps: int) -> int:
        """The number of calls that take this many steps of an epoch."""
        if steps % self.steps_per_call and steps != self.steps_per_epoch:
            raise ValueError(f"resume: the state is after {steps} steps, no multiple of {self.steps_per_call} a call")
        return -(-steps // self.steps_per_call)

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self._unsynced_model = model  # `self.model` first updates JAX's variables, which takes time

    def has_finished(self, epochs: int) -> bool:
        """Return whether a run of so many epochs had taken all of its steps when it was saved."""
        return self.epoch + 1 == epochs and self._skipped_calls == self._calls(self.steps_per_epoch)

    def position(self) -> tuple[int, int]:
        """Return (epoch, completed calls of it): the feed of images begins each epoch there."""
        return self.epoch, self._skipped_calls

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._saved = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch
        if self._arrays is None:
            self._skipped_calls = 0
            return
        restore(self.model, self._arrays)
        self._arrays = None
        self._train_function = self.model.train_function
        self.model.train_function = _no_step(self.model.get_metrics_result())

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._saved_all = False
        if batch == self._skipped_calls:
            self._take_steps()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        calls = batch + 1
        if calls <= self._skipped_calls:
            return
        steps = min(calls * self.steps_per_call, self.steps_per_epoch)
        last = steps == self.steps_per_epoch
        if self._due(steps) or self._signal is not None or self._unsynced_model.stop_training:
            self._save(steps)
        self._obey()
        self._saved_all = last

    def _save(self, steps: int) -> None:
        seconds = self.stopwatch.seconds
        progress = {"epoch": self.epoch, "steps": steps, "history": self.history, "seconds": seconds}
        with self._pace.saving():
            self.before_saving()
            save_state(self.path if self.writes else None, self.model, progress)
        self._saved = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self._take_steps()
        self.history.append({name: float(value) for name, value in logs.items()})

    def _due(self, steps: int) -> bool:
        """Whether to save after this many steps of the epoch."""
        if steps == self.steps_per_epoch:
            return self._pace.due() or self.epoch + 1 == self.params["epochs"]
        done = self.epoch * self.steps_per_epoch + steps
        calls_ago = self.steps_per_call
        minutes = (time.monotonic() - self._saved) / 60
        return minutes >= self.every_minutes or (self.every_steps is not None and done % self.every_steps < calls_ago)

    def _take_steps(self) -> None:
        """Use the real train function again."""
        if self._train_function is not None:
            self.model.train_function, self._train_function = self._train_function, None

    @contextlib.contextmanager
    def obeying_signals(self) -> Iterator[None]:
        """Inside, SIGTERM and SIGINT (Ctrl-C) save the state before they take their usual effect.

        They wait for the end of a step, but not during validation: all steps before it are saved then, or are repeated
        by `resume`. A second signal does not wait.
        """
        if threading.current_thread() is not threading.main_thread():  # handlers can be set only there
            yield
            return
        self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            self._restore_handlers()

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        again, self._signal = self._signal is not None, number
        if again or self._saved_all:
            self._obey()

    def _obey(self) -> None:
        if self._signal is not None:
            self._restore_handlers()
            signal.raise_signal(self._signal)

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def _check_progress(path: pathlib.Path, progress: Any) -> None:
    """Raise a ValueError unless what a file says of its progress is what `Resumable` writes."""
    kinds = {"epoch": int, "steps": int, "history": list, "seconds": int | float}
    known = isinstance(progress, dict) and all(isinstance(progress.get(name), kind) for name, kind in kinds.items())
    if not known or not all(isinstance(logs, dict) for logs in progress["history"]):
        raise ValueError(
            f"resume: {str(path)!r} is not the state of a run: its progress must hold {', '.join(kinds)}, got "
            f"{str(progress)[:200]}; train into a new directory"
        )


def _no_step(logs: dict[str, Any]) -> Callable:
    """Return a no-op train function for either backend: it leaves the iterator and the state as they are."""
    if keras.backend.backend() == "jax":
        return lambda state, iterator: (logs, state)
    return lambda iterator: logs
