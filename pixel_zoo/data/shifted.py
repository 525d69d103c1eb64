"""Distribution augmentation: each training image shifted in all directions, and the shift as its label."""

import dataclasses
import functools

import numpy as np

from pixel_zoo.checks import positive_integer
from pixel_zoo.data.data_set import DataSet


def shifted(source: DataSet, pixels: int = 1) -> DataSet:
    """A data set whose training images are those of another, each shifted in every direction, with the shift as label.

    A network that overfits sees more images this way, and the label tells it which distribution an image is from:
    distribution augmentation (Jun et al. 2020, *Distribution Augmentation for Generative Modeling*). Label 0 stands for
    images that are not shifted. All images of the other splits have it, so their figures compare with those of the
    source.

    Args:
        source: the data set to shift. Its own labels, if any, are not used.
        pixels: shifts are up to this many pixels up or down, and left or right. Pixels that a shift leaves free repeat
            the edge of the image.

    Returns:
        A `DataSet` with (2 * pixels + 1)**2 times as many training images, and as many classes.

    Raises:
        ValueError: `pixels` is not a positive integer below the height and width of the images.

    Example:

    >>> from pixel_zoo import data
    >>> digits = shifted(data.info("digits"))
    >>> digits.classes, digits.splits
    (9, {'train': 11673, 'validation': 200, 'test': 300})
    """
    height, width, _ = source.image_shape
    if positive_integer("pixels", pixels) >= min(height, width):
        raise ValueError(f"pixels must be below {min(height, width)}, the size of an image, got {pixels}")
    shifts = _shifts(pixels)
    return dataclasses.replace(
        source,
        name=f"shifted {source.name}",
        splits=dict(source.splits) | {"train": source.splits["train"] * len(shifts)},
        description=f"{source.description} Training images are shifted by up to {pixels} pixels in each direction, and "
        "the label is the shift: 0 for none, which all images of the other splits have.",
        read=functools.partial(_read, source, shifts),
        classes=len(shifts),
        read_labels=functools.partial(_read_labels, source, shifts),
        small_shape=None,
        read_small=None,
    )


def _shifts(pixels):
    """(rows down, columns to the right) of each label; label 0 is no shift."""
    steps = range(-pixels, pixels + 1)
    return sorted(((down, right) for down in steps for right in steps), key=lambda shift: shift != (0, 0))


def _read(source, shifts, split):
    images = source.read(split)
    if split != "train":
        return images
    return np.concatenate([_shift(images, down, right) for down, right in shifts])


def _shift(images, down, right):
    _, height, width, _ = images.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return images[:, rows][:, :, columns]


def _read_labels(source, shifts, split):
    count = source.splits[split]
    return np.repeat(np.arange(len(shifts)), count) if split == "train" else np.zeros(count, "int64")
