"""The convolution of Gated PixelCNN's vertical stack."""

from typing import Any

import keras
import numpy as np

from pixel_zoo.layers.masked_conv2d import MaskedConv2D
from pixel_zoo.types import Structure, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class VerticalConv2D(MaskedConv2D):
    """Convolution over rows above, left and right (van den Oord et al. 2016, arXiv 1606.05328, section 2.2, figure 1).

    ```
    mask of a 5x5 kernel    x x x x x     x: all colours
                            x x x x x     r: mask A nothing, mask B all colours
                            r r r r r     .: rows that are never stored
                            . . . . .
                            . . . . .
    ```

    With mask A, the output depends on the rows above only, whatever the input. Mask B is for maps that depend on the
    rows above only: then even the pixels to the right in its own row hold nothing but the rows above, and a stack of
    such layers has no blind spot. On any other map mask B is not causal; `PixelModel` refuses it, and `check_causality`
    finds it. No colour of the rows above is hidden, so the features have no colours.

    Args:
        filters: int, number of output features.
        kernel_size: odd int or pair of odd ints (rows, columns), of the kernel before the rows below are removed.
        mask_type: "A" for the first layer of the stack, "B" for all others.
        use_bias: bool, whether a bias vector is added.
        kernel_initializer: initializer of the kernel (rows // 2 + 1, columns, c_in, filters).

    Input: float tensor (batch, height, width, c_in). Output: float tensor (batch, height, width, filters).

    Raises:
        ValueError: as `MaskedConv2D`, and for mask A with a kernel of one row, which would see nothing.

    Example:
    >>> import numpy as np
    >>> layer = VerticalConv2D(32, 7, "A")
    >>> layer(np.zeros((2, 28, 28, 1), "float32")).shape[1:] == (28, 28, 32)
    True
    """

    of_rows_above = True

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        mask_type: str,
        use_bias: bool = True,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            mask_type,
            colours=1,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            **kwargs,
        )
        self.columns_seen = self.kernel_size[1]
        if mask_type == "A" and not self.rows_above:
            raise ValueError(f"kernel_size must have at least 3 rows under mask 'A', got {kernel_size!r}")

    def mask(self) -> np.ndarray:
        mask = np.ones(self.kernel.shape, "float32")
        mask[-1] = 1.0 if self.sees_itself else 0.0
        return mask

    def row(self, weights: Structure, context: Structure, x: Tensor) -> tuple[Tensor, Structure]:
        if self.sees_itself:
            return super().row(weights, context, x)
        (y,) = context
        return y, [x]

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "colours"}
