"""Samples during training."""

import pathlib

import keras

from pixel_zoo import pictures

COLUMNS = 4


class SampleGrid(keras.callbacks.Callback):
    """Draws sixteen images after each epoch, with the same seeds, so that the pictures can be compared.

    Args:
        directory: where to write `epoch-0001.png` and so on; made if it does not exist.
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
    """Draw sixteen images as one picture; a class-conditional model draws one of each class in turn."""
    count = COLUMNS**2
    labels = None if model.num_classes is None else [image % model.num_classes for image in range(count)]
    images = model.generate(num_images=count, seed=seed, labels=labels)
    pictures.save(pictures.grid(images, COLUMNS, model.levels), path)
