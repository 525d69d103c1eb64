"""Surprise maps: where an image departs from what a model expects."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:  # a served model will do, too, without Keras
    from pixel_zoo.models.image_model import ImageModel


def surprise(
    model: "ImageModel", images: ArrayLike, labels: ArrayLike | None = None, vectors: ArrayLike | None = None
) -> np.ndarray:
    """How unexpected each value is: -log p of it, given all values before it.

    The sum over colours is the surprise map of an image. A large value shows that a pixel does not fit those before it
    in raster order, so the cause may lie above it or to its left.

    Args:
        model: a model of `pixel_zoo.models`, or a `pixel_zoo.serving.Client`.
        images: integers 0..levels-1 (n, height, width, colours).
        labels: integer, or one for each image, for a class-conditional model.
        vectors: a vector, or one for each image, for a model conditioned on vectors.

    Returns:
        float32 array of the images' shape, in nats. If the model's likelihood is exact, the sum over an image is its
        negative log-likelihood.

    Raises:
        TypeError, ValueError: naming the argument that is wrong.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> images = np.zeros((2, 4, 4, 1), int)
    >>> bool(np.allclose(surprise(model, images).sum(axis=(1, 2, 3)), -model.log_likelihood(images), rtol=1e-5))
    True
    """
    return model.surprise(images, labels, vectors)


def surprise_of(images: ArrayLike, log_probabilities: np.ndarray) -> np.ndarray:
    """`surprise`, from log-probabilities that have been computed already.

    Args:
        images: integers 0..levels-1 (n, height, width, colours).
        log_probabilities: array (n, height, width, colours, levels), as of `PixelModel.log_probabilities`.

    Returns:
        Array of the images' shape, in nats.

    Example:

    >>> surprise_of(np.ones((1, 1, 1, 1), int), np.log([[[[[0.5, 0.25, 0.25]]]]])).round(3).item()
    1.386
    """
    return -np.take_along_axis(log_probabilities, np.asarray(images)[..., None].astype(int), axis=-1)[..., 0]
