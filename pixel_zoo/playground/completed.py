"""A completion, and the order in which its pixels were drawn."""

from typing import NamedTuple

import numpy as np

from pixel_zoo.pictures.measurements import known_before


class Completed(NamedTuple):
    """The first completion of a canvas, for what the page says of its pixels.

    For a prior over codes, everything here is of codes, not of the pixels of the canvas.

    Attributes:
        model: str, the name of the model.
        label: int, or None for a model that takes no label.
        image: integers (height, width, colours).
        log_probabilities: float array (height, width, colours, levels), the model's predictions.
        known: bool (height, width), the pixels that were given.
        order: list of (row, column): the pixels that were drawn, first to last.
    """

    model: str
    label: int | None
    image: np.ndarray
    log_probabilities: np.ndarray
    known: np.ndarray
    order: list[tuple[int, int]]


def drawing_order(model, known):
    """The unknown pixels in the order in which a model draws them.

    Args:
        model: a model of `pixel_zoo.models`, or a `ServedModel`, of which raster order is assumed.
        known: bool (height, width).

    Returns:
        List of (row, column).

    Example:
    >>> model = pz.models.PixelCNN((2, 2, 1), filters=2, num_blocks=1)
    >>> drawing_order(model, np.array([[False, True], [False, False]]))
    [(0, 0), (1, 0), (1, 1)]
    """
    unknown = [(int(row), int(column)) for row, column in np.argwhere(~known)]
    return sorted(unknown, key=lambda pixel: known_before(model, (*pixel, 0)).sum())
