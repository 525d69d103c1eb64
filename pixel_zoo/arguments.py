"""Checks of what users pass to `generate`, `complete` and `log_likelihood`, before any work."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.checks import positive_integer


def check_images(images: ArrayLike, image_shape: Sequence[int], levels: int, name: str = "images") -> np.ndarray:
    """Return images as a NumPy array, or raise an error that says what is wrong.

    Args:
        images: array of integers (batch, height, width, colours) with values 0..levels-1, or of bool for 0 and 1.
        image_shape: (height, width, colours) that the model takes.
        levels: int.
        name: the argument's name, for the error.

    Returns:
        NumPy integer array.

    Raises:
        TypeError: if the values are not integers.
        ValueError: if the shape is not (batch, *image_shape), or a value lies outside the levels.
    """
    images = np.asarray(images)
    images = images.astype("uint8") if images.dtype == bool else images
    if not np.issubdtype(images.dtype, np.integer):
        raise TypeError(
            f"{name} must be integers 0..{levels - 1} (the model scales them itself), got dtype {images.dtype}"
            f"{_probably(images, image_shape, levels, name)}"
        )
    if images.ndim != 4 or images.shape[1:] != tuple(image_shape):
        expected = ", ".join(map(str, image_shape))
        hint = _probably(images, image_shape, levels, name)
        raise ValueError(f"{name} must have shape (batch, {expected}), got {images.shape}{hint}")
    if images.size and (images.min() < 0 or images.max() >= levels):
        raise ValueError(f"{name} must have values 0..{levels - 1}, got {images.min()}..{images.max()}")
    return images


def _probably(images, image_shape, levels, name):
    """What images of the wrong shape or dtype probably are, and what to pass instead; "" if nobody knows."""
    height, width, colours = image_shape
    of_one_colour = (height, width) if colours == 1 else image_shape
    back = "[..., None]" if colours == 1 else ""
    if levels > 2 and images.shape[1:] in ((*of_one_colour, levels), (*image_shape, levels)):
        added = back if images.shape[1:] == (*of_one_colour, levels) else ""
        return f": did you mean one-hot values? Pass np.argmax({name}, axis=-1){added}"
    if images.shape[1:] == (colours, height, width) != tuple(image_shape):
        return f": did you mean channels first? Pass np.moveaxis({name}, 1, -1)"
    if images.shape[1:] == (height, width) and colours == 1:
        return f": pass {name}[..., None]"
    return ""


def check_partly_known(
    images: ArrayLike, known: ArrayLike, image_shape: Sequence[int], levels: int, of_colours: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return images, with zeros where nothing is known, and the mask, or raise an error that says what is wrong.

    Args:
        images: array of integers (batch, height, width, colours), with values 0..levels-1 where they are known.
        known: array of bool (batch, height, width) or (height, width); with `of_colours`, also (batch, height, width,
            colours).
        image_shape: (height, width, colours) that the model takes.
        levels: int.
        of_colours: bool, whether single colours of a pixel may be known.

    Returns:
        (images, known): NumPy integer array, and bool array (batch, height, width), or of the images' shape if `known`
        tells colours apart.

    Raises:
        TypeError, ValueError: saying what is wrong; also if there is no image.
    """
    images = np.asarray(images)
    shapes = [images.shape[:3], images.shape[1:3], *([images.shape] if of_colours else [])]
    if images.ndim == 4 and np.shape(known) in shapes:
        # Unknown values may be anything, for example a marker such as 255 or -1.
        shown = np.asarray(known, bool)
        shown = shown if shown.ndim == 4 else np.broadcast_to(shown, images.shape[:3])[..., None]
        images = np.where(shown, images, np.zeros_like(images))
    images = check_images(images, image_shape, levels)
    positive_integer("the number of images", len(images))
    return images, _check_known(known, images, shapes)


def _check_known(known, images, shapes):
    """Return the mask of known pixels or values as a bool array with an entry per image, or raise an error."""
    known = np.asarray(known)
    if known.dtype != bool:
        raise TypeError(f"known must be a mask of bool, True where a pixel is known, got dtype {known.dtype}")
    if known.shape not in shapes:
        *others, last = map(str, shapes)
        raise ValueError(f"known must have shape {', '.join(others)} or {last}, got {known.shape}")
    return known if known.ndim == 4 else np.broadcast_to(known, images.shape[:3])


