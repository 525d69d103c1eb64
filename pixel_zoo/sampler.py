"""How a value is drawn from its logits and a uniform number: temperature, top-k, top-p, min-p, inverse CDF.

Importing this module imports neither Keras nor the walker: a client checks its options without them.
"""

import dataclasses
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pixel_zoo.checks import positive_integer
from pixel_zoo.types import Tensor


class Ranking(NamedTuple):
    """A distribution sorted by probability, the most likely value first; of equal values, the smaller one first.

    Attributes:
        rank: int32 tensor (levels,): 0, 1, 2 ...
        probability: float32 tensor (batch, levels).
        before: float32 tensor (batch, levels), the sum of the probabilities of all values of a lower rank.
    """

    rank: Any
    probability: Any
    before: Any


def _number(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or value != value:
        raise ValueError(f"{name} must be a number, got {value!r}")


class Rule(NamedTuple):
    """A rule that leaves some values out, as a field of `Sampler` declares it.

    The first three attributes are enough for a rule of your own. Served models have inputs for the package's rules
    only, so the last two concern those.

    Attributes:
        keeps: maps a `Ranking` and the option, a tensor (batch, 1), to bool (batch, levels): which values are kept. At
            least one value with a probability above 0 must be kept.
        dtype: of the option in a compiled graph.
        off: number that switches the rule off in a compiled graph, where `Sampler` has None.
        check: function of (name, value) that raises an error unless `Sampler` accepts the value; by default any number.
        allows: maps a tensor of options to a tensor of bool: which of them a served model accepts.
        allowed: str, those options in words, for errors.
    """

    keeps: Callable
    dtype: str
    off: float
    check: Callable = _number
    allows: Callable = lambda option: option == option  # not NaN
    allowed: str = "a number"


def _temperature(name, value):
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number of at least 0 (0: the most likely value), got {value!r}")


def _above_0_to_1(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value <= 1:
        raise ValueError(f"{name} must lie in (0, 1], got {value!r}")


def _from_0_to_1(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")


def _among_top_k(ranking, k):
    return (ranking.rank < k) | (k < 1)


def _in_nucleus(ranking, p):
    return (ranking.before < p) | (p >= 1)


def _likely_enough(ranking, share):
    return ranking.probability >= share * ranking.probability[..., :1]


_TOP_K = Rule(_among_top_k, "int32", 0, positive_integer, lambda k: k >= 0, "at least 0 (0: all values)")
_TOP_P = Rule(_in_nucleus, "float32", 1.0, _above_0_to_1, lambda p: (p > 0) & (p <= 1), "in (0, 1]")
_MIN_P = Rule(_likely_enough, "float32", 0.0, _from_0_to_1, lambda p: (p >= 0) & (p <= 1), "in [0, 1]")


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Options of sampling: how each value is drawn from the model's distribution.

    The logits are divided by the temperature. Then the rules apply one after the other, in the order of the arguments,
    each to the distribution that the one before leaves, normalised. Of what remains a value is drawn by the inverse of
    the cumulative distribution function. Where a rule has to choose among equally likely values, it keeps the smaller
    ones.

    Args:
        temperature: float >= 0 that logits are divided by; 0 takes the most likely value.
        top_k: int >= 1, keep the k most likely values; None keeps all.
        top_p: float in (0, 1], keep the fewest values whose probabilities sum to at least p (nucleus sampling, Holtzman
            et al. 2020, 1904.09751); None keeps all.
        min_p: float in [0, 1], keep the values that are at least this fraction as likely as the most likely one (Nguyen
            et al. 2024, 2407.01082); None keeps all.

    A subclass adds a rule: a frozen dataclass with a further field, whose metadata hold a `Rule` by the name "rule".

    Raises:
        ValueError: naming the argument that is wrong.

    Example:
    >>> logits = np.log(np.array([[0.2, 0.5, 0.3]], "float32"))
    >>> [int(Sampler()(logits, np.float32([u]))[0]) for u in (0.1, 0.2001, 0.6, 0.9)]
    [0, 1, 1, 2]
    >>> [int(Sampler(top_k=2)(logits, np.float32([u]))[0]) for u in (0.1, 0.2001, 0.6, 0.9)]
    [1, 1, 1, 2]
    """

    temperature: float = 1.0
    top_k: int | None = dataclasses.field(default=None, metadata={"rule": _TOP_K})
    top_p: float | None = dataclasses.field(default=None, metadata={"rule": _TOP_P})
    min_p: float | None = dataclasses.field(default=None, metadata={"rule": _MIN_P})

    def __post_init__(self):
        _temperature("temperature", self.temperature)
        for name, rule in self.rules().items():
            if getattr(self, name) is not None:
                rule.check(name, getattr(self, name))

    def __call__(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Draw a value for each row of logits.

        Args:
            logits: float32 tensor (batch, levels).
            uniform: float32 tensor (batch,) of numbers above 0 and below 1.

        Returns:
            int32 tensor (batch,).
        """
        return self.draw(logits, uniform, self.options(len(uniform)))

    @classmethod
    def rules(cls) -> dict[str, Rule]:
        """The rules in the order in which they apply, by the name of their option."""
        return {field.name: field.metadata["rule"] for field in dataclasses.fields(cls) if "rule" in field.metadata}

    def options(self, count: int) -> dict:
        """The options as `draw` takes them, for `count` images: dictionary of NumPy arrays.

        Where no rule is on, theirs are left out, so that graphs compiled for such options hold no rules.
        """
        options = {"temperature": np.full(count, self.temperature, "float32")}
        rules = self.rules()
        if any(getattr(self, name) is not None for name in rules):
            for name, rule in rules.items():
                value = rule.off if getattr(self, name) is None else getattr(self, name)
                options[name] = np.full(count, min(value, np.iinfo("int32").max), rule.dtype)
        return options

    @classmethod
    def draw(cls, logits: Tensor, uniform: Tensor, options: dict[str, Tensor]) -> Tensor:
        """Draw a value for each row of logits, in a compiled graph.

        Args:
            logits: float32 tensor (batch, levels).
            uniform: float32 tensor (batch,) of numbers above 0 and below 1.
            options: dictionary of tensors (batch,): `temperature`, and, unless no rule is to apply, the option of each
                rule. It may also hold `restricts`, a scalar bool tensor: whether any rule is on. If not, no work is
                done for them.

        Returns:
            int32 tensor (batch,).
        """
        from keras import ops

        greedy = ops.equal(options["temperature"], 0.0)
        drawn = inverse_cdf(cls._adjusted(logits, options), uniform)
        return ops.where(greedy, ops.cast(ops.argmax(logits, axis=-1), "int32"), drawn)

    @classmethod
    def log_prob(cls, values: Tensor, logits: Tensor, options: dict[str, Tensor]) -> Tensor:
        """The log-probability with which `draw` draws values at a temperature above 0, in a compiled graph.

        Args:
            values: int32 tensor (batch,).
            logits, options: as of `draw`.

        Returns:
            float32 tensor (batch,) in nats: minus infinity for a value that a rule leaves out.
        """
        from keras import ops

        log_probs = ops.log_softmax(cls._adjusted(logits, options), axis=-1)
        return ops.take_along_axis(log_probs, ops.expand_dims(values, -1), axis=-1)[..., 0]

    @classmethod
    def _adjusted(cls, logits, options):
        """The logits divided by the temperature, if it is above 0, of the values that all rules keep."""
        from keras import ops

        greedy = ops.equal(options["temperature"], 0.0)
        scaled = logits / ops.expand_dims(ops.where(greedy, 1.0, options["temperature"]), -1)
        rules = {name: rule for name, rule in cls.rules().items() if name in options}
        if "restricts" in options:
            return ops.cond(options["restricts"], lambda: _restrict(scaled, rules, options), lambda: scaled)
        return _restrict(scaled, rules, options) if rules else scaled


def sampler_of(sampler=None, temperature=None, top_k=None, top_p=None):
    """The sampler that keyword arguments describe: a `Sampler`, or its shorthand.

    Raises:
        TypeError, ValueError: if both are given, or one is wrong.

    Example:
    >>> sampler_of(top_p=0.9)
    Sampler(temperature=1.0, top_k=None, top_p=0.9, min_p=None)
    """
    shorthand = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    shorthand = {name: value for name, value in shorthand.items() if value is not None}
    if sampler is None:
        return Sampler(**shorthand)
    if not isinstance(sampler, Sampler):
        raise TypeError(f"sampler must be a pixel_zoo.sampling.Sampler, got {sampler!r}")
    if shorthand:
        raise ValueError(f"{', '.join(shorthand)}: give options of sampling in sampler= or by keyword, not both")
    return sampler


def inverse_cdf(logits, uniform):
    """The first value whose cumulative probability exceeds `uniform`.

    Args:
        logits: float32 tensor (batch, levels).
        uniform: float32 tensor (batch,) of numbers above 0 and below 1.

    Returns:
        int32 tensor (batch,). A value of probability 0 is never drawn.
    """
    from keras import ops

    cumulative = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)
    # Rounding may make the last sum differ from 1; a threshold relative to it is always below it.
    threshold = ops.expand_dims(uniform, -1) * cumulative[..., -1:]
    return ops.sum(ops.cast(ops.less_equal(cumulative, threshold), "int32"), axis=-1)


def _restrict(logits, rules, options):
    """The logits (batch, levels) of the values that all rules keep; those of the others are minus infinity."""
    from keras import ops

    levels = logits.shape[-1]
    kept, order = ops.top_k(logits, levels)  # of equal logits the smaller value comes first
    for name, rule in rules.items():
        probability = ops.softmax(kept, axis=-1)
        ranking = Ranking(ops.arange(levels), probability, ops.cumsum(probability, axis=-1) - probability)
        kept = ops.where(rule.keeps(ranking, ops.expand_dims(options[name], -1)), kept, -np.inf)
    return ops.take_along_axis(kept, ops.argsort(order, axis=-1), axis=-1)
