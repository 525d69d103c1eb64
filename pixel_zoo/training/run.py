"""Training the model of a recipe, with a record of it."""

import contextlib
import csv
import importlib.util
import logging
import math
import os
import pathlib
from collections.abc import Iterator

import keras
import numpy as np

from pixel_zoo import pictures
from pixel_zoo.checks import positive_integer
from pixel_zoo.training.callbacks.best_model import BestModel
from pixel_zoo.training.callbacks.checkpoint import Checkpoint
from pixel_zoo.training.callbacks.memory import KeepFreedMemory
from pixel_zoo.training.callbacks.pace import Pace
from pixel_zoo.training.callbacks.patience import Patience
from pixel_zoo.training.callbacks.profile import Profile
from pixel_zoo.training.callbacks.resumable import Resumable
from pixel_zoo.training.callbacks.stop_after import StopAfter
from pixel_zoo.training.device_loop import DeviceLoop, check_steps_per_call, default_steps_per_call
from pixel_zoo.training.distribution import OneDevice, distribution
from pixel_zoo.training.evaluation import evaluate
from pixel_zoo.training.feed import columns, feed
from pixel_zoo.training.recipe import Recipe
from pixel_zoo.training.record import record_configuration, rewrite_log, run_directory
from pixel_zoo.training.report import write_report
from pixel_zoo.training.sample_grid import SampleGrid, conditions_of_samples, save_samples
from pixel_zoo.training.set_up import build_model, compile_model, starting_model, steps_per_epoch
from pixel_zoo.training.teacher_predictions import are_kept, forget_predictions, predictions_of_teacher

#: Relative difference of validation nats that rounding to bfloat16 explains. More means that the weights depend on it.
MIXED_PRECISION_ROUNDING = 0.005


