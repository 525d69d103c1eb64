"""The loops over a model's stages: a model of whole images is its own only stage, a multi-scale model has several.

They run eagerly on NumPy arrays, in Keras graphs and in exported signatures alike.
"""

from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import image_shape_of, stages_of


def scale_factors(image_shape, small_shape):
    """How many rows and columns of an image there are for each of the small image's.

    Args:
        image_shape: (height, width, colours).
        small_shape: (height, width) of the small image.

    Returns:
        (rows, columns): the small image holds rows 0, `rows`, 2 `rows` ... and columns 0, `columns` ... of the image.

    Raises:
        ValueError: unless small_shape is a pair of integers that divide height and width.

    Example:
    >>> scale_factors((28, 28, 1), (7, 14))
    (4, 2)
    """
    pair = tuple(small_shape) if isinstance(small_shape, (tuple, list)) else ()
    if len(pair) != 2:
        raise ValueError(f"small_shape must be (height, width), got {small_shape!r}")
    pair = [positive_integer(f"small_shape[{axis}]", size) for axis, size in enumerate(pair)]
    if any(large % small for large, small in zip(image_shape, pair, strict=False)):
        raise ValueError(f"small_shape must divide the image's {tuple(image_shape[:2])}, got {tuple(pair)}")
    return tuple(large // small for large, small in zip(image_shape, pair, strict=False))


def subsample(x, shape):
    """Every k-th row and column of images or masks, from the first one on.

    Args:
        x: array or tensor (batch, height, width, ...).
        shape: (height, width, ...) of what is returned.

    Example:
    >>> import numpy as np
    >>> subsample(np.arange(4).reshape(1, 1, 4), (1, 2)).tolist()
    [[[0, 2]]]
    """
    rows, columns = scale_factors(tuple(x.shape[1:3]), tuple(shape[:2]))
    return x[:, ::rows, ::columns]


def scales(model, images, conditions):
    """What each stage of a model is given to score images.

    Args:
        model: functional model, or a multi-scale model.
        images: array or tensor (batch, height, width, colours) of the model's images.
        conditions: dictionary from the name of an input to its value; see `pixel_zoo.inputs.check_conditions`.

    Yields:
        (stage, images, conditions): a functional model, its images, and its conditions, the images of the stage before
        under the name "small".
    """
    for stage in stages_of(model):
        scale = subsample(images, image_shape_of(stage))
        yield stage, scale, conditions
        conditions = conditions | {"small": scale}


def draw_stages(model, draw, conditions, small=None):
    """Draw the images of a model's stages, each given those of the stage before.

    Args:
        model: functional model, or a multi-scale model.
        draw: maps (index of a stage, the stage, its conditions) to its images and their log-likelihoods.
        conditions: as of `scales`.
        small: the images of the first stage, if they are given and not drawn.

    Returns:
        (images, log_likelihood): the last stage's images, and the sum over all stages that were drawn.
    """
    images, total = small, 0.0
    for index, stage in enumerate(stages_of(model)):
        if index > 0 or small is None:
            images, nats = draw(index, stage, conditions)
            total = total + nats
        conditions = conditions | {"small": images}
    return images, total
