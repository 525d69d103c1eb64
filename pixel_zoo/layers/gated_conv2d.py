"""The gated convolution of Gated PixelCNN's horizontal stack."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from pixel_zoo.checks import check_groups, positive_integer
from pixel_zoo.layers.colours import by_colour, colour_slice, feature_colours, join
from pixel_zoo.layers.gated_activation import gated
from pixel_zoo.layers.masked_conv2d import MaskedConv2D
from pixel_zoo.types import Shape, Structure, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class GatedConv2D(MaskedConv2D):
    """Masked convolution with gated activation (van den Oord et al. 2016, arXiv 1606.05328, equations 2 and 4).

    ```
    y = tanh(W_f * x + bias_f) * sigmoid(W_g * x + bias_g)
    ```

    Both kernels are stored as one, [f, g]. Unit k, with both halves of its gate, belongs to colour k % colours.

    Args:
        units: int, number of output features.
        kernel_size, mask_type: as of `MaskedConv2D`; (1, n) in the horizontal stack.
        colours: int, number of colour channels of the image.

    Input: float tensor (batch, height, width, c_in); `bias`: (batch, height, width, 2 * units), [f, g]. Output: float
    tensor (batch, height, width, units).

    Raises:
        ValueError: as `MaskedConv2D`, and if there are fewer units than colours.

    Example:
    >>> import numpy as np
    >>> GatedConv2D(16, (1, 3), "B")(np.zeros((2, 8, 8, 32), "float32")).shape[1:] == (8, 8, 16)
    True
    """

    def __init__(
        self, units: int, kernel_size: int | tuple[int, int], mask_type: str, colours: int = 1, **kwargs: Any
    ) -> None:
        self.units = positive_integer("units", units)
        super().__init__(2 * self.units, kernel_size, mask_type, colours=colours, **kwargs)
        check_groups("units", units, colours)

    def output_colours(self) -> np.ndarray:
        return np.tile(feature_colours(self.units, self.colours), 2)

    def compute_output_shape(self, x_shape: Shape, bias_shape: Shape | None = None) -> Shape:
        return (*x_shape[:-1], self.units)

    def call(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return gated(super().call(x, bias=bias))

    def step(self, weights: Structure, base: Structure, inputs: Sequence[Tensor], colour: int) -> tuple[Tensor, ...]:
        (features,) = super().step(weights, base, inputs, colour)
        return (gated(features),)

    def row(self, weights: Structure, context: Structure, x: Tensor) -> tuple[Tensor, Structure]:
        y, record = super().row(weights, context, x)
        _, widths = by_colour(self.output_colours())
        return join([gated(colour_slice(y, widths, colour)) for colour in range(self.colours)]), record

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        return {key: value for key, value in base.items() if key != "filters"} | {"units": self.units}
