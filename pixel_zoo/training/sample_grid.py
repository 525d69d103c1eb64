"""Samples of a model while it learns."""

import pathlib

import keras

from pixel_zoo.training import pictures

COLUMNS = 4


class SampleGrid(keras.callbacks.Callback):
    """Draws sixteen images after each epoch, of the same seeds each time, so that pictures can be compared.

    Args:
        directory: where to write `epoch-0001.png` and so on; made if it is not there.
        seed: int, seed of the first image.

    Example:

    >>> callbacks = [SampleGrid("runs/mine/samples", seed=0)]
    """

    def __init__(self, directory, seed):
        super().__init__()
        self.directory, self.seed = pathlib.Path(directory), seed

    def on_epoch_end(self, epoch, logs=None):
        self.directory.mkdir(exist_ok=True)
        save_samples(self.model, self.seed, self.directory / f"epoch-{epoch + 1:04}.png")


def save_samples(model, seed, path):
    """Draw sixteen images into one picture; a class-conditional model draws of one class after the other.

    Args:
        model: a model of `pixel_zoo.models`.
        seed: int, seed of the first image.
        path: the picture to be written.
    """
    count = COLUMNS**2
    labels = None if model.num_classes is None else [image % model.num_classes for image in range(count)]
    given = {} if labels is None else {"labels": labels}
    pictures.save(pictures.grid(model.generate(num_images=count, seed=seed, **given), COLUMNS, model.levels), path)
