"""Pretrained models by name."""

import os
import pathlib

import keras


def directory():
    """Where pretrained models lie: `PIXEL_ZOO_EXPORTED`, or `exported/` beside the package in a checkout."""
    return pathlib.Path(os.environ.get("PIXEL_ZOO_EXPORTED") or pathlib.Path(__file__).parents[1] / "exported")


def list_pretrained():
    """Names of the pretrained models there are, sorted."""
    return sorted(path.stem for path in directory().glob("*.keras"))


def load(name):
    """Load a pretrained model by its name.

    Args:
        name: one of `list_pretrained()`.

    Returns:
        The Keras model.

    Raises:
        ValueError: if there is no such model; the message lists those there are.

    Example:
    >>> load("no_such_model")
    Traceback (most recent call last):
    ...
    ValueError: name must be one of ..., got 'no_such_model'
    """
    names = list_pretrained()
    if name not in names:
        there = ", ".join(names) if names else f"the pretrained models (there are none in {str(directory())!r})"
        raise ValueError(f"name must be one of {there}, got {name!r}")
    return keras.models.load_model(directory() / f"{name}.keras")
