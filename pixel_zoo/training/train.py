"""From a recipe to a trained model and the record of its training."""

import dataclasses
import importlib.metadata
import json
import math
import pathlib
import platform

import keras

from pixel_zoo import data, models
from pixel_zoo.training import pictures
from pixel_zoo.training.checkpoint import Checkpoint
from pixel_zoo.training.files import replacing
from pixel_zoo.training.memory import KeepFreedMemory
from pixel_zoo.training.profile import Profile
from pixel_zoo.training.stop_after import StopAfter

PACKAGES = ("pixel-zoo", "keras", "tensorflow", "jax", "numpy")


def train(recipe, output, *, minutes=None, profile=False, verbose="auto"):
    """Train the model of a recipe and write into `output` what came of it.

    | file | what it holds |
    |---|---|
    | `config.json` | the recipe, versions, backend, a hash of the training images |
    | `log.csv` | loss, nats and bits per dimension of both splits, an epoch a row |
    | `model.keras` | the last epoch's weights and optimiser |
    | `best.keras` | those of the epoch with the fewest validation nats |
    | `samples.png`, `loss.png` | samples of `best.keras`; the curves of `log.csv` |
    | `profile/` | with `profile`: what ran when in ten steps, for TensorBoard |

    With `ema_momentum`, validation figures and both `.keras` files are those of the averaged weights.

    Args:
        recipe: a `Recipe`.
        output: directory that does not exist yet, or is empty.
        minutes: train no longer than this; None trains all epochs of the recipe.
        profile: whether to write a trace of ten steps of the first epoch.
        verbose: as of Keras's `fit`: 0 silent, 1 a bar, 2 a line an epoch.

    Returns:
        The model, with the weights of `best.keras`.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: `output` holds files, or can't be written.
        ValueError: the model can't be built for these images, or training diverged (`output` then keeps the last good
            weights).

    Example:

    >>> import tempfile
    >>> from pixel_zoo.training import Recipe
    >>> options = {"filters": 4, "num_blocks": 1, "head_filters": 8}
    >>> recipe = Recipe(data="digits", model="PixelCNN", model_options=options, batch_size=128, epochs=1)
    >>> model = train(recipe, tempfile.mkdtemp(), verbose=0)
    """
    stop = [] if minutes is None else [StopAfter(minutes)]
    memory = KeepFreedMemory()
    keras.utils.set_random_seed(recipe.seed)
    model = build_model(recipe)
    output = _new_directory(output)
    fed, steps_per_epoch = _feed(recipe)
    optimizer = build_optimizer(recipe, steps_per_epoch)
    optimizer.build(model.trainable_variables)  # else TensorFlow traces the step twice: to make variables, and to run
    model.compile(optimizer=optimizer, jit_compile="auto" if recipe.jit_compile is None else recipe.jit_compile)
    with replacing(output / "config.json") as path:
        path.write_text(json.dumps(_configuration(recipe, model), indent=2) + "\n")

    callbacks = [
        *stop,
        memory,
        keras.callbacks.TerminateOnNaN(),
        # Before whatever evaluates or saves at the end of an epoch: from there on the averaged weights are the model's.
        *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if recipe.ema_momentum is not None else []),
        keras.callbacks.CSVLogger(output / "log.csv"),
        *([Profile(output / "profile")] if profile else []),
        Checkpoint(output / "model.keras"),
        Checkpoint(output / "best.keras", monitor="val_nats", mode="min", save_best_only=True),
    ]
    history = model.fit(**fed, epochs=recipe.epochs, callbacks=callbacks, verbose=verbose).history

    if (output / "best.keras").exists():
        model.load_weights(output / "best.keras")
        given = {} if model.num_classes is None else {"labels": [image % model.num_classes for image in range(16)]}
        samples = model.generate(num_images=16, seed=recipe.seed, **given)
        pictures.save(pictures.grid(samples, columns=4, levels=model.levels), output / "samples.png")
        pictures.save_loss_curve(output / "log.csv", output / "loss.png")
    if not math.isfinite(history["loss"][-1]):
        raise ValueError(
            f"learning_rate={recipe.learning_rate}: training diverged in epoch {len(history['loss'])}; "
            f"lower it or set clip_norm ({output} keeps what was good)"
        )
    return model


def build_model(recipe):
    """The untrained model of a recipe, for the image shape and levels of its data set."""
    info = data.info(recipe.data)
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
    if recipe.ema_momentum is not None:
        options |= {"use_ema": True, "ema_momentum": recipe.ema_momentum}
    return keras.optimizers.get({"class_name": recipe.optimizer, "config": options})


def _feed(recipe):
    """What `fit` takes as its data, and steps an epoch: pipelines for TensorFlow, arrays for any other backend."""
    labels = recipe.model_options.get("num_classes") is not None
    if keras.backend.backend() == "tensorflow":
        images = data.pipeline(recipe.data, "train", recipe.batch_size, seed=recipe.seed, labels=labels)
        validation = data.pipeline(recipe.data, "validation", recipe.batch_size, labels=labels)
        return {"x": images, "validation_data": validation, "shuffle": False}, len(images)

    def of_split(split):
        images = data.arrays(recipe.data, split)
        return {"image": images, "label": data.labels(recipe.data, split)} if labels else images

    steps_per_epoch = math.ceil(data.info(recipe.data).splits["train"] / recipe.batch_size)
    fed = {"x": of_split("train"), "validation_data": (of_split("validation"),), "batch_size": recipe.batch_size}
    return fed, steps_per_epoch


def _new_directory(path):
    """Make the directory `path`, unless it holds anything already."""
    path = pathlib.Path(path)
    if path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"output: {str(path)!r} already holds files; name a directory that is new or empty")
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / ".unfinished").touch()
        (path / ".unfinished").unlink()
    except OSError as error:
        raise type(error)(f"output: {str(path)!r} can't be written: {error.strerror}") from error
    return path


def _configuration(recipe, model):
    """What config.json holds: all that it takes to do this run again, and to tell whether it was the same."""
    return {
        "recipe": dataclasses.asdict(recipe),
        "parameters": model.count_params(),
        "training_images_sha256": data.content_hash(recipe.data, "train"),
        "backend": keras.backend.backend(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def _version(package):
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
