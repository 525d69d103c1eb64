"""Checks of arguments and input shapes, with errors that name the value got and what would be right."""

import difflib
import numbers
import re
from collections.abc import Iterable
from typing import TypeVar

Value = TypeVar("Value")


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """A question that suggests the known name closest to a misspelt one, or up to three that hold all of its words.

    Args:
        name: the name that is unknown.
        known: the names that are known.

    Returns:
        "did you mean ...? ", to be followed by the rest of an error message; "" if no known name is close.

    Example:

    >>> did_you_mean("epohcs", ["epochs", "seed"])
    "did you mean 'epochs'? "
    >>> did_you_mean("mnist gated", ["mnist_diagonal", "binarized_mnist_gated"])
    "did you mean 'binarized_mnist_gated'? "
    >>> did_you_mean("x", ["epochs", "seed"])
    ''
    """
    if not isinstance(name, str):
        return ""
    texts = [one for one in known if isinstance(one, str)]
    for case in (str, str.lower):
        spelt = {case(one): one for one in texts}
        if closest := difflib.get_close_matches(case(name), spelt, n=1, cutoff=0.7):
            return f"did you mean {spelt[closest[0]]!r}? "
    words = [word for word in re.split(r"[\W_]+", name.lower()) if len(word) > 2]
    holding = [one for one in texts if words and all(word in one.lower() for word in words)]
    return f"did you mean {' or '.join(map(repr, holding[:3]))}? " if holding else ""


def one_of(name: str, value: Value, known: Iterable[Value]) -> Value:
    """Return `value` if it is one of `known`, else raise a ValueError that suggests the closest and lists all.

    Args:
        name: the argument's name.
        value: what was passed.
        known: the values allowed, in the order in which the message lists them.

    Example:

    >>> one_of("data", "minst", ["digits", "mnist"])
    Traceback (most recent call last):
    ValueError: data: did you mean 'mnist'? It must be one of digits, mnist, got 'minst'
    """
    known = list(known)
    if value in known:
        return value
    suggestion = did_you_mean(value, known)
    start = f"{name}: {suggestion}It" if suggestion else name
    raise ValueError(f"{start} must be one of {', '.join(map(str, known))}, got {value!r}")


def positive_integer(name, value):
    """Return `value` if it is an integer of at least 1, else raise a ValueError that names it."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    return int(value)


def true_or_false(name, value):
    """Return `value` if it is True or False, else raise a ValueError that names it.

    Example:

    >>> true_or_false("residual", "no")
    Traceback (most recent call last):
    ValueError: residual must be True or False, got 'no'
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return value


def odd_integer(name, value):
    """Return `value` if it is an odd integer of at least 1, else raise a ValueError that names it."""
    if positive_integer(name, value) % 2 == 0:
        raise ValueError(f"{name} must be odd, so that a kernel has a centre, got {value!r}")
    return int(value)


def check_rank(layer, input_shape):
    """Raise a ValueError unless `input_shape` is (batch, height, width, channels) with a known number of channels."""
    if len(input_shape) != 4 or input_shape[-1] is None:
        raise ValueError(
            f"{layer.__class__.__name__} {layer.name!r} takes maps of shape (batch, height, width, channels) "
            f"with a known number of channels, got {tuple(input_shape)}"
        )


def check_groups(name, features, colours):
    """Raise a ValueError unless there is at least one feature for each colour."""
    if features < colours:
        raise ValueError(f"{name} must be at least colours={colours}, one feature for each colour, got {features}")
