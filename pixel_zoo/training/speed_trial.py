"""How fast a recipe trains, measured before a run."""

import dataclasses
import time

import keras
import numpy as np

from pixel_zoo.training.device_loop import DeviceLoop
from pixel_zoo.training.feed import RowBlocks
from pixel_zoo.training.recipe import Recipe
from pixel_zoo.training.set_up import compile_model, starting_model
from pixel_zoo.training.teacher_predictions import are_kept, shape_of_predictions, some_images


@dataclasses.dataclass(frozen=True)
class Trial:
    """The results of a trial.

    Args:
        compile_seconds: time of the first call, which compiles.
        step_seconds: time of a training step in the second call.
        loss: the mean loss over all of these steps.
        teacher_seconds: about what the teacher takes to predict all images before training; 0 without predictions.
    """

    compile_seconds: float
    step_seconds: float
    loss: float
    teacher_seconds: float = 0.0


def trial(recipe: Recipe, columns: np.ndarray | dict[str, np.ndarray], steps_per_call: int = 100) -> Trial:
    """Time two calls of the device loop that `train` would run for a recipe; nothing is written.

    JAX's compilation cache, if there is one, then holds the program that `train` compiles.

    Args:
        recipe: a `Recipe`.
        columns: the model's inputs as of `DeviceLoop`, as many rows as in training. Their values do not matter.
        steps_per_call: int, as of `train`.

    Returns:
        A `Trial`.

    Example:

    >>> from pixel_zoo import data
    >>> from pixel_zoo.training import Recipe
    >>> options = {"filters": 4, "num_blocks": 1, "head_filters": 8}
    >>> recipe = Recipe(data="digits", model="PixelCNN", model_options=options, batch_size=128)
    >>> if keras.backend.backend() == "jax":
    ...     assert trial(recipe, data.arrays("digits", "train"), steps_per_call=2).step_seconds > 0
    """
    count = len(keras.tree.flatten(columns)[0])
    keras.utils.set_random_seed(recipe.seed)
    model = starting_model(recipe)
    compile_model(model, recipe, count // recipe.batch_size)
    variables = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = tuple([variable.value for variable in each] for each in variables)
    targets, teacher_seconds = _teacher(model, columns, steps_per_call)
    loop = DeviceLoop(model, columns, targets)
    blocks = iter(RowBlocks(count, recipe.batch_size, min(steps_per_call, count // recipe.batch_size), recipe.seed))
    seconds = []
    for _ in range(2):
        block = next(blocks)
        started = time.monotonic()
        logs, state = loop(state, iter([block]))
        loss = float(logs["loss"])  # waits for the device
        seconds.append(time.monotonic() - started)
    steps = int((block[0][:, 0] != RowBlocks.NOTHING).sum())
    return Trial(seconds[0], seconds[1] / steps, loss, teacher_seconds)


def _teacher(
    model: keras.Model, columns: np.ndarray | dict[str, np.ndarray], steps_per_call: int
) -> tuple[np.ndarray | None, float]:
    """Targets in the place of a teacher's predictions, and about what it takes to predict them; or (None, 0.0)."""
    teacher = model._teacher
    if teacher is None or not are_kept(teacher, columns, steps_per_call):
        return None, 0.0
    some = some_images(columns, 0)
    teacher.predict(model, some)  # compiles
    started = time.monotonic()
    count = len(teacher.predict(model, some))
    seconds = time.monotonic() - started
    teacher.targets_are_predictions = True
    shape = shape_of_predictions(teacher, columns)
    return np.zeros(shape, "float32"), seconds * shape[0] / count
