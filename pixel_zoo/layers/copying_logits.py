"""Logits that copy what is known already."""

import keras
import numpy as np
from keras import ops

from pixel_zoo.layers.logits import Logits

# Times any temperature or divided by it this stays finite in float32, and no other logit comes near.
CERTAIN = 2.0**66


@keras.saving.register_keras_serializable(package="pixel_zoo")
class CopyingLogits(Logits):
    """`Logits`, but certain of the values that are known beforehand.

    Some pixels of a large image are those of the small one that a multi-scale model is given (van den Oord et al. 2016,
    section 3.6). They are not predicted: all probability is on the known value, whose log-likelihood is 0 exactly,
    which has no gradient, and which is what is drawn.

    Args:
        levels: int, number of values that a colour of a pixel takes.
        colours: int, number of colour channels of the image.

    Input: float tensor (batch, height, width, c_in); `bias`: int32 tensor (batch, height, width, colours), the known
    values, and -1 where nothing is known. Output: as of `Logits`.

    Raises:
        ValueError: if levels is below 2 or colours below 1.

    Example:
    >>> import numpy as np
    >>> known = np.full((1, 2, 2, 1), -1)
    >>> known[0, 0, 1] = 2
    >>> logits = keras.ops.convert_to_numpy(CopyingLogits(4)(np.ones((1, 2, 2, 8), "float32"), bias=known))
    >>> logits[0, 0, 1, 0].argmax(), logits[0, 0, 1, 0].max()
    (np.int64(2), np.float32(0.0))
    """

    def call(self, x, bias=None):
        logits = super().call(x)
        return logits if bias is None else self._copy(logits, bias)

    def _copy(self, logits, known):
        """Replace the logits (..., colours, levels), if binary (..., colours), of known values (..., colours)."""
        if self.levels == 2:
            certain = CERTAIN * ops.cast(2 * known - 1, logits.dtype)
        else:
            known = ops.expand_dims(known, -1)
            certain = ops.where(ops.equal(known, np.arange(self.levels, dtype="int32")), 0.0, -CERTAIN)
        return ops.where(known < 0, logits, ops.cast(certain, logits.dtype))

    # Row by row: the known values go beside what the logits are made from, and replace them at the end.

    def prepare_bias(self, bias):
        return bias  # one feature a colour: sorted as it is

    def enter_row(self, weights, state, bias=()):
        return super().enter_row(weights, state), bias

    def enter_pixel(self, weights, context, memory):
        logits, known = context
        return super().enter_pixel(weights, logits, memory), known

    def step(self, weights, base, inputs, colour):
        base, known = base
        (logits,) = super().step(weights, base, inputs, colour)
        return (logits if isinstance(known, tuple) else self._copy_flat(logits, known[:, colour : colour + 1]),)

    def row(self, weights, context, x):
        logits, known = context
        logits, record = super().row(weights, logits, x)
        return logits if isinstance(known, tuple) else self._copy_flat(logits, known), record

    def _copy_flat(self, logits, known):
        """`_copy` of logits (..., colours * levels): one colour's after another's."""
        by_colour = logits if self.levels == 2 else ops.reshape(logits, (*ops.shape(known), self.levels))
        return ops.reshape(self._copy(by_colour, known), ops.shape(logits))
