"""Pictures that show what a model does: its surprise, a prediction, what that depends on, and how it draws."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pixel_zoo.anomaly import surprise_of
from pixel_zoo.arguments import check_images
from pixel_zoo.files import new_directory, replacing
from pixel_zoo.pictures.codec import Codec
from pixel_zoo.pictures.layout import UNKNOWN, rows_appearing, save_animation, to_colours
from pixel_zoo.pictures.measurements import (
    ROUNDING,
    check_pixel,
    distribution,
    known_before,
    pixel_with_peaks,
    receptive_field,
)

if TYPE_CHECKING:  # pictures are drawn without Keras, too
    from pixel_zoo.models.image_model import ImageModel

DRAWN = 16


def inspect(
    model: "ImageModel",
    images: np.ndarray,
    output: str | os.PathLike,
    pixel: Sequence[int] | None = None,
    seed: int = 0,
    labels: np.ndarray | int | None = None,
    codec: Codec | None = None,
) -> None:
    """Draw what a model does with some images.

    | file | what it shows |
    |---|---|
    | `surprise.png` | the images, and -log p of each pixel given those before it |
    | `distribution.png` | an image with one pixel marked, and the model's distribution of its value |
    | `receptive_field.png` | how much that prediction depends on each pixel of the image |
    | `generation.gif` | sixteen images while they are drawn, row by row |

    Args:
        model: a model of `pixel_zoo.models`.
        images: integers 0..levels-1 (n, height, width, colours); a few.
        output: directory that does not exist yet, or is empty.
        pixel: (row, column, colour) of the first image, whose prediction is drawn; None: the pixel of any of the images
            whose distribution is uncertain and has peaks at the lowest or the highest value, see `pixel_with_peaks`.
        seed: int, of the first image drawn.
        labels: integer, or one for each image, for a class-conditional model, which draws one image of each class in
            turn.
        codec: shows the images as pictures, if they are codes; None: the images are pictures.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: `output` holds files, or cannot be written.
        ValueError, TypeError: naming the argument that is wrong.

    Example:

    >>> import pathlib, tempfile
    >>> model = pz.models.PixelCNN((4, 4, 1), levels=4, filters=4, num_blocks=1, head_filters=4)
    >>> output = pathlib.Path(tempfile.mkdtemp())
    >>> inspect(model, np.zeros((2, 4, 4, 1), int), output)
    >>> sorted(path.name for path in output.iterdir())
    ['distribution.png', 'generation.gif', 'receptive_field.png', 'surprise.png']
    """
    images = check_images(images, model.image_shape, model.levels).astype("int32")
    chosen = None if pixel is None else (0, check_pixel(pixel, model.image_shape))
    log_probabilities = model.log_probabilities(images, labels)
    index, pixel = chosen or pixel_with_peaks(log_probabilities)
    image, codec = images[index], codec or Codec(model)
    label = labels if labels is None or np.ndim(labels) == 0 else np.asarray(labels)[index]
    directory = new_directory(output)
    nats = surprise_of(images, log_probabilities)
    save_surprise(codec.decode(images), nats, codec.levels, directory / "surprise.png")
    save_distribution(model, image, pixel, directory / "distribution.png", label, codec)
    save_receptive_field(model, image, pixel, directory / "receptive_field.png", label, codec)
    classes = None if model.num_classes is None else np.arange(DRAWN) % model.num_classes
    drawn = codec.decode(np.asarray(model.generate(DRAWN, seed=seed, labels=classes)))
    appearing = rows_appearing(drawn, columns=4, levels=codec.levels)
    save_animation(appearing[:: codec.block[0]], directory / "generation.gif")


def save_surprise(images, nats, levels, path):
    """Draw images, and below each of them `surprise`, summed over colours.

    Args:
        images: integers 0..levels-1 (n, height, width, colours).
        nats: their `surprise`, of the same shape; or that of the codes that they are decoded from.
        levels: int.
        path: the picture to write; its suffix says whether it is a PNG, SVG or PDF.
    """
    nats = nats.sum(axis=-1)
    figure, axes = _figure(2, len(images), width=1.4 * len(images) + 1, height=3.4)
    for image, map_, (above, below) in zip(to_colours(images, levels), nats, axes.T, strict=True):
        above.imshow(image)
        above.set_title(f"{map_.sum():.1f} nats", fontsize="medium")
        shown = below.imshow(map_, vmin=0, vmax=nats.max(), cmap="magma")
    figure.colorbar(shown, ax=axes[1], label="-log p (nats a pixel)")
    _save(figure, path)


def save_distribution(model, image, pixel, path, label, codec):
    """Draw what the model knows of an image before a pixel, and `distribution` there, with the true value marked.

    Args:
        model, pixel: as of `distribution`.
        image: integers 0..levels-1 (height, width, colours).
        path: the picture to write; its suffix says whether it is a PNG, SVG or PDF.
        label: integer for a class-conditional model, else None.
        codec: the model's `Codec`.
    """
    (probabilities,) = distribution(model, image[None], pixel, label)
    row, column, colour = pixel
    true = int(image[pixel])
    figure, (left, right) = _figure(1, 2, width=9, height=3, width_ratios=(1, 2))
    _show_known(left, model, image, pixel, codec)
    right.set_axis_on()
    right.bar(np.arange(model.levels), probabilities, width=1.0, color="tab:blue")
    right.bar(true, probabilities[true], width=1.0, color="tab:orange")
    nats = -np.log(probabilities[true])
    right.set_title(
        f"orange: the true value, {true}, p = {probabilities[true]:.3g}, {nats:.2f} nats", fontsize="medium"
    )
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set(xlabel=f"value of colour {colour} at row {row}, column {column}", ylabel="probability")
    _save(figure, path)


def save_receptive_field(model, image, pixel, path, label, codec):
    """Draw what the model knows of an image before a pixel, and `receptive_field`, on a logarithmic scale.

    Args:
        model, image, pixel, label: as of `receptive_field`.
        path: the picture to write; its suffix says whether it is a PNG, SVG or PDF.
        codec: the model's `Codec`.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    influence = receptive_field(model, image, pixel, label)
    figure, (left, right) = _figure(1, 2, width=7, height=3)
    _show_known(left, model, image, pixel, codec)
    seen = np.ma.masked_less_equal(influence, ROUNDING)
    shown = right.imshow(seen, norm=LogNorm(ROUNDING, 1), cmap=colormaps["viridis"].with_extremes(bad="lightgrey"))
    right.set_title("influence on the marked pixel", fontsize="medium")
    _mark(right, pixel)
    figure.colorbar(shown, ax=right, label="total variation (grey: none)")
    _save(figure, path)


def _figure(rows, columns, width, height, **ratios):
    """A figure, `width` x `height` inches, and its array of empty axes."""
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=rows == 1, **ratios)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def _save(figure, path):
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _show_known(axes, model, image, pixel, codec):
    """Show the part of an image that is known when a pixel is predicted; the rest is tinted."""
    (colours,) = to_colours(codec.decode(image[None]), codec.levels)
    known = codec.enlarge(known_before(model, pixel))
    repeats = colours.shape[1] // known.shape[1]  # channels are side by side
    axes.imshow(np.where(np.tile(known, (1, repeats))[..., None], colours, np.uint8(UNKNOWN)))
    _mark(axes, pixel, codec.block)
    axes.set_title("known so far", fontsize="medium")


def _mark(axes, pixel, block=(1, 1)):
    from matplotlib.patches import Rectangle

    (row, column, _), (height, width) = pixel, block
    corner = column * width - 0.5, row * height - 0.5
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="tab:red", linewidth=1.5))
