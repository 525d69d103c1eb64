"""A learned vector for each value."""

from typing import Any

import keras
import numpy as np
from keras import ops

from pixel_zoo.checks import positive_integer
from pixel_zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class ValueEmbedding(keras.layers.Layer):
    """A learned vector for each value of a pixel, for values without an order, such as the codes of a VQ-VAE.

    ```
    y[d * colours + c] = table_c[value of colour c][d]
    ```

    Each colour has its own table. Feature k of the output belongs to colour k % colours, as in all maps, so the colour
    masks of the layers that follow hold. The vectors start at random, uniformly in [-1, 1], the range of scaled values.

    Args:
        levels: int, the values are 0..levels-1.
        embedding_dim: int, length of the vectors.
        colours: int, number of colour channels of the image.

    Input: integer tensor (..., colours), such as an image (batch, height, width, colours). Output: float tensor
    (..., embedding_dim * colours).

    Raises:
        TypeError: if the input is not of integers.
        ValueError: if an argument is below 1, or the last axis of the input is not `colours` long.

    Example:
    >>> layer = ValueEmbedding(levels=512, embedding_dim=8, colours=3)
    >>> layer(np.zeros((2, 7, 7, 3), "int32")).shape == (2, 7, 7, 24)
    True
    """

    def __init__(self, levels: int, embedding_dim: int, colours: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = positive_integer("levels", levels)
        self.embedding_dim = positive_integer("embedding_dim", embedding_dim)
        self.colours = positive_integer("colours", colours)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 1 or input_shape[-1] != self.colours:
            raise ValueError(
                f"{self.name!r} takes values of shape (..., colours={self.colours}), got {tuple(input_shape)}"
            )
        self.embeddings = self.add_weight(
            shape=(self.colours, self.levels, self.embedding_dim),
            initializer=keras.initializers.RandomUniform(-1.0, 1.0),
            name="embeddings",
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.embedding_dim * self.colours)

    def call(self, x: Tensor) -> Tensor:
        if not keras.backend.is_int_dtype(x.dtype):
            dtype = keras.backend.standardize_dtype(x.dtype)
            raise TypeError(f"{self.name!r} takes integers 0..{self.levels - 1}, got dtype {dtype}")
        # The tables of all colours are one, so that a single look-up serves all.
        table = ops.reshape(self.embeddings, (self.colours * self.levels, self.embedding_dim))
        rows = ops.cast(x, "int32") + np.arange(self.colours, dtype="int32") * self.levels
        vectors = ops.cast(ops.take(table, rows, axis=0), self.compute_dtype)
        if self.colours > 1:
            vectors = ops.swapaxes(vectors, -1, -2)
        return ops.reshape(vectors, (*ops.shape(x)[:-1], self.embedding_dim * self.colours))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "levels": self.levels,
            "embedding_dim": self.embedding_dim,
            "colours": self.colours,
        }
