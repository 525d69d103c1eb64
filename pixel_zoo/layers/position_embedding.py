"""A learned vector for each place."""

import keras
from keras import ops

from pixel_zoo.layers.checks import check_rank, positive_integer


@keras.saving.register_keras_serializable(package="pixel_zoo")
class PositionEmbedding(keras.layers.Layer):
    """A learned vector for each place of a map, whatever stands there (Gehring et al. 2017, 1705.03122, section 3.1).

    Given to a raster layer as `bias`, it tells a convolution where in the image it is. Once what is outside the image
    is out of its sight a convolution can't know: nothing that it sees marks the lowest rows.

    Args:
        features: int, length of the vectors.

    Input: tensor (batch, height, width, c), of which only height and width are read: what is made of a position
    embedding alone does not depend on the image. Output: float tensor (1, height, width, features).

    Raises:
        ValueError: if features is below 1, or the input has not four axes.

    Example:
    >>> import numpy as np
    >>> PositionEmbedding(16)(np.zeros((2, 28, 28, 1), "float32")).shape == (1, 28, 28, 16)
    True
    """

    def __init__(self, features, **kwargs):
        super().__init__(**kwargs)
        self.features = positive_integer("features", features)

    def build(self, input_shape):
        check_rank(self, input_shape)
        shape = (*input_shape[1:3], self.features)
        self.embeddings = self.add_weight(shape=shape, initializer="zeros", name="embeddings")

    def call(self, x):
        return ops.expand_dims(self.embeddings, 0)

    def get_config(self):
        return {**super().get_config(), "features": self.features}
