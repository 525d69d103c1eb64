"""Training that starts from the weights of a saved model."""

import collections
import logging
import os

import keras


def load_initial_weights(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Copy the weights of a saved model into one of the same architecture, by layer names.

    `model` may have more: a layer that `path` lacks, such as a position embedding, keeps its initial values, and a
    warning names its weights.

    Args:
        model: the model to train.
        path: a `.keras` file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a weight of the file has no place in `model`, or another shape there.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"initial_weights: there is no file {path!r}")
    saved = _by_name(keras.models.load_model(path, compile=False))
    weights = _by_name(model)
    for name, variable in saved.items():
        if name not in weights:
            raise ValueError(f"initial_weights: {path!r} has the weight {name[0]!r}, which the model to train lacks")
        if weights[name].shape != variable.shape:
            raise ValueError(
                f"initial_weights: {name[0]!r} has the shape {tuple(variable.shape)} in {path!r}, "
                f"and {tuple(weights[name].shape)} in the model to train"
            )
    for name, variable in saved.items():
        weights[name].assign(variable)
    if new := [path for path, _ in weights.keys() - saved.keys()]:
        logging.getLogger("pixel_zoo").warning(f"{path}: not in this file, so left as initialised: {', '.join(new)}")


def _by_name(model):
    """The weights of a model by path and, since stages of a multi-scale model share paths, their number among these."""
    count: collections.Counter[str] = collections.Counter()
    named = {}
    for variable in model.weights:
        named[variable.path, count[variable.path]] = variable
        count[variable.path] += 1
    return named
