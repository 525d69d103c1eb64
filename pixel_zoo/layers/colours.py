"""Colour groups: which colour a feature belongs to, and which colours it may depend on inside its pixel."""

import numpy as np
from keras import ops

from pixel_zoo import backend


def feature_colours(features, colours):
    """Feature k of a map belongs to colour k % colours.

    The paper (section 3.4) splits every layer's features into one group per colour and does not say what happens to a
    remainder. Assigning colours in turn splits any number of features as evenly as possible. Concatenating maps whose
    widths are multiples of `colours` keeps every feature in its group.

    Args:
        features: number of features of the map.
        colours: number of colour channels of the image.

    Returns:
        int NumPy array (features,) of colours 0..colours-1.

    Example:
    >>> feature_colours(5, 3)
    array([0, 1, 2, 0, 1])
    """
    return np.arange(features) % colours


def centre_mask(mask_type, input_colours, output_colours):
    """What an output feature sees of its own pixel (paper, section 3.4, figure 2).

    Args:
        mask_type: "A": only earlier colours; "B": its own colour too.
        input_colours: int array (c_in,), the colour of each input feature.
        output_colours: int array (c_out,).

    Returns:
        float32 NumPy array (c_in, c_out) of zeros and ones.

    Example:
    >>> centre_mask("A", np.arange(3), np.arange(3))
    array([[0., 1., 1.],
           [0., 0., 1.],
           [0., 0., 0.]], dtype=float32)
    """
    sees = np.less if mask_type == "A" else np.less_equal
    return sees(input_colours[:, None], output_colours[None, :]).astype("float32")


def by_colour(colours_of_features):
    """The permutation that sorts features by colour, and the width of each group.

    Args:
        colours_of_features: int array (features,).

    Returns:
        (order, widths): a permutation of the features, and the list of the groups' widths.

    Example:
    >>> order, widths = by_colour(feature_colours(5, 3))
    >>> order, widths
    (array([0, 3, 1, 4, 2]), [2, 2, 1])
    """
    order = np.argsort(colours_of_features, kind="stable")
    return order, np.bincount(colours_of_features).tolist()


def sort_features(x, colours_of_features):
    """Sort the features of a tensor (..., features) by colour, as `by_colour` does."""
    order, _ = by_colour(colours_of_features)
    return backend.take(x, order, axis=-1)


def unsort_features(x, colours_of_features):
    """The inverse of `sort_features`."""
    order, _ = by_colour(colours_of_features)
    return backend.take(x, np.argsort(order), axis=-1)


def colour_slice(x, widths, colour):
    """The features of one colour of a tensor (..., features) sorted by colour."""
    if len(widths) == 1:
        return x
    start = sum(widths[:colour])
    return x[..., start : start + widths[colour]]


def join(groups):
    """The inverse of `colour_slice`: concatenate the features of all colours."""
    return groups[0] if len(groups) == 1 else ops.concatenate(groups, axis=-1)
