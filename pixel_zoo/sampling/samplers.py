"""From logits and a uniform number to a value, apart from any model: temperature, top-k, top-p, inverse CDF."""

import dataclasses

from keras import ops

_NEVER = -1e30  # a logit whose probability is exactly 0 in float32, yet whose multiples stay finite


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Draws one value per uniform number by the inverse of the cumulative distribution.

    Args:
        top_k: int or None, keep the k most likely values only.
        top_p: float or None, keep the fewest values whose probabilities sum to at least p (nucleus sampling).

    Example:
    >>> import numpy as np
    >>> logits = np.log(np.array([[0.2, 0.5, 0.3]], "float32"))
    >>> one = np.ones(1, "float32")
    >>> [int(Sampler()(logits, u * one, one)[0]) for u in (0.1, 0.2001, 0.6, 0.9)]
    [0, 1, 1, 2]
    """

    top_k: int | None = None
    top_p: float | None = None

    def __call__(self, logits, uniform, temperature):
        """Draw a value for each row of logits.

        Args:
            logits: float32 tensor (batch, levels).
            uniform: float32 tensor (batch,) in [0, 1).
            temperature: float32 tensor (batch,); logits are divided by it; 0 takes the most likely value.

        Returns:
            int32 tensor (batch,).
        """
        greedy = ops.equal(temperature, 0.0)
        scaled = logits / ops.expand_dims(ops.where(greedy, 1.0, temperature), -1)
        if self.top_k is not None:
            scaled = _keep_top_k(scaled, self.top_k)
        if self.top_p is not None:
            scaled = _keep_top_p(scaled, self.top_p)
        return ops.where(greedy, ops.cast(ops.argmax(logits, axis=-1), "int32"), inverse_cdf(scaled, uniform))


def inverse_cdf(logits, uniform):
    """The first value whose cumulative probability exceeds `uniform`.

    Args:
        logits: float32 tensor (batch, levels).
        uniform: float32 tensor (batch,) in [0, 1).

    Returns:
        int32 tensor (batch,). A value of probability 0 never comes out.
    """
    cumulative = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)
    # Rounding may leave the last sum beside 1: measured against it, a uniform number below 1 always falls inside.
    threshold = ops.expand_dims(uniform, -1) * cumulative[..., -1:]
    return ops.sum(ops.cast(ops.less_equal(cumulative, threshold), "int32"), axis=-1)


def _keep_top_k(logits, k):
    kth = ops.top_k(logits, min(k, logits.shape[-1]))[0][..., -1:]
    return ops.where(logits >= kth, logits, _NEVER)


def _keep_top_p(logits, p):
    descending = -ops.sort(-logits, axis=-1)
    probabilities = ops.softmax(descending, axis=-1)
    # A value stays if those more likely than it do not reach p yet; the most likely one always stays.
    kept = ops.cumsum(probabilities, axis=-1) - probabilities < p
    least = ops.min(ops.where(kept, descending, -_NEVER), axis=-1, keepdims=True)
    return ops.where(logits >= least, logits, _NEVER)
