"""Images to train a background model on."""

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.arguments import check_images


def perturb(images: ArrayLike, levels: int, rate: float, seed: int = 0) -> np.ndarray:
    """Replace values at random, so that what images show is destroyed and their background statistics stay.

    Ren et al. 2019 (arXiv 1906.02845) train the background model of `likelihood_ratio` on such images: each
    value is replaced, with probability `rate`, by one drawn uniformly from all levels. They use rates of 0.1 to 0.3.

    Args:
        images: integers 0..levels-1 (n, height, width, colours).
        levels: int.
        rate: float between 0 and 1, the probability that a value is replaced; the new value may equal the old one.
        seed: int.

    Returns:
        Array of the images' shape and dtype.

    Raises:
        TypeError, ValueError: naming the argument that is wrong.

    Example:

    >>> blank = np.zeros((1, 100, 100, 1), "uint8")
    >>> round(float((perturb(blank, levels=2, rate=0.2) != blank).mean()), 2)
    0.1
    """
    if np.ndim(images) != 4:
        raise ValueError(f"images must have shape (n, height, width, colours), got {np.shape(images)}")
    images = check_images(images, np.shape(images)[1:], levels)
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be from 0 to 1, got {rate!r}")
    random = np.random.default_rng(seed)
    replaced = random.random(images.shape) < rate
    return np.where(replaced, random.integers(0, levels, images.shape), images).astype(images.dtype)
