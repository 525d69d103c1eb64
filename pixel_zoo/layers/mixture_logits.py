"""The logits of a mixture."""

import numbers
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pixel_zoo.checks import positive_integer
from pixel_zoo.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class MixtureLogits(keras.layers.Layer):
    """Logits of a mixture of several predictions of one value.

    ```
    p(v) = sum over m of weight_m * p_m(v)
    ```

    The distributions of one colour of one pixel are mixed, whatever the other colours and pixels are. So the layer is
    applied to a whole map, or to any part of it with all levels of a value.

    Args:
        levels: int, number of values that a colour of a pixel takes; as of `Logits`, binary images have one logit.
        weights: list of positive numbers, one for each member, of which only the ratios matter; None: all alike.

    Input: list of float tensors of one shape, the members' logits: (batch, height, width, colours, levels), or
    (batch, height, width, colours) for 2 levels. Output: float tensor of that shape; with more than 2 levels these
    logits are log-probabilities.

    Raises:
        ValueError: if levels is below 2, a weight is not a positive number, or the tensors are not one for each weight,
            all logits of one shape.

    Example:
    >>> import numpy as np
    >>> members = [np.full((1, 2, 2, 1), np.log(p / (1 - p))) for p in (0.1, 0.3)]
    >>> round(float(ops.sigmoid(MixtureLogits(2)(members))[0, 0, 0, 0]), 4)
    0.2
    """

    def __init__(self, levels: int, weights: list[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if positive_integer("levels", levels) < 2:
            raise ValueError(f"levels must be an integer of at least 2, got {levels!r}")
        self.levels = int(levels)
        self.mixing_weights = None if weights is None else check_weights(weights)

    def build(self, input_shape: Sequence[Shape]) -> None:
        shapes = [tuple(shape) for shape in input_shape] if isinstance(input_shape[0], (tuple, list)) else []
        if self.mixing_weights is not None and len(shapes) != len(self.mixing_weights):
            raise ValueError(f"weights must be one for each of {len(shapes)} members, got {self.mixing_weights}")
        good = len(set(shapes)) == 1 and (
            len(shapes[0]) == 4 if self.levels == 2 else len(shapes[0]) == 5 and shapes[0][-1] == self.levels
        )
        if not good:
            expected = "(batch, height, width, colours" + ("" if self.levels == 2 else f", {self.levels}") + ")"
            raise ValueError(f"{self.name!r} takes a list of logits of one shape {expected}, got {input_shape}")
        super().build(input_shape)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0])

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        logits = ops.stack(inputs)
        if self.levels == 2:
            return self._log_mean(-ops.softplus(-logits)) - self._log_mean(-ops.softplus(logits))  # log p(1) - log p(0)
        return self._log_mean(ops.log_softmax(logits, axis=-1))

    def _log_mean(self, log_probabilities):
        """log of the weighted mean of probabilities (members, ...)."""
        members = log_probabilities.shape[0]
        weights = np.ones(members) if self.mixing_weights is None else np.array(self.mixing_weights)
        log_weights = np.log(weights / weights.sum()).reshape(-1, *[1] * (len(log_probabilities.shape) - 1))
        return ops.logsumexp(log_probabilities + ops.cast(log_weights, self.compute_dtype), axis=0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "levels": self.levels,
            "weights": self.mixing_weights and list(self.mixing_weights),
        }


def check_weights(weights):
    """Return the weights of a mixture as a tuple of floats, or raise a ValueError unless they are positive numbers."""
    good = isinstance(weights, (list, tuple, np.ndarray)) and all(
        isinstance(weight, numbers.Real) and 0 < weight < float("inf") for weight in weights
    )
    if not good:
        raise ValueError(f"weights must be a list of positive numbers, got {weights!r}")
    return tuple(float(weight) for weight in weights)
