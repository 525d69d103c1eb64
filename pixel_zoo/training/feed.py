"""The images of a recipe as `fit` takes them."""

import keras

from pixel_zoo import data
from pixel_zoo.data.pipeline import batches_of, order_of_pass, passes


def feed(recipe, position, spread):
    """What `fit` takes as its data: tf.data pipelines on TensorFlow, NumPy batches elsewhere, in the same order.

    Args:
        recipe: a `Recipe`.
        position: asked at the start of each pass, as of `pixel_zoo.data.pipeline`.
        spread: how the run is distributed, as of `pixel_zoo.training.distribution`.

    Returns:
        Dictionary of arguments of `fit`.
    """
    training = {"seed": recipe.seed, "drop_remainder": True, "position": position}
    make = _pipeline if keras.backend.backend() == "tensorflow" else _batches
    return {
        "x": spread.spread(make(recipe, "train", spread.share, **training)),
        "validation_data": spread.spread(make(recipe, "validation", spread.share, multiple_of=spread.replicas)),
        "shuffle": False,
    }


def _pipeline(recipe, split, share, **options):
    options |= {"labels": needs_labels(recipe), "share": share, **recipe.data_options}
    return data.pipeline(recipe.data, split, recipe.batch_size, **options)


def _batches(recipe, split, share, **options):
    columns = data.arrays(recipe.data, split, **recipe.data_options)
    if needs_labels(recipe):
        columns = {"image": columns, "label": data.labels(recipe.data, split, **recipe.data_options)}
    return Batches(columns, recipe.batch_size, share=share, **options)


def needs_labels(recipe):
    """Whether the model of a recipe is class-conditional."""
    return recipe.model_options.get("num_classes") is not None


class Batches(keras.utils.PyDataset):
    """The batches that `pixel_zoo.data.pipeline` makes, without TensorFlow. Batch 0 begins a pass.

    Args:
        columns: array (N, H, W, C), or a dictionary of such an array and others of as many rows: a model's inputs.
        batch_size, seed, drop_remainder, position, multiple_of, share: as of `pixel_zoo.data.pipeline`.

    Example:

    >>> batches = Batches(data.arrays("digits", "train"), 100, seed=1)
    >>> len(batches), batches[0][0].shape
    (13, (100, 8, 8, 1))
    """

    def __init__(
        self, columns, batch_size, seed=None, drop_remainder=False, position=None, multiple_of=1, share=(0, 1)
    ):
        super().__init__()
        self.columns, self.batch_size, self.seed, self.drop_remainder = columns, batch_size, seed, drop_remainder
        count = len(keras.tree.flatten(columns)[0])
        self.count = count - count % multiple_of
        self.number_and_left_out = passes(position)
        self.share = share

    def __len__(self):
        return batches_of(self.count, self.batch_size, self.drop_remainder)

    def __getitem__(self, index):
        if index == 0:
            self.indices = order_of_pass(self.count, self.batch_size, self.seed, *self.number_and_left_out())
        worker, workers = self.share
        first = index * self.batch_size
        rows = self.indices[first : first + self.batch_size][worker::workers]
        return (keras.tree.map_structure(lambda column: column[rows], self.columns),)
