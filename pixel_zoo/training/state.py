"""All that a run needs to go on from a step as if it had never stopped, in one file."""

import json
import os
from typing import Any

import keras
import numpy as np

from pixel_zoo.files import replacing


def save_state(path: str | os.PathLike[str] | None, model: keras.Model, progress: dict[str, Any]) -> bool:
    """Write every variable of a compiled model, bit by bit, and how far its training is.

    Weights, the optimiser's variables, running metrics and the states of random generators: a `.keras` file leaves
    the last two out. Nothing is written if a number is not finite, so that the file before stays.

    Args:
        path: the `.npz` file, replaced whole or not at all; None only reads the values, which takes every process of
            a distributed run.
        model: the model, inside `fit`.
        progress: dictionary that JSON can hold.

    Returns:
        bool, whether the state was good, and written.

    Raises:
        OSError: it can't be written; the file before is whole.

    Example:

    >>> import tempfile
    >>> from pixel_zoo.models import PixelCNN
    >>> model = PixelCNN((4, 4, 1), filters=2, num_blocks=1, head_filters=2)
    >>> model.compile()
    >>> path = tempfile.mkdtemp() + "/state.npz"
    >>> save_state(path, model, {"epoch": 3})
    True
    >>> progress, arrays = load_state(path)
    >>> restore(model, arrays)
    >>> progress
    {'epoch': 3}
    """
    arrays = [np.asarray(variable) for variable in _variables(model)]
    if path is None or not all(np.isfinite(array).all() for array in arrays):
        return False
    named: dict[str, Any] = {f"{index:05}": array for index, array in enumerate(arrays)}
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, progress=np.array(json.dumps(progress)), **named)
    except OSError as error:
        reason = error.strerror or error
        raise type(error)(f"output: {str(path)!r} can't be written ({reason}); the one before it is whole") from error
    return True


def load_state(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read what `save_state` wrote: (progress, list of arrays).

    Raises:
        ValueError: the file is damaged, or another program's.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            progress = json.loads(file["progress"].item())
            return progress, [file[name] for name in sorted(file.files) if name != "progress"]
    except Exception as error:  # a damaged archive fails in many ways, deep in zip and zlib
        raise ValueError(
            f"resume: {str(path)!r} is not a whole state of a run ({error}); train into a new directory"
        ) from error


def restore(model: keras.Model, arrays: list[np.ndarray]) -> None:
    """Give a model, built and compiled as that of `save_state`, the values it had then.

    Raises:
        ValueError: it has other variables.
    """
    variables = _variables(model)
    if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
        raise ValueError("resume: what is saved belongs to another model, optimiser or version of Keras")
    for variable, array in zip(variables, arrays, strict=True):
        # `.npz` knows no bfloat16: it keeps the bits, as a type without a name.
        variable.assign(array.view(variable.dtype) if array.dtype.kind == "V" else array)


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Every variable of a compiled model once, always in the same order."""
    several = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in several}.values())
