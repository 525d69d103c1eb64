"""Likelihood corrected by the complexity of an image."""

import io
import math

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.anomaly.numbers import one_number_each


def complexity_corrected(nats: ArrayLike, compressed_bits: ArrayLike) -> np.ndarray:
    """-log2 p(x) - L(x): the bits of an image under the model less its bits under a general compressor.

    The score S(x) of Serrà et al. 2020 (*Input Complexity and Out-of-Distribution Detection with Likelihood-Based
    Generative Models*, arXiv 1909.11480). Likelihood measures above all how complex an image is, so simple
    images are likely under any model. A general compressor measures complexity without knowledge of the data. What the
    model has learnt, it codes in far fewer bits than the compressor; what it has not learnt, in about as many or more.
    Serrà et al. read the score as a likelihood ratio whose background model is the compressor.

    Args:
        nats: (n,) negative log-likelihoods of the images, in nats.
        compressed_bits: (n,) the lengths of the compressed images, in bits: `png_bits`, or those of another lossless
            compressor.

    Returns:
        float64 array (n,) in bits (of an image, not of a value): the higher, the more anomalous.

    Raises:
        TypeError, ValueError: naming the argument that is wrong.

    Example:

    >>> complexity_corrected([70.0, 70.0], compressed_bits=[1200, 600]).round(1)
    array([-1099.,  -499.])
    """
    nats, bits = one_number_each("nats", nats), one_number_each("compressed_bits", compressed_bits)
    if nats.shape != bits.shape:
        raise ValueError(f"compressed_bits must be of the same {len(nats):,} images, got {len(bits):,}")
    return nats / math.log(2) - bits


def png_bits(images: ArrayLike) -> np.ndarray:
    """The length of each image as a PNG file, in bits: how complex it is without knowledge of the data.

    The header and the end of a file, the same for all images of one shape, are part of it.

    Args:
        images: integers (n, height, width, 1 or 3), values 0..255.

    Returns:
        float64 array (n,).

    Raises:
        TypeError, ValueError: `images` are no integers, or PNG files of 8 bits cannot hold them.

    Example:

    >>> noise = np.random.default_rng(0).integers(0, 256, (1, 28, 28, 1))
    >>> bool(png_bits(noise) > 5 * png_bits(np.zeros_like(noise)))
    True
    """
    from PIL import Image

    images = np.asarray(images)
    if images.dtype.kind not in "biu":
        raise TypeError(f"images must be integers, got dtype {images.dtype}")
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(f"images must have shape (n, height, width, 1 or 3), as PNG files do, got {images.shape}")
    if images.min() < 0 or images.max() > 255:
        raise ValueError(f"images must have values 0..255, as PNG files do, got {images.min()}..{images.max()}")
    lengths = []
    for image in images.astype("uint8"):
        file = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG", optimize=True)
        lengths.append(8.0 * file.tell())
    return np.array(lengths)
