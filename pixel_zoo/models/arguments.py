"""Checks of the arguments that all architectures share."""

import keras

from pixel_zoo.checks import positive_integer


def check_image_shape(image_shape):
    """Return (height, width, colours) as a tuple of ints, or raise a ValueError that says what is wrong."""
    shape = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    if len(shape) != 3:
        raise ValueError(f"image_shape must be (height, width, colours), got {image_shape!r}")
    return tuple(positive_integer(f"image_shape[{axis}]", size) for axis, size in enumerate(shape))


def check_levels(levels):
    """Return the number of levels, or raise a ValueError unless it is an integer of at least 2."""
    if positive_integer("levels", levels) < 2:
        raise ValueError(f"levels must be an integer of at least 2, got {levels!r}")
    return int(levels)


def check_embedding_dim(embedding_dim):
    """Return the length of embeddings, an integer or None, or raise a ValueError."""
    return None if embedding_dim is None else positive_integer("embedding_dim", embedding_dim)


def check_dropout(dropout):
    """Return the dropout rate, or raise a ValueError unless it lies in [0, 1)."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1), got {dropout!r}")
    return float(dropout)


def dtype_name(dtype):
    """The name of a dtype policy; None means the global one. Raises a ValueError for a map of several policies."""
    policy = keras.dtype_policies.get(keras.config.dtype_policy() if dtype is None else dtype)
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        raise ValueError(
            "dtype must be one policy for all layers, such as 'float32' or 'mixed_bfloat16', got a DTypePolicyMap"
        )
    return policy.name
