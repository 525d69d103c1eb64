"""Likelihoods of discrete values: from logits to log-probabilities, losses, and a value from a uniform number."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from pixel_zoo.types import Shape, Tensor


def at_least_float32(logits: Tensor) -> Tensor:
    """Logits as a tensor of float32, or of float64 if they are: half precision is too coarse for likelihoods."""
    logits = ops.convert_to_tensor(logits)
    return logits if keras.backend.standardize_dtype(logits.dtype) == "float64" else ops.cast(logits, "float32")


class Categorical:
    """Softmax over all values of a colour (van den Oord et al. 2016, section 2.2). Logits: (..., levels).

    Args:
        levels: int, number of values.

    Example:
    >>> import numpy as np
    >>> uniform = Categorical(256).log_prob(np.array([7]), np.zeros((1, 256), "float32"))
    >>> round(-float(uniform[0]) / math.log(2), 4)
    8.0
    """

    def __init__(self, levels: int) -> None:
        self.levels = levels

    def log_prob(self, values: Tensor, logits: Tensor) -> Tensor:
        """Log-probability of each value in nats: values (...) of integers, logits (..., levels)."""
        logits = at_least_float32(logits)
        return -ops.sparse_categorical_crossentropy(ops.cast(values, "int32"), logits, from_logits=True)

    def class_logits(self, logits: Tensor) -> Tensor:
        """Logits (..., levels) of all values."""
        return at_least_float32(logits)


class Bernoulli:
    """The sigmoid of binary images (van den Oord et al. 2016, section 5.3). Logits: (...), those of value 1.

    Example:
    >>> import numpy as np
    >>> round(float(Bernoulli().log_prob(np.array([1]), np.zeros(1, "float32"))[0]), 4)
    -0.6931
    """

    levels = 2

    def log_prob(self, values: Tensor, logits: Tensor) -> Tensor:
        """Log-probability of each value in nats: values (...) of 0 and 1, logits (...)."""
        logits = at_least_float32(logits)
        sign = 2.0 * ops.cast(values, logits.dtype) - 1.0
        return -ops.softplus(-sign * logits)

    def class_logits(self, logits: Tensor) -> Tensor:
        """Logits (..., 2) of both values."""
        logits = at_least_float32(logits)
        return ops.stack([ops.zeros_like(logits), logits], axis=-1)


def likelihood_of(levels: int) -> Bernoulli | Categorical:
    """The likelihood of values 0..levels-1: `Bernoulli` for 2 levels, `Categorical` for more."""
    return Bernoulli() if levels == 2 else Categorical(levels)


def likelihood_of_logits(
    logits_shape: Shape, images_shape: Shape = (None, None, None, None)
) -> Bernoulli | Categorical:
    """The likelihood of values that a model has these logits for: `Bernoulli` for one logit each, else `Categorical`.

    Args:
        logits_shape: (batch, height, width, colours), or (batch, height, width, colours, levels).
        images_shape: (batch, height, width, colours), None for what is not known.

    Raises:
        ValueError: if the shapes do not belong together.

    Example:
    >>> likelihood_of_logits((None, 8, 8, 3, 256)).levels
    256
    """
    levels = tuple(logits_shape[len(images_shape) :])
    pairs = zip(logits_shape[1:], images_shape[1:], strict=False)
    if len(logits_shape) < len(images_shape) or len(levels) > 1 or any(x != y for x, y in pairs if x and y):
        raise ValueError(
            f"logits must have one value, or one for each level, for each value of images {tuple(images_shape)}, got "
            f"shape {tuple(logits_shape)}: pixel_zoo.layers.Logits makes them"
        )
    return Categorical(levels[0]) if levels else Bernoulli()


def log_likelihood(images: Tensor, logits: Tensor) -> Tensor:
    """log p(x) of each image, the sum over its pixels and colours.

    Args:
        images: integer tensor (batch, height, width, colours).
        logits: float tensor (batch, height, width, colours, levels), or (batch, height, width, colours) if binary.

    Returns:
        float32 tensor (batch,) in nats; float64 for logits of float64.

    Example:
    >>> import numpy as np
    >>> nats = log_likelihood(np.zeros((1, 28, 28, 1), "uint8"), np.zeros((1, 28, 28, 1), "float32"))
    >>> round(float(nats[0]), 2)
    -543.43
    """
    return ops.sum(_log_probability(images, logits), axis=(1, 2, 3))


def surprise(images: Tensor, logits: Tensor) -> Tensor:
    """-log p of each value, given the values before it: the terms whose sum is -log p(x).

    Args:
        images, logits: as of `log_likelihood`.

    Returns:
        float32 tensor (batch, height, width, colours) in nats; float64 for logits of float64.

    Example:
    >>> import numpy as np
    >>> nats = surprise(np.zeros((1, 2, 2, 1), "uint8"), np.zeros((1, 2, 2, 1), "float32"))
    >>> round(float(nats[0, 1, 1, 0]), 4)
    0.6931
    """
    return -_log_probability(images, logits)


def _log_probability(images, logits):
    """log p of each value, given the values before it."""
    return likelihood_of_logits(logits.shape, images.shape).log_prob(images, logits)


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-probability of every value that a colour may take, given the values before it.

    Args:
        logits: as of `log_likelihood`.

    Returns:
        float32 tensor (batch, height, width, colours, levels) in nats; float64 for logits of float64.

    Example:
    >>> import numpy as np
    >>> log_probabilities(np.zeros((1, 28, 28, 1), "float32")).shape[1:] == (28, 28, 1, 2)
    True
    """
    return ops.log_softmax(likelihood_of_logits(logits.shape).class_logits(logits), axis=-1)


