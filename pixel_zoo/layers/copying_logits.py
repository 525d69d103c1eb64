"""Logits that copy known values."""

import keras
import numpy as np
from keras import ops

from pixel_zoo.layers.logits import Logits
from pixel_zoo.types import Shape, Structure, Tensor

# Added to a logit, this makes its value certain. Multiplied or divided by any temperature, it stays finite in float32.
CERTAIN = 2.0**66


@keras.saving.register_keras_serializable(package="pixel_zoo")
class CopyingLogits(Logits):
    """`Logits` that put all probability on the values that are known beforehand.

    Some pixels of a large image are those of the small one that a multi-scale model is given (van den Oord et al. 2016,
    section 3.6). They are not predicted: the known value has probability 1, so it is always drawn, its log-likelihood
    is exactly 0, and it has no gradient.

    Args:
        levels: int, number of values that a colour of a pixel takes.
        colours: int, number of colour channels of the image.

    Input: float tensor (batch, height, width, c_in); `known`: int32 tensor (batch, height, width, colours), the known
    values, and -1 where nothing is known. Output: as of `Logits`.

    Raises:
        ValueError: if levels is below 2 or colours below 1.

    Example:
    >>> import numpy as np
    >>> known = np.full((1, 2, 2, 1), -1)
    >>> known[0, 0, 1] = 2
    >>> logits = keras.ops.convert_to_numpy(CopyingLogits(4)(np.ones((1, 2, 2, 8), "float32"), known=known))
    >>> [bool(logit > -1e19) for logit in logits[0, 0, 1, 0]]
    [False, False, True, False]
    """

    map_argument = "known"

    def compute_output_shape(self, x_shape: Shape, known_shape: Shape | None = None) -> Shape:
        return super().compute_output_shape(x_shape)

    def call(self, x: Tensor, known: Tensor | None = None) -> Tensor:
        return super().call(x, bias=None if known is None else self._certainty(known))

    def _certainty(self, known):
        """What known values (..., colours) add to logits (..., colours * levels), or (..., colours) if binary."""
        if self.levels == 2:
            certainty = CERTAIN * (2.0 * ops.cast(known, self.compute_dtype) - 1.0)
            return ops.where(known < 0, ops.zeros_like(certainty), certainty)
        known = ops.cast(ops.expand_dims(known, -1), "int32")
        possible = ops.logical_or(known < 0, ops.equal(known, np.arange(self.levels, dtype="int32")))
        certainty = CERTAIN * (ops.cast(possible, self.compute_dtype) - 1.0)
        return ops.reshape(certainty, (*ops.shape(known)[:-2], self.filters))

    def prepare_bias(self, known: Tensor) -> Structure:
        return super().prepare_bias(self._certainty(known))
