"""The gated activation unit of Gated PixelCNN."""

import keras
from keras import ops

from pixel_zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class GatedActivation(keras.layers.Layer):
    """Gated activation unit (van den Oord et al. 2016, arXiv 1606.05328, equation 2).

    ```
    y = tanh(first half of the features) * sigmoid(second half)
    ```

    It splits the features in the middle. That is right for maps of the vertical stack, in which no colour is hidden.
    For other maps use `GatedConv2D`, which keeps both halves of a gate in one colour.

    Input: float tensor (..., 2 * units). Output: float tensor (..., units).

    Raises:
        ValueError: if the number of input features is odd.

    Example:
    >>> import numpy as np
    >>> GatedActivation()(np.zeros((2, 8, 8, 32), "float32")).shape[1:] == (8, 8, 16)
    True
    """

    def build(self, input_shape: Shape) -> None:
        if input_shape[-1] % 2:
            raise ValueError(f"{self.name!r} halves its features, so their number must be even, got {input_shape[-1]}")
        super().build(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], input_shape[-1] // 2)

    def call(self, x: Tensor) -> Tensor:
        return gated(x)


def gated(x):
    """tanh of the first half of the features times the sigmoid of the second: (..., 2 * units) to (..., units)."""
    content, gate = ops.split(x, 2, axis=-1)
    return ops.tanh(content) * ops.sigmoid(gate)
