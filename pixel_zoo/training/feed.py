"""The images of a recipe as `fit` takes them."""

import keras

from pixel_zoo import data
from pixel_zoo.data.permutation import permutation


def feed(recipe, position):
    """What `fit` takes as its data: a tf.data pipeline on TensorFlow, NumPy batches elsewhere, in the same order.

    Args:
        recipe: a `Recipe`.
        position: asked at the start of each pass, as of `pixel_zoo.data.pipeline`.

    Returns:
        Dictionary of arguments of `fit`.
    """
    if keras.backend.backend() == "tensorflow":
        images = data.pipeline(
            recipe.data,
            "train",
            recipe.batch_size,
            seed=recipe.seed,
            drop_remainder=True,
            position=position,
            **recipe.data_options,
        )
        validation = data.pipeline(recipe.data, "validation", recipe.batch_size, **recipe.data_options)
    else:
        training = data.arrays(recipe.data, "train", **recipe.data_options)
        images = Batches(training, recipe.batch_size, recipe.seed, position)
        validation = (data.arrays(recipe.data, "validation", **recipe.data_options),)
    return {"x": images, "validation_data": validation, "validation_batch_size": recipe.batch_size, "shuffle": False}


class Batches(keras.utils.PyDataset):
    """The whole batches that `pixel_zoo.data.pipeline` makes, without TensorFlow.

    Args:
        images: array (N, H, W, C).
        batch_size, seed, position: as of `pixel_zoo.data.pipeline`.

    Example:

    >>> batches = Batches(data.arrays("digits", "train"), 100, seed=1, position=lambda: (0, 0))
    >>> len(batches), batches[11][0].shape
    (12, (100, 8, 8, 1))
    """

    def __init__(self, images, batch_size, seed, position):
        super().__init__()
        self.images, self.batch_size, self.seed, self.position = images, batch_size, seed, position
        self.order = None

    def __len__(self):
        return len(self.images) // self.batch_size

    def __getitem__(self, index):
        number, passed_over = self.position()
        if index == 0 or self.order is None:
            self.order = permutation(len(self.images), [self.seed, number])
        first = (passed_over + index) * self.batch_size
        return (self.images[self.order[first : first + self.batch_size]],)