def train(
    recipe: Recipe,
    output: str | os.PathLike[str],
    *,
    resume: bool = False,
    distribute: str | None = None,
    minutes: float | None = None,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float = 10.0,
    steps_per_call: int | None = None,
    samples: bool = True,
    profile: bool = False,
    verbose: int | str = "auto",
) -> keras.Model:
    """Train the model of a recipe and write the results and a record of the run into `output`.

    | file | what it holds |
    |---|---|
    | `config.json` | the recipe, versions, backend, machine, a hash of the training images |
    | `log.csv`, `tensorboard/` | for each epoch: loss, nats, bits/dim of both splits, seconds since the start; \
      TensorBoard also shows the samples, if the extra `tensorboard` is installed |
    | `teacher-*.npy` | the teacher's predictions for the training images, up to 1 GiB, until training ends |
    | `model.keras` | the model and optimizer after the last epoch |
    | `best.keras` | the model after the epoch with the fewest validation nats, without the optimizer |
    | `state.npz` | everything that `resume` needs |
    | `samples/` | sixteen images after each epoch |
    | `samples.png`, `loss.png`, `report.md` | samples of `best.keras`; the curves of `log.csv`; a summary |
    | `profile/` | with `profile`: a trace of ten steps, for TensorBoard |

    Pictures need Pillow and matplotlib; without them, they are left out.

    With `ema_momentum`, validation figures, samples and both `.keras` files are those of the averaged weights.

    `resume` continues a run from the last saved step, whatever interrupted it. The result is bit-identical to that of
    an uninterrupted run on the same machine: weights, averages, optimizer, order of images, random numbers, metrics.
    Ctrl-C and SIGTERM save first. Any other interruption costs the steps since the last save. Files are always whole.

    Args:
        recipe: a `Recipe`.
        output: directory that does not exist yet, or is empty, or, with `resume`, holds a run of this recipe.
        resume: whether to continue the run in `output`, or to start one if there is none.
        distribute: how to distribute the run over devices or machines, see `pixel_zoo.training.distribution`:
            "mirrored", "multiworker" or "data_parallel"; None trains on one device. `batch_size` is the total over all
            devices, and the weights equal those of one device up to rounding. All processes share `output`; the first
            one writes to it. With several processes, the state is saved by steps and epochs only, and a signal ends
            them at once.
        minutes: stop after this many minutes, in one process; None trains all epochs of the recipe.
        checkpoint_steps: int, save the state every this many steps, or None.
        checkpoint_minutes: float, save it every this many minutes. It is also saved at the end of an epoch, unless
            saving so often would take more than two percent of the time.
        steps_per_call: int, training steps that run on the device in one call, with the training images in its memory;
            JAX only. None takes 100 on an accelerator under JAX, otherwise 1. Logs, signals and `minutes` are handled
            between calls.
        samples: whether to draw samples after each epoch and at the end.
        profile: whether to write a trace of ten steps of the first epoch.
        verbose: as of Keras's `fit`: 0 silent, 1 a progress bar, 2 one line an epoch.

    Returns:
        The model, with the weights of `best.keras`; in any but the first of several processes, with those that
        training ended with.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: `output` holds files, or can't be written.
        MemoryError: `steps_per_call` is above 1 and the device has no room for the training images.
        TimeoutError: `minutes` are over before the teacher has predicted the training images; `resume` continues.
        OSError: for example, the disk is full; what was saved before is whole.
        TypeError, ValueError: the model can't be built for these images or can't learn from the teacher, `output` holds
            a run of another recipe or engine, or training diverged (`output` then keeps the last good weights).

    Example:

    >>> import tempfile
    >>> from pixel_zoo.training import Recipe
    >>> options = {"filters": 4, "num_blocks": 1, "head_filters": 8}
    >>> recipe = Recipe(data="digits", model="PixelCNN", model_options=options, batch_size=128, epochs=1)
    >>> model = train(recipe, tempfile.mkdtemp(), verbose=0)
    """
    if checkpoint_steps is not None:
        positive_integer("checkpoint_steps", checkpoint_steps)
    if not checkpoint_minutes > 0:
        raise ValueError(f"checkpoint_minutes must be above 0, got {checkpoint_minutes!r}")
    stop = [] if minutes is None else [StopAfter(minutes)]
    devices = distribution(distribute)  # before anything else, because it configures the engine
    if minutes is not None and devices.several_processes:
        raise ValueError(f"minutes: several processes must end at the same step, and clocks differ; got {minutes!r}")
    if recipe.batch_size % devices.replicas:
        raise ValueError(f"batch_size must be a multiple of the {devices.replicas} devices, got {recipe.batch_size}")
    if steps_per_call is not None:
        check_steps_per_call(positive_integer("steps_per_call", steps_per_call), devices)
    steps = steps_per_epoch(recipe)
    steps_per_call = min(steps, steps_per_call or default_steps_per_call(devices))
    memory = KeepFreedMemory()
    keras.utils.set_random_seed(recipe.seed)
    with devices.build_scope():
        model = starting_model(recipe)
        compile_model(model, recipe, steps, distributed=distribute is not None)
    devices.prepare(model)
    with run_directory(output, resume, devices) as own:
        record_configuration(own / "config.json", recipe, model, steps_per_call)
        resumable = Resumable(
            pathlib.Path(output) / "state.npz",
            steps,
            steps_per_call=steps_per_call,
            every_steps=checkpoint_steps,
            every_minutes=math.inf if devices.several_processes else checkpoint_minutes,
            writes=devices.is_first,
        )
        drawn = samples and pictures.can_draw()
        callbacks = [*stop, memory, *_callbacks(own, recipe, resumable, profile, drawn), resumable]
        targets = None
        if _keeps_predictions(model, recipe, devices, steps_per_call) and not resumable.has_finished(recipe.epochs):
            resumable.stopwatch.start()
            deadline, progress = stop[0].end if stop else math.inf, None if verbose else False
            targets = predictions_of_teacher(model, columns(recipe, "train"), own, deadline, progress)
        signals = contextlib.nullcontext() if devices.several_processes else resumable.obeying_signals()
        with signals, devices.train_scope(), _engine(model, recipe, steps_per_call, targets):
            history = model.fit(
                **feed(recipe, resumable.position, devices, steps_per_call, targets),
                initial_epoch=resumable.epoch,
                epochs=recipe.epochs,
                callbacks=callbacks,
                verbose=verbose if devices.is_first else 0,
            ).history
        if not model.stop_training:
            forget_predictions(own)
        if devices.is_first and (own / "best.keras").exists():
            model = _with_best_weights(model, recipe, own / "best.keras", devices)
            _conclude(own, recipe, model, drawn)
    devices.wait_for_all()
    if not math.isfinite(history["loss"][-1]):
        raise ValueError(
            f"learning_rate={recipe.learning_rate}: training diverged in epoch {resumable.epoch + 1}; "
            f"lower it or set clip_norm ({output} keeps the last good weights)"
        )
    return model


def _keeps_predictions(model: keras.Model, recipe: Recipe, devices: OneDevice, steps_per_call: int) -> bool:
    """Whether there is room for a teacher's predictions for all images; if not, it predicts each batch."""
    if recipe.teacher is None or devices.replicas > 1:
        return False
    return are_kept(model._teacher, columns(recipe, "train"), steps_per_call)


