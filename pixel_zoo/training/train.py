"""From a recipe to a trained model and the record of its training."""

import contextlib
import csv
import dataclasses
import importlib.metadata
import importlib.util
import json
import logging
import math
import os
import pathlib
import platform
import tempfile

import keras

from pixel_zoo import backend, data, models
from pixel_zoo.checks import positive_integer
from pixel_zoo.files import replacing, writable_directory
from pixel_zoo.training import pictures
from pixel_zoo.training.checkpoint import Checkpoint
from pixel_zoo.training.distribution import distribution
from pixel_zoo.training.feed import feed
from pixel_zoo.training.memory import KeepFreedMemory
from pixel_zoo.training.patience import Patience
from pixel_zoo.training.profile import Profile
from pixel_zoo.training.report import write_report
from pixel_zoo.training.resumable import Resumable
from pixel_zoo.training.sample_grid import SampleGrid, save_samples
from pixel_zoo.training.stop_after import StopAfter
from pixel_zoo.version import VERSION

PACKAGES = ("keras", "tensorflow", "jax", "numpy")


def train(
    recipe,
    output,
    *,
    resume=False,
    distribute=None,
    minutes=None,
    checkpoint_steps=None,
    checkpoint_minutes=10.0,
    profile=False,
    verbose="auto",
):
    """Train the model of a recipe and write into `output` what came of it.

    | file | what it holds |
    |---|---|
    | `config.json` | the recipe, versions, backend, machine, a hash of the training images |
    | `log.csv`, `tensorboard/` | loss, nats, bits per dimension of both splits, seconds until then, for each epoch |
    | `model.keras` | the last epoch's weights and optimiser |
    | `best.keras` | those of the epoch with the fewest validation nats |
    | `state.npz` | all that `resume` needs |
    | `samples/` | sixteen images after each epoch |
    | `samples.png`, `loss.png`, `report.md` | samples of `best.keras`; the curves of `log.csv`; a summary |
    | `profile/` | with `profile`: what ran when in ten steps, for TensorBoard |

    Pictures are left out where Pillow or matplotlib is not installed.

    With `ema_momentum`, validation figures, samples and both `.keras` files are those of the averaged weights.

    A run that has ended too early, whatever ended it, goes on with `resume`: weights, averages, optimiser, the order of
    images, random numbers and metrics are those of the last saved step, and on the same machine every bit of the result
    is what it would have been. Ctrl-C and SIGTERM save first. Whatever else ends the process costs at most the steps
    since the last time; files are always whole.

    Args:
        recipe: a `Recipe`.
        output: directory that does not exist yet, or is empty, or, with `resume`, holds a run of this recipe.
        resume: whether to go on with the run in `output`; where there is none, one is started.
        distribute: how to spread the run over devices or machines, see `pixel_zoo.training.distribution`: "mirrored",
            "multiworker" or "data_parallel"; None trains on one. `batch_size` is that of all together, and the weights
            are those of one device to rounding. All processes have `output` in common; the first one writes there.
            Several processes save the state by steps and epochs only, and a signal ends them at once.
        minutes: train no longer than this, in one process; None trains all epochs of the recipe.
        checkpoint_steps: int, save the state each so many steps, or None.
        checkpoint_minutes: float, save it when so many minutes have passed. It is also saved at each epoch's end.
        profile: whether to write a trace of ten steps of the first epoch.
        verbose: as of Keras's `fit`: 0 silent, 1 a bar, 2 a line an epoch.

    Returns:
        The model, with the weights of `best.keras`; in any but the first of several processes, with those that
        training ended with.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: `output` holds files, or can't be written.
        OSError: the disk is full, say; what was saved before is whole.
        ValueError: the model can't be built for these images, `output` holds a run of another recipe, or training
            diverged (`output` then keeps the last good weights).

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
    spread = distribution(distribute)  # first of all: it configures the engine
    if minutes is not None and spread.several_processes:
        raise ValueError(f"minutes: several processes must end at the same step, and clocks differ; got {minutes!r}")
    if recipe.batch_size % spread.replicas:
        raise ValueError(f"batch_size must be a multiple of the {spread.replicas} devices, got {recipe.batch_size}")
    memory = KeepFreedMemory()
    keras.utils.set_random_seed(recipe.seed)
    steps_per_epoch = _steps_per_epoch(recipe)
    with spread.making():
        model = build_model(recipe)
        compile_model(model, recipe, steps_per_epoch, distributed=distribute is not None)
    spread.prepare(model)
    with _own_directory(output, resume, spread) as own:
        _configure(own / "config.json", recipe, model)
        resumable = Resumable(
            pathlib.Path(output) / "state.npz",
            steps_per_epoch,
            every_steps=checkpoint_steps,
            every_minutes=math.inf if spread.several_processes else checkpoint_minutes,
            writes=spread.is_first,
        )
        callbacks = [*stop, memory, *_callbacks(own, recipe, resumable, profile), resumable]
        signals = contextlib.nullcontext() if spread.several_processes else resumable.obeying_signals()
        with signals, spread.training():
            history = model.fit(
                **feed(recipe, resumable.position, spread),
                initial_epoch=resumable.epoch,
                epochs=recipe.epochs,
                callbacks=callbacks,
                verbose=verbose if spread.is_first else 0,
            ).history
        if spread.is_first and (own / "best.keras").exists():
            model = _with_best_weights(model, own / "best.keras", spread)
            _conclude(own, recipe, model)
    spread.meet()
    if not math.isfinite(history["loss"][-1]):
        raise ValueError(
            f"learning_rate={recipe.learning_rate}: training diverged in epoch {resumable.epoch + 1}; "
            f"lower it or set clip_norm ({output} keeps what was good)"
        )
    return model


def build_model(recipe):
    """The untrained model of a recipe, for the image shape and levels of its data set."""
    info = data.info(recipe.data, **recipe.data_options)
    return getattr(models, recipe.model)(image_shape=info.image_shape, levels=info.levels, **recipe.model_options)


def build_optimizer(recipe, steps_per_epoch):
    """The Keras optimiser of a recipe, its schedule stretched over all steps of all epochs."""
    learning_rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if recipe.warmup_steps else recipe.learning_rate,
            decay_steps=max(1, recipe.epochs * steps_per_epoch - recipe.warmup_steps),
            warmup_target=recipe.learning_rate if recipe.warmup_steps else None,
            warmup_steps=recipe.warmup_steps,
        )
    options = {"learning_rate": learning_rate, "global_clipnorm": recipe.clip_norm}
    if recipe.weight_decay is not None:
        options["weight_decay"] = recipe.weight_decay
    if recipe.accumulation_steps > 1:
        options["gradient_accumulation_steps"] = recipe.accumulation_steps
    if recipe.ema_momentum is not None:
        options |= {"use_ema": True, "ema_momentum": recipe.ema_momentum}
    return keras.optimizers.get({"class_name": recipe.optimizer, "config": options})


def compile_model(model, recipe, steps_per_epoch, distributed=False):
    """Compile a model as its recipe says, and make every variable that training needs."""
    optimizer = build_optimizer(recipe, steps_per_epoch)
    optimizer.build(model.trainable_variables)  # else TensorFlow traces the step twice: to make variables, and to run
    jit_compile = "auto" if recipe.jit_compile is None else recipe.jit_compile
    if distributed and keras.backend.backend() == "tensorflow":
        jit_compile = False  # XLA does not compile what tf.distribute's replicas say to each other
    model.compile(optimizer=optimizer, jit_compile=jit_compile)
    _build_metrics(model)


def _steps_per_epoch(recipe):
    """The whole batches of the training split."""
    images = data.info(recipe.data, **recipe.data_options).splits["train"]
    if images < recipe.batch_size:
        raise ValueError(f"batch_size must be at most {images}, the training images there are, got {recipe.batch_size}")
    return images // recipe.batch_size


def _build_metrics(model):
    """Make the metrics' variables, which Keras would make in the first step: `resume` gives them values before."""
    inputs = {"image": keras.KerasTensor((1, *model.image_shape), "int32")}
    if model.num_classes is not None:
        inputs["label"] = keras.KerasTensor((1,), "int32")
    inputs = inputs if len(inputs) > 1 else inputs["image"]
    outputs = model.compute_output_spec(inputs)
    zeros = keras.tree.map_structure(lambda tensor: keras.ops.zeros(tensor.shape, tensor.dtype), (inputs, outputs))
    model.compute_metrics(zeros[0], None, zeros[1])
    model.reset_metrics()


