"""Samples during training."""

import importlib.util
import math
import os
import pathlib
import time
from typing import Any

import keras
import numpy as np

from pixel_zoo import pictures
from pixel_zoo.training import feed
from pixel_zoo.training.evaluation import as_arguments
from pixel_zoo.training.feed import needs_small
from pixel_zoo.training.recipe import Recipe

COLUMNS = 4


class SampleGrid(keras.callbacks.Callback):
    """Draws sixteen images after each epoch, with the same seeds, so that the pictures can be compared.

    Nothing is drawn after an epoch with a figure that is not finite.

    Args:
        directory: where to write `epoch-0001.png` and so on; made if it does not exist.
        seed: int, seed of the first image.
        tensorboard: directory of the events that show the pictures in TensorBoard, or None. Nothing is written there if
            the package tensorboard is not installed.
        given: as of `save_samples`.

    Example:

    >>> callbacks = [SampleGrid("runs/mine/samples", seed=0, tensorboard="runs/mine/tensorboard/samples")]
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        seed: int,
        tensorboard: str | os.PathLike[str] | None = None,
        given: dict[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        self.given = given
        self.directory, self.seed = pathlib.Path(directory), seed
        self._events = None if tensorboard is None else pathlib.Path(tensorboard)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not all(map(math.isfinite, (logs or {}).values())):
            return  # it has diverged, and draws nothing
        self.directory.mkdir(exist_ok=True)
        path = self.directory / f"epoch-{epoch + 1:04}.png"
        picture = save_samples(self.model, self.seed, path, self.given)
        if self._events is not None and importlib.util.find_spec("tensorboard") is not None:
            _write_event(self._events, epoch, path.read_bytes(), picture.shape)


def conditions_of_samples(recipe: Recipe) -> dict[str, np.ndarray] | None:
    """Small images to draw samples with, and their labels if there are any; None for a model that takes none."""
    if not needs_small(recipe):
        return None
    columns = feed.columns(recipe, "validation")
    assert isinstance(columns, dict)  # the images and, beside them, the small images
    return {name: column[: COLUMNS**2] for name, column in columns.items() if name != "image"}


def save_samples(
    model: keras.Model, seed: int, path: pathlib.Path, given: dict[str, np.ndarray] | None = None
) -> np.ndarray:
    """Draw sixteen images as one picture, and return it. A class-conditional model draws one of each class in turn.

    With `given`, conditions by the names of the model's inputs, it draws one image for each of these.
    """
    if given is None:
        labels = None if model.num_classes is None else np.arange(COLUMNS**2) % model.num_classes
        given = {} if labels is None else {"label": labels}
    count = len(given["small"]) if "small" in given else COLUMNS**2
    images = model.generate(num_images=count, seed=seed, **as_arguments(given))
    titles = pictures.titles_of_samples(range(seed, seed + count), given.get("label"))
    picture = pictures.grid(images, COLUMNS, model.levels, titles)
    pictures.save(picture, path)
    return picture


def _write_event(directory: pathlib.Path, epoch: int, png: bytes, shape: tuple[int, ...]) -> None:
    """Write a picture for TensorBoard, by its own classes: Keras's callback writes scalars only."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    height, width, colours = shape
    image = Summary.Image(height=height, width=width, colorspace=colours, encoded_image_string=png)
    # A file for each epoch: TensorBoard reads all files of a directory, and an interrupted run leaves none open.
    writer = EventFileWriter(str(directory), filename_suffix=f".epoch{epoch + 1:04}")
    summary = Summary(value=[Summary.Value(tag="samples", image=image)])
    writer.add_event(Event(wall_time=time.time(), step=epoch, summary=summary))
    writer.close()
