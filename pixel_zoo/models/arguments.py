"""Checks of the arguments that all architectures share.

Each takes the argument's name and its value, and returns the value, or raises a ValueError that says what is wrong.
"""

import numbers
from collections.abc import Callable
from typing import Any

import keras

from pixel_zoo.checks import positive_integer, true_or_false


def check_image_shape(name, image_shape):
    """(height, width, colours) as a tuple of ints."""
    shape = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    if len(shape) != 3:
        raise ValueError(f"{name} must be (height, width, colours), got {image_shape!r}")
    return tuple(positive_integer(f"{name}[{axis}]", size) for axis, size in enumerate(shape))


def check_levels(name, levels):
    """The number of levels, an integer of at least 2."""
    if positive_integer(name, levels) < 2:
        raise ValueError(f"{name} must be an integer of at least 2, got {levels!r}")
    return int(levels)


def check_optional_integer(name, value):
    """An integer of at least 1, or None."""
    return None if value is None else positive_integer(name, value)


def check_dropout(name, dropout):
    """The dropout rate, a float in [0, 1)."""
    if isinstance(dropout, bool) or not isinstance(dropout, numbers.Real):
        raise ValueError(f"{name} must be a number in [0, 1), got {dropout!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {dropout!r}")
    return float(dropout)


def dtype_name(name, dtype):
    """The name of a dtype policy; None means the global one. A map of several policies is refused."""
    policy = keras.dtype_policies.get(keras.config.dtype_policy() if dtype is None else dtype)
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        raise ValueError(
            f"{name} must be one policy for all layers, such as 'float32' or 'mixed_bfloat16', got a DTypePolicyMap"
        )
    return policy.name


#: Name of an argument -> its check. Every architecture has some of these arguments.
CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "image_shape": check_image_shape,
    "levels": check_levels,
    **dict.fromkeys(("filters", "units", "num_blocks", "head_filters"), positive_integer),
    **dict.fromkeys(("num_classes", "conditioning_dim", "embedding_dim"), check_optional_integer),
    **dict.fromkeys(("residual", "skip", "copy_known", "position_embedding"), true_or_false),
    "dropout": check_dropout,
    "dtype": dtype_name,
}