def _callbacks(output, recipe, resumable, profile):
    """What follows the epochs and writes what comes of them; `resumable` knows those before."""
    history = resumable.history
    _rewrite_log(output / "log.csv", history)
    fewest_nats = min((logs["val_nats"] for logs in history), default=None)
    best = {"monitor": "val_nats", "mode": "min", "save_best_only": True, "initial_value_threshold": fewest_nats}
    return [
        resumable.stopwatch,
        keras.callbacks.TerminateOnNaN(),
        # Before whatever evaluates or saves at the end of an epoch: from there on the averaged weights are the model's.
        *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if recipe.ema_momentum is not None else []),
        *([Patience(recipe.patience, history)] if recipe.patience is not None else []),
        keras.callbacks.CSVLogger(output / "log.csv", append=True),
        *_tensorboard(output / "tensorboard"),
        *([Profile(output / "profile")] if profile else []),
        Checkpoint(output / "model.keras"),
        Checkpoint(output / "best.keras", **best),
        *([SampleGrid(output / "samples", recipe.seed)] if pictures.can_draw() else []),
    ]


def _with_best_weights(model, path, spread):
    """The model with its best weights; one of its own, if every process would have to do what is done with this one."""
    if spread.several_processes:
        return keras.models.load_model(path)
    model.load_weights(path)
    return model


