"""The last layer: logits of every value."""

from typing import Any

import keras
import numpy as np
from keras import ops

from pixel_zoo.checks import positive_integer
from pixel_zoo.layers.masked_conv2d import MaskedConv2D
from pixel_zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class Logits(MaskedConv2D):
    """1x1 masked convolution to the logits of every value (van den Oord et al. 2016, sections 2.2 and 3.4).

    Args:
        levels: int, number of values that a colour of a pixel takes: 256 in the paper, 2 for binary images. Binary
            images have one logit, that of value 1.
        colours: int, number of colour channels of the image.

    Input: float tensor (batch, height, width, c_in). Output: (batch, height, width, colours, levels), or
    (batch, height, width, colours) if there are 2 levels.

    Raises:
        ValueError: if levels is below 2 or colours below 1.

    Example:
    >>> import numpy as np
    >>> Logits(256, colours=3)(np.zeros((2, 4, 4, 32), "float32")).shape[1:] == (4, 4, 3, 256)
    True
    """

    def __init__(self, levels: int, colours: int = 1, **kwargs: Any) -> None:
        if positive_integer("levels", levels) < 2:
            raise ValueError(f"levels must be an integer of at least 2, got {levels!r}")
        self.per_colour = 1 if levels == 2 else int(levels)
        super().__init__(
            filters=positive_integer("colours", colours) * self.per_colour,
            kernel_size=1,
            mask_type="B",
            colours=colours,
            **kwargs,
        )
        self.levels = int(levels)

    def output_colours(self) -> np.ndarray:
        return np.repeat(np.arange(self.colours), self.per_colour)

    def compute_output_shape(self, x_shape: Shape, bias_shape: Shape | None = None) -> Shape:
        shape = (*x_shape[:-1], self.colours)
        return shape if self.levels == 2 else (*shape, self.levels)

    def call(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        y = super().call(x, bias=bias)
        return y if self.levels == 2 else ops.reshape(y, (-1, *x.shape[1:-1], self.colours, self.levels))

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        return {key: value for key, value in base.items() if key not in ("filters", "kernel_size", "mask_type")} | {
            "levels": self.levels
        }
