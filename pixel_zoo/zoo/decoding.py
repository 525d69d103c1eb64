"""What the codes of a prior look like: the pictures that they are decoded to."""

import numpy as np

from pixel_zoo.zoo.index import read_index
from pixel_zoo.zoo.pretrained import load

PICTURE_LEVELS = 256  # of what a decoder returns, uint8


def decoder_of(name):
    """The decoder of a pretrained prior over codes, or None for any other model.

    Example:

    >>> decoder_of("digits_gated") is None
    True
    """
    return load(f"{name}.decoder") if "decoder" in read_index().get(name, {}).get("parts", {}) else None


def decoded(decoder, images, levels):
    """Images as they are shown, and the number of their levels: codes are decoded, if there is a decoder.

    Args:
        decoder: Keras model from codes to uint8 pictures, or None.
        images: integers 0..levels-1 (..., height, width, channels).
        levels: int.

    Example:

    >>> decoded(None, np.zeros((2, 4, 4, 1), "uint8"), 17)[1]
    17
    """
    if decoder is None:
        return images, levels
    images = np.asarray(images)
    pictures = decoder.predict(images.reshape(-1, *images.shape[-3:]), verbose=0)
    return pictures.reshape(*images.shape[:-3], *pictures.shape[1:]), PICTURE_LEVELS


def enlarged(known, shape):
    """A bool mask (height, width) of codes as that of their pictures (height, width of shape).

    Example:

    >>> enlarged(np.array([[True, False]]), (2, 4)).astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0]])
    """
    rows, columns = (large // small for large, small in zip(shape, known.shape, strict=True))
    return known.repeat(rows, axis=0).repeat(columns, axis=1)