def cross_entropy(expected_logits: Tensor, logits: Tensor) -> Tensor:
    """-sum of p(value) log q(value) of each image, over its pixels, colours and all values that they may take.

    Args:
        expected_logits: logits of p, as of `log_likelihood`.
        logits: logits of q, of the same shape and dtype.

    Returns:
        float32 tensor (batch,) in nats; float64 for logits of float64.

    Example:
    >>> import numpy as np
    >>> certain, undecided = np.full((1, 2, 2, 1), 99, "float32"), np.zeros((1, 2, 2, 1), "float32")
    >>> round(float(cross_entropy(certain, undecided)[0]), 3)
    2.773
    """
    terms = ops.exp(log_probabilities(expected_logits)) * log_probabilities(logits)
    return -ops.sum(terms, axis=(1, 2, 3, 4))


def bits_per_dim(nats: Tensor, image_shape: Sequence[int]) -> Tensor:
    """Nats of an image as bits for each of its values: nats / (ln 2 x height x width x colours)."""
    return nats / (math.log(2) * math.prod(image_shape))


@keras.saving.register_keras_serializable(package="pixel_zoo")
class NegativeLogLikelihood(keras.losses.Loss):
    """-log p(x) of each image in nats, the loss of the paper. Targets: the images; predictions: the logits.

    Example:
    >>> import numpy as np
    >>> loss = NegativeLogLikelihood()(np.zeros((4, 2, 2, 1), "uint8"), np.zeros((4, 2, 2, 1), "float32"))
    >>> round(float(loss), 3)
    2.773
    """

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return -log_likelihood(y_true, y_pred)


@keras.saving.register_keras_serializable(package="pixel_zoo")
class CrossEntropy(keras.losses.Loss):
    """`cross_entropy` of each image. Targets: the expected logits, of one model; predictions: those of another.

    Example:
    >>> import numpy as np
    >>> loss = CrossEntropy()(np.full((4, 2, 2, 1), 99, "float32"), np.zeros((4, 2, 2, 1), "float32"))
    >>> round(float(loss), 3)
    2.773
    """

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return cross_entropy(y_true, y_pred)


@keras.saving.register_keras_serializable(package="pixel_zoo")
class Nats(keras.metrics.MeanMetricWrapper):
    """Mean of -log p(x) over images, in nats."""

    _direction = "down"  # where callbacks of mode "auto" look for it

    def __init__(self, name: str = "nats", dtype: str = "float32") -> None:
        super().__init__(_negative_log_likelihood, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="pixel_zoo")
class BitsPerDim(keras.metrics.MeanMetricWrapper):
    """Mean of -log2 p(x) over images, for each value of an image."""

    _direction = "down"  # where callbacks of mode "auto" look for it

    def __init__(self, name: str = "bits_per_dim", dtype: str = "float32") -> None:
        super().__init__(_negative_bits_per_dim, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


def _negative_log_likelihood(images, logits):
    return -log_likelihood(images, logits)


def _negative_bits_per_dim(images, logits):
    return bits_per_dim(-log_likelihood(images, logits), logits.shape[1:4])
