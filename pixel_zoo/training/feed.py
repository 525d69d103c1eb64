"""The images of a recipe in the form that `fit` takes."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from pixel_zoo import data
from pixel_zoo.data.pipeline import batches_of, inputs, order_of_pass, passes
from pixel_zoo.training.distribution import OneDevice
from pixel_zoo.training.recipe import Recipe


def feed(
    recipe: Recipe,
    position: Callable[[], tuple[int, int]],
    devices: OneDevice,
    steps_per_call: int,
    targets: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return the data arguments of `fit`.

    They are tf.data pipelines on TensorFlow and NumPy batches elsewhere, in the same order; where a call takes several
    steps, the training data are the rows of their batches.

    Args:
        recipe: a `Recipe`.
        position: zero-argument callable, called at the start of each epoch, as of `pixel_zoo.data.pipeline`.
        devices: how the run is distributed, as of `pixel_zoo.training.distribution`.
        steps_per_call: int, training steps that the train function takes at a time.
        targets: array (N, ...), the target of each training image, or None: the images themselves.

    Returns:
        Dictionary of arguments of `fit`.
    """
    make = _pipeline if keras.backend.backend() == "tensorflow" else _batches
    if steps_per_call > 1:
        count = data.info(recipe.data, **recipe.data_options).splits["train"]
        training = RowBlocks(count, recipe.batch_size, steps_per_call, recipe.seed, position)
    else:
        options = {"seed": recipe.seed, "drop_remainder": True, "position": position, "targets": targets}
        training = devices.distribute(make(recipe, "train", devices.share, **options))
    validation = devices.distribute(make(recipe, "validation", devices.share, multiple_of=devices.replicas))
    return {"x": training, "validation_data": validation, "shuffle": False}


def _pipeline(recipe: Recipe, split: str, share: tuple[int, int], **options: Any) -> Any:
    data_set = data.info(recipe.data, **recipe.data_options)  # its options may have the names of the pipeline's
    options |= {"labels": needs_labels(recipe), "small_images": needs_small(recipe)}
    return data.pipeline(data_set, split, recipe.batch_size, share=share, **options)


def _batches(recipe: Recipe, split: str, share: tuple[int, int], **options: Any) -> "Batches":
    return Batches(columns(recipe, split), recipe.batch_size, share=share, **options)


def columns(recipe: Recipe, split: str) -> np.ndarray | dict[str, np.ndarray]:
    """Return the images of a split as NumPy arrays: what the model takes as its input, one row an image."""
    data_set = data.info(recipe.data, **recipe.data_options)
    return inputs(data_set, split, needs_labels(recipe), needs_small(recipe))


def needs_labels(recipe: Recipe) -> bool:
    """Return whether the model of a recipe is class-conditional."""
    return recipe.model_options.get("num_classes") is not None


def needs_small(recipe: Recipe) -> bool:
    """Return whether the model of a recipe is given a small image of the data set."""
    return recipe.model_options.get("small_shape") is not None


class Batches(keras.utils.PyDataset):
    """The batches that `pixel_zoo.data.pipeline` makes, without TensorFlow. Batch 0 begins a pass.

    Args:
        columns: array (N, H, W, C), or a dictionary of such an array and others of as many rows: a model's inputs.
        batch_size, seed, drop_remainder, position, multiple_of, share, targets: as of `pixel_zoo.data.pipeline`.

    Example:

    >>> batches = Batches(data.arrays("digits", "train"), 100, seed=1)
    >>> len(batches), batches[0][0].shape
    (13, (100, 8, 8, 1))
    """

    def __init__(
        self,
        columns: np.ndarray | dict[str, np.ndarray],
        batch_size: int,
        seed: int | None = None,
        drop_remainder: bool = False,
        position: Callable[[], tuple[int, int]] | None = None,
        multiple_of: int = 1,
        share: tuple[int, int] = (0, 1),
        targets: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.columns = (columns,) if targets is None else (columns, targets)
        self.batch_size, self.seed, self.drop_remainder = batch_size, seed, drop_remainder
        count = len(keras.tree.flatten(columns)[0])
        self.count = count - count % multiple_of
        self.number_and_left_out = passes(position)
        self.share = share

    def __len__(self) -> int:
        return batches_of(self.count, self.batch_size, self.drop_remainder)

    def __getitem__(self, index: int) -> tuple[np.ndarray | dict[str, np.ndarray], ...]:
        if index == 0:
            self.indices = order_of_pass(self.count, self.batch_size, self.seed, *self.number_and_left_out())
        worker, workers = self.share
        first = index * self.batch_size
        rows = self.indices[first : first + self.batch_size][worker::workers]
        return keras.tree.map_structure(lambda column: column[rows], self.columns)


class RowBlocks(keras.utils.PyDataset):
    """The rows of several of `Batches`' batches at a time, for a loop that gathers the images on the device.

    Args:
        count: int, number of training images.
        batch_size, seed: as of `Batches`; an unfinished batch at the end of an epoch is left out.
        steps: int, batches in a block. The last block of an epoch is filled up with rows of `NOTHING`.
        position: zero-argument callable, called at the start of each epoch: (its number, blocks of it to leave out).

    Example:

    >>> blocks = RowBlocks(10, batch_size=3, steps=2, seed=None)
    >>> [block.tolist() for (block,) in blocks]
    [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [-1, -1, -1]]]
    """

    NOTHING = -1
    is_checked = True  # these are rows, not images: `fit` must not check them

    def __init__(
        self,
        count: int,
        batch_size: int,
        steps: int,
        seed: int | None,
        position: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        super().__init__()
        self.count, self.batch_size, self.steps, self.seed = count, batch_size, steps, seed
        self.number_and_left_out = passes(position)

    def __len__(self) -> int:
        return batches_of(self.count // self.batch_size, self.steps, drop_remainder=False)

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        if index == 0:
            number, blocks_left_out = self.number_and_left_out()
            self.indices = order_of_pass(self.count, self.batch_size, self.seed, number, blocks_left_out * self.steps)
        rows = self.indices[index * self.steps * self.batch_size :][: self.steps * self.batch_size]
        whole = len(rows) // self.batch_size
        block = np.full((self.steps, self.batch_size), self.NOTHING, "int32")
        block[:whole] = rows[: whole * self.batch_size].reshape(whole, self.batch_size)
        return (block,)
