"""Weights of particles: sums, effective sample size, and systematic resampling.

Log-weights are tensors (batch, particles): those of an image's particles stand in a row.
"""

from keras import ops

from pixel_zoo.types import Tensor


def normalise(log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Log-weights whose weights sum to 1, and the logarithm of the sum before.

    Where all weights of an image are 0, the sum is minus infinity, and the weights returned are equal.

    Args:
        log_weights: float32 tensor (batch, particles).

    Returns:
        (log_weights, log_sum): float32 tensors (batch, particles) and (batch,).

    Example:
    >>> import numpy as np
    >>> weights, log_sum = normalise(np.log(np.array([[1, 3]], "float32")))
    >>> [round(float(weight), 3) for weight in ops.exp(weights[0])], round(float(ops.exp(log_sum[0])), 3)
    ([0.25, 0.75], 4.0)
    """
    largest = ops.max(log_weights, axis=-1, keepdims=True)
    possible = largest > -float("inf")
    # Infinities are replaced before they are subtracted: infinity minus infinity is no number.
    shifted = ops.where(possible, log_weights, 0.0) - ops.where(possible, largest, 0.0)
    log_sum = ops.log(ops.sum(ops.exp(shifted), axis=-1, keepdims=True))
    return shifted - log_sum, ops.where(possible, largest + log_sum, -float("inf"))[..., 0]


def effective_sample_size(log_weights: Tensor) -> Tensor:
    """1 / the sum of the squares of normalised weights (Kong et al. 1994): float32 tensor (batch,), 1 to particles.

    Example:
    >>> import numpy as np
    >>> float(effective_sample_size(np.log(np.full((1, 8), 1 / 8, "float32")))[0])
    8.0
    """
    return 1.0 / ops.sum(ops.exp(2.0 * log_weights), axis=-1)


def systematic(log_weights: Tensor, uniform: Tensor) -> Tensor:
    """Systematic resampling (Kitagawa 1996): a particle of weight w of N becomes floor(N w) or ceil(N w) particles.

    Args:
        log_weights: float32 tensor (batch, particles), normalised.
        uniform: float32 tensor (batch,) of numbers above 0 and below 1.

    Returns:
        int32 tensor (batch * particles,): which particle takes each place, counted over all images.

    Example:
    >>> import numpy as np
    >>> weights = np.array([[0.5, 0.0, 0.25, 0.25], [0.0, 0.0, 0.0, 1.0]], "float32")
    >>> with np.errstate(divide="ignore"):
    ...     log_weights = np.log(weights)
    >>> [int(particle) for particle in systematic(log_weights, np.array([0.5, 0.5], "float32"))]
    [0, 0, 2, 3, 7, 7, 7, 7]
    """
    batch, particles = ops.shape(log_weights)
    cumulative = ops.cumsum(ops.exp(log_weights), axis=-1)
    cumulative = cumulative / cumulative[:, -1:]
    # Place j stands at (j + u) / N. So many places stand before the end of each particle's share:
    before = ops.ceil(particles * cumulative - ops.expand_dims(uniform, -1))
    before = ops.cast(ops.where(cumulative < 1.0, before, particles), "int32")
    # In a row of all images, places of the next image come after those of this one.
    first = ops.expand_dims(ops.arange(batch, dtype="int32") * (particles + 1), -1)
    ends, places = first + before, first + ops.arange(particles, dtype="int32")
    taken = ops.searchsorted(ops.reshape(ends, (-1,)), ops.reshape(places, (-1,)), side="right")
    return ops.cast(taken, "int32")