def check_seeds(seed, num_images):
    """One 64-bit seed per image: an integer means seed, seed + 1, ...; an array is used as it is."""
    seeds = np.asarray(seed)
    if not np.issubdtype(seeds.dtype, np.integer):
        seeds = np.asarray(seed, dtype=object)  # integers of more than 64 bits, which NumPy turns into floats
        if not all(type(one) is int for one in seeds.flat):
            raise TypeError(f"seed must be an integer, or one integer per image, got {seed!r}")
    added = num_images - 1 if seeds.ndim == 0 else 0
    if seeds.size and not -(2**63) <= int(seeds.min()) <= int(seeds.max()) + added < 2**63:
        raise ValueError(f"seed: the seeds of all {num_images} images must lie in -2**63..2**63 - 1, got {seed!r}")
    if seeds.ndim == 0:
        return seeds.astype("int64") + np.arange(num_images, dtype="int64")
    if seeds.shape != (num_images,):
        raise ValueError(f"seed must be an integer or an array of shape ({num_images},), got shape {seeds.shape}")
    return seeds.astype("int64")


def check_labels(labels, num_classes, num_images):
    """One label per image, an int32 array (num_images,): an integer applies to all of them.

    Args:
        labels: integer, or array of integers (num_images,), 0..num_classes-1; None for a model that takes no labels.
        num_classes: int, or None for a model that takes no labels.
        num_images: int.

    Raises:
        TypeError, ValueError: saying what is wrong with the labels.
    """
    if num_classes is None or labels is None:
        raise ValueError(_needless("labels") if num_classes is None else f"labels must be given: 0..{num_classes - 1}")
    array = np.asarray(labels)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"labels must be integers 0..{num_classes - 1}, got {labels!r}")
    if array.shape not in ((), (num_images,)):
        one_hot = array.shape == (num_images, num_classes) and num_classes > 1
        hint = ": did you mean one-hot labels? Pass np.argmax(labels, axis=-1)" if one_hot else ""
        raise ValueError(
            f"labels must be an integer or an array of shape ({num_images},), got shape {array.shape}{hint}"
        )
    if array.size and (array.min() < 0 or array.max() >= num_classes):
        raise ValueError(f"labels must be 0..{num_classes - 1}, got {array.min()}..{array.max()}")
    return np.broadcast_to(array, (num_images,)).astype("int32")


def check_vectors(vectors, length, num_images):
    """One vector per image, a float32 array (num_images, length): a single one applies to all of them.

    Args:
        vectors: array of numbers (length,) or (num_images, length); None for a model that takes no vectors.
        length: int, or None for a model that takes no vectors.
        num_images: int.

    Raises:
        TypeError, ValueError: saying what is wrong with the vectors.
    """
    if length is None or vectors is None:
        raise ValueError(_needless("vectors") if length is None else f"vectors must be given: {length} numbers each")
    array = np.asarray(vectors)
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        raise TypeError(f"vectors must be numbers, got dtype {array.dtype}")
    if array.shape not in ((length,), (num_images, length)):
        raise ValueError(f"vectors must have shape ({num_images}, {length}) or ({length},), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("vectors must be finite, got nan or infinity")
    return np.broadcast_to(array, (num_images, length)).astype("float32")


def _needless(name):
    return f"{name}: the model takes none"


def check_conditioning(conditioning, inputs, num_images):
    """Raise unless there is an array for each of the symbolic inputs other than the image, with an entry per image."""
    if len(conditioning) != len(inputs):
        raise ValueError(
            f"conditioning must hold the model's {len(inputs)} inputs other than the image, got {len(conditioning)}"
        )
    for index, value in enumerate(conditioning):
        if np.shape(value)[:1] != (num_images,):
            raise ValueError(
                f"conditioning[{index}] must have an entry for each of {num_images} images, got shape {np.shape(value)}"
            )
