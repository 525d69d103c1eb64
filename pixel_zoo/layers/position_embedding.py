"""A learned vector for each position."""

from typing import Any

import keras
from keras import ops

from pixel_zoo.checks import check_rank, positive_integer
from pixel_zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class PositionEmbedding(keras.layers.Layer):
    """A learned vector for each position of a map (Gehring et al. 2017, 1705.03122, section 3.1).

    Given to a raster layer as `bias`, it tells a convolution where in the image it is. A convolution whose receptive
    field lies inside the image cannot infer that.

    Args:
        features: int, length of the vectors.

    Input: tensor (batch, height, width, c) of static height and width. Only its shape is read, so the output does not
    depend on the image. Output: float tensor (batch, height, width, features).

    Raises:
        ValueError: if features is below 1, if the input does not have four axes, or if its height or width differs from
            that of the first input.

    Example:
    >>> import numpy as np
    >>> PositionEmbedding(16)(np.zeros((2, 28, 28, 1), "float32")).shape == (2, 28, 28, 16)
    True
    """

    def __init__(self, features: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = positive_integer("features", features)

    def build(self, input_shape: Shape) -> None:
        check_rank(self, input_shape)
        _, height, width, _ = input_shape
        if height is None or width is None:
            raise ValueError(f"{self.name!r} takes maps of static height and width, got {tuple(input_shape)}")
        self.input_spec = keras.layers.InputSpec(axes={1: height, 2: width})
        self.embeddings = self.add_weight(shape=(height, width, self.features), initializer="zeros", name="embeddings")

    def compute_output_spec(self, x: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor((*x.shape[:-1], self.features), dtype=self.compute_dtype)

    def call(self, x: Tensor) -> Tensor:
        return ops.broadcast_to(self.embeddings, (ops.shape(x)[0], *self.embeddings.shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "features": self.features}
