"""What a model expects: the distribution of a value, and what it depends on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.arguments import check_images

if TYPE_CHECKING:  # pictures are drawn without Keras, too
    from pixel_zoo.models.image_model import ImageModel

ROUNDING = 1e-6  # influence below this may be float32 rounding
_LEAST = -1e3  # nats, for a log-probability of minus infinity: its share of an entropy is 0


def check_pixel(pixel: Sequence[int], image_shape: Sequence[int]) -> tuple[int, ...]:
    """Return (row, column, colour) as integers, or raise a ValueError unless they lie inside an image.

    Args:
        pixel: (row, column) or (row, column, colour); the colour is 0 if it is left out.
        image_shape: (height, width, colours).

    Example:

    >>> check_pixel((3, 4), image_shape=(8, 8, 1))
    (3, 4, 0)
    """
    whole = (*pixel, 0)[:3] if len(pixel) in (2, 3) else ()
    inside = len(whole) == 3 and all(0 <= index < size for index, size in zip(whole, image_shape, strict=True))
    if not inside:
        limits = ", ".join(f"0..{size - 1}" for size in image_shape)
        raise ValueError(f"pixel must be (row, column, colour) in {limits}, got {tuple(pixel)}")
    return tuple(int(index) for index in whole)


def distribution(
    model: "ImageModel", images: ArrayLike, pixel: Sequence[int], labels: ArrayLike | None = None
) -> np.ndarray:
    """What the model expects at a pixel: the probability of each value of one colour.

    Args:
        model: a model of `pixel_zoo.models`.
        images: integers 0..levels-1 (n, height, width, colours).
        pixel: (row, column, colour).
        labels: integer, or one for each image, for a class-conditional model.

    Returns:
        float32 array (n, levels) of probabilities.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), levels=4, filters=4, num_blocks=1, head_filters=4)
    >>> distribution(model, np.zeros((2, 4, 4, 1), int), (1, 2, 0)).shape
    (2, 4)
    """
    row, column, colour = check_pixel(pixel, model.image_shape)
    return np.exp(model.log_probabilities(images, labels)[:, row, column, colour])


def pixel_with_peaks(log_probabilities):
    """A pixel whose prediction is uncertain and has a peak at the lowest or the highest value, or at both.

    Such peaks are what the paper shows of its softmax: without any notion of order, a model learns that the ends of
    the scale are likely. The pixel is the one with the largest product of the entropy and the heights of both peaks; a
    height is by how much a probability exceeds that of the adjacent value. With two levels the entropy alone decides.

    Args:
        log_probabilities: array (n, height, width, colours, levels), as of `PixelModel.log_probabilities`.

    Returns:
        (image, (row, column, colour)), all of them indices.

    Example:

    >>> probabilities = np.full((1, 2, 2, 1, 4), 0.25)
    >>> probabilities[0, 1, 0, 0] = 0.4, 0.1, 0.1, 0.4
    >>> pixel_with_peaks(np.log(probabilities))
    (0, (1, 0, 0))
    """
    probabilities = np.exp(log_probabilities)
    score = -np.sum(probabilities * np.maximum(log_probabilities, _LEAST), axis=-1)
    if probabilities.shape[-1] > 2:
        low = probabilities[..., 0] - probabilities[..., 1]
        high = probabilities[..., -1] - probabilities[..., -2]
        score = score * (np.maximum(low, 0) + np.maximum(high, 0))
    image, *pixel = map(int, np.unravel_index(score.argmax(), score.shape))
    return image, tuple(pixel)


def known_before(model, pixel):
    """The pixels that are known when a pixel is predicted: those before it in the model's order.

    Args:
        model: a model of `pixel_zoo.models`. A multi-scale model draws a smaller image first.
        pixel: (row, column, colour).

    Returns:
        bool array (height, width).

    Example:

    >>> model = pz.models.PixelCNN((2, 3, 1), filters=4, num_blocks=1, head_filters=4)
    >>> known_before(model, (1, 1, 0)).tolist()
    [[True, True, True], [True, False, False]]
    """
    height, width, _ = model.image_shape
    rows, columns = np.indices((height, width))
    before = (rows < pixel[0]) | ((rows == pixel[0]) & (columns < pixel[1]))
    *smaller, last = (
        (rows % (height // stage.image_shape[0]) == 0) & (columns % (width // stage.image_shape[1]) == 0)
        for stage in getattr(model, "stages", [model])
    )
    known = np.zeros((height, width), bool)
    for drawn in smaller:
        if drawn[pixel[:2]] and model.likelihood_kind == "exact":  # its pixels are copied, not predicted again
            return known | (drawn & before)
        known |= drawn
    return known | (last & before)


def receptive_field(
    model: "ImageModel", image: np.ndarray, pixel: Sequence[int], label: int | None = None, batch_size: int = 64
) -> np.ndarray:
    """How much the prediction of a pixel depends on each pixel: measured, not derived from the architecture.

    All colours of each pixel in turn are changed by half of the levels. The influence of the pixel is how far that
    moves the predicted distribution, as total variation: half the sum of the absolute differences of probabilities.

    Args:
        model: a model of `pixel_zoo.models`.
        image: integers 0..levels-1 (height, width, colours).
        pixel: (row, column, colour) of the prediction.
        label: integer, for a class-conditional model.
        batch_size: int, how many changed images are scored at a time.

    Returns:
        float32 array (height, width) in [0, 1]: from no influence to all. It is 0 up to rounding for unseen pixels.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> seen = receptive_field(model, np.zeros((4, 4, 1), int), (2, 2, 0)) > ROUNDING
    >>> bool(seen[3].any() or seen[2, 2:].any())
    False
    """
    image = check_images(np.asarray(image)[None], model.image_shape, model.levels).astype("int32")
    height, width, _ = model.image_shape
    positions = np.arange(height * width)
    changed = image.repeat(len(positions), axis=0)
    changed[positions, positions // width, positions % width] += model.levels // 2
    changed %= model.levels
    # All batches have the same size, so that only one size is compiled.
    batches = [positions[start : start + batch_size] for start in range(0, len(positions), batch_size)]
    batches[-1] = np.resize(batches[-1], len(batches[0]))
    moved = np.concatenate([distribution(model, changed[batch], pixel, label) for batch in batches])[: len(positions)]
    influence = np.abs(moved - distribution(model, image, pixel, label)).sum(axis=-1) / 2
    return influence.reshape(height, width)