@contextlib.contextmanager
def _engine(model: keras.Model, recipe: Recipe, steps_per_call: int, targets: np.ndarray | None) -> Iterator[None]:
    """Inside, `fit` loops on the device if a call takes several steps, and takes targets as a teacher's predictions."""
    if steps_per_call > 1:
        model.train_function = DeviceLoop(model, columns(recipe, "train"), targets)
    if targets is not None:
        model._teacher.targets_are_predictions = True
    try:
        yield
    finally:
        if targets is not None:
            model._teacher.targets_are_predictions = False
        if steps_per_call > 1 or targets is not None:
            model.train_function = None  # Keras makes its own again


def _callbacks(
    output: pathlib.Path, recipe: Recipe, resumable: Resumable, profile: bool, samples: bool
) -> list[keras.callbacks.Callback]:
    """The callbacks that record a run; `resumable` knows the epochs before this process."""
    history = resumable.history
    rewrite_log(output / "log.csv", history)
    best = BestModel(output / "best.keras", history, build=lambda: build_model(recipe, mixed_precision=False))
    resumable.before_saving = best.write  # a state that counts an epoch must not outlive that epoch's weights
    return [
        resumable.stopwatch,
        keras.callbacks.TerminateOnNaN(),
        # Before anything that evaluates or saves at the end of an epoch, which must see the averaged weights.
        *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if recipe.ema_momentum is not None else []),
        *([Patience(recipe.patience, history)] if recipe.patience is not None else []),
        keras.callbacks.CSVLogger(output / "log.csv", append=True),
        *_tensorboard(output / "tensorboard"),
        *([Profile(output / "profile")] if profile else []),
        Checkpoint(output / "model.keras", pace=Pace()),
        best,
        *([_sample_grid(output, recipe)] if samples else []),
    ]


def _sample_grid(output: pathlib.Path, recipe: Recipe) -> SampleGrid:
    events = output / "tensorboard" / "samples"
    return SampleGrid(output / "samples", recipe.seed, events, conditions_of_samples(recipe))


def _with_best_weights(model: keras.Model, recipe: Recipe, path: pathlib.Path, devices: OneDevice) -> keras.Model:
    """The model with its best weights.

    It is a new model in mixed precision, because `best.keras` computes in float32, and with several processes, because
    all of them would have to take part in any use of the trained one.
    """
    if devices.several_processes or recipe.mixed_precision:
        return keras.models.load_model(path)
    model.set_weights(keras.models.load_model(path).get_weights())
    return model


def _conclude(output: pathlib.Path, recipe: Recipe, model: keras.Model, samples: bool) -> None:
    """Write the pictures and the report of the best model of a run."""
    if samples:
        save_samples(model, recipe.seed, output / "samples.png", conditions_of_samples(recipe))
    if pictures.can_draw():
        pictures.save_loss_curve(output / "log.csv", output / "loss.png")
    else:
        logging.getLogger("pixel_zoo").warning(f"{output}: no pictures, which need Pillow and matplotlib")
    write_report(output, recipe, model, samples, _float32_nats(output, recipe, model))


def _float32_nats(output: pathlib.Path, recipe: Recipe, model: keras.Model) -> float | None:
    """After training in mixed precision, the validation nats of the saved model; a warning if the log has fewer."""
    if not recipe.mixed_precision:
        return None
    with open(output / "log.csv", newline="") as file:
        logged = min(float(row["val_nats"]) for row in csv.DictReader(file))
    nats = float(evaluate(model, recipe.data, "validation", data_options=recipe.data_options)["nats"])
    if nats > logged * (1 + MIXED_PRECISION_ROUNDING):
        logging.getLogger("pixel_zoo").warning(
            f"{output}: best.keras has {nats:.3f} validation nats in float32, but {logged:.3f} in the mixed precision "
            "that it was trained in. Trust the first figure"
        )
    return nats


def _tensorboard(directory: pathlib.Path) -> list[keras.callbacks.Callback]:
    """A callback that writes scalars for TensorBoard, where it and TensorFlow are installed."""
    missing = [name for name in ("tensorflow", "tensorboard") if importlib.util.find_spec(name) is None]
    if missing:
        logging.getLogger("pixel_zoo").warning(f"{directory} is not written: that needs the package {missing[0]}")
        return []
    return [keras.callbacks.TensorBoard(directory, write_graph=False)]
