"""Checks of constructor arguments and input shapes, with errors that say what came and what would be right."""

import numbers


def positive_integer(name, value):
    """Return `value` if it is an integer of at least 1, else raise a ValueError that names it."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    return int(value)


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