def _conclude(output, recipe, model):
    """Write what shows the best model of a run."""
    if pictures.can_draw():
        save_samples(model, recipe.seed, output / "samples.png")
        pictures.save_loss_curve(output / "log.csv", output / "loss.png")
    else:
        logging.getLogger("pixel_zoo").warning(f"{output}: no pictures, which need Pillow and matplotlib")
    write_report(output, recipe, model)


def _tensorboard(directory):
    """A callback that writes scalars for TensorBoard, where it and TensorFlow are installed."""
    if importlib.util.find_spec("tensorboard") is None or importlib.util.find_spec("tensorflow") is None:
        return []
    return [keras.callbacks.TensorBoard(directory, write_graph=False)]


@contextlib.contextmanager
def _own_directory(output, resume, spread):
    """`output`, for the first of several processes. The others must do all that it does, but not write there."""
    if spread.is_first:
        yield _directory(output, resume)
    else:
        with tempfile.TemporaryDirectory() as thrown_away:
            yield pathlib.Path(thrown_away)


def _directory(path, resume):
    """Make the directory `path`, unless it holds something other than a run that is to go on."""
    path = pathlib.Path(path)
    going_on = resume and (path / "config.json").exists()
    if path.is_dir() and any(path.iterdir()) and not going_on:
        choice = "resume that run (--resume), or " if (path / "config.json").exists() else ""
        raise FileExistsError(f"output: {str(path)!r} already holds files; {choice}name a new or empty directory")
    return writable_directory(path)


def _configure(path, recipe, model):
    """Write config.json: all that it takes to do this run again; or, if it is there, see that this is the same run."""
    if path.exists():
        _check_same_run(json.loads(path.read_text()), recipe)
        return
    configuration = {
        "recipe": dataclasses.asdict(recipe),
        "parameters": model.count_params(),
        "training_images_sha256": data.content_hash(recipe.data, "train", **recipe.data_options),
        "backend": keras.backend.backend(),
        "machine": ", ".join([f"{_cores()} of {_processor()}", *backend.accelerators()]),
        "versions": {"python": platform.python_version(), "pixel-zoo": VERSION}
        | {name: _version(name) for name in PACKAGES},
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(configuration, indent=2) + "\n")


def _check_same_run(configuration, recipe):
    """Raise unless a run with this config.json would go on with this recipe, on these images, by this backend."""
    now = {
        "backend": keras.backend.backend(),
        "training_images_sha256": data.content_hash(recipe.data, "train", **recipe.data_options),
        **json.loads(json.dumps(dataclasses.asdict(recipe))),
    }
    before = configuration | configuration["recipe"]
    for name, value in now.items():
        if before.get(name) != value:
            raise ValueError(f"resume: the run was started with {name}={before.get(name)!r}, got {value!r}")


def _rewrite_log(path, history):
    """Let log.csv hold the epochs of `history` alone: a run may have ended after an epoch that is done again."""
    path.unlink(missing_ok=True)
    if history:
        with replacing(path) as temporary, open(temporary, "w", newline="") as file:
            # Names in the order of Keras's CSVLogger, which goes on with this file.
            writer = csv.DictWriter(file, ["epoch", *sorted(history[0])])
            writer.writeheader()
            writer.writerows({"epoch": epoch, **logs} for epoch, logs in enumerate(history))


def _cores():
    """How many cores this process may use, in words."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return "1 core" if count == 1 else f"{count} cores"


def _processor():
    """What the processor's maker calls it, where the system says so; else its kind."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package):
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
