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
        images = self.model.generate(num_images=COLUMNS**2, seed=self.seed)
        self.directory.mkdir(exist_ok=True)
        pictures.save(pictures.grid(images, COLUMNS, self.model.levels), self.directory / f"epoch-{epoch + 1:04}.png")
