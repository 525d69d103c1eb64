"""Pictures that let one see what a model does: its surprise, a prediction, what it looks at, how it draws."""

import numpy as np

from pixel_zoo.arguments import check_images
from pixel_zoo.files import new_directory, replacing
from pixel_zoo.training.pictures import UNKNOWN, rows_appearing, save_animation, to_colours

ROUNDING = 1e-6  # influence below this may be float32 rounding


def inspect(model, images, output, pixel=None, seed=0):
    """Draw what a model does with some images.

    | file | what it shows |
    |---|---|
    | `surprise.png` | the images, and -log p of each pixel given those before it |
    | `distribution.png` | the first image with one pixel marked, and the model's distribution of its value |
    | `receptive_field.png` | how much that prediction depends on each pixel of the first image |
    | `generation.gif` | sixteen images while they are drawn, row by row |

    Args:
        model: a model of `pixel_zoo.models`, of images alone.
        images: integers 0..levels-1 (n, height, width, colours); a few.
        output: directory that does not exist yet, or is empty.
        pixel: (row, column, colour) whose prediction is drawn; None: the first colour of the middle pixel.
        seed: int, of the first image drawn.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: `output` holds files, or can't be written.
        ValueError, TypeError: naming the argument that is wrong.

    Example:

    >>> import pathlib, tempfile
    >>> model = pz.models.PixelCNN((4, 4, 1), levels=4, filters=4, num_blocks=1, head_filters=4)
    >>> output = pathlib.Path(tempfile.mkdtemp())
    >>> inspect(model, np.zeros((2, 4, 4, 1), int), output)
    >>> sorted(path.name for path in output.iterdir())
    ['distribution.png', 'generation.gif', 'receptive_field.png', 'surprise.png']
    """
    images = _check(model, images)
    height, width, _ = model.image_shape
    pixel = check_pixel((height // 2, width // 2) if pixel is None else pixel, model.image_shape)
    output = new_directory(output)
    save_surprise(model, images, output / "surprise.png")
    save_distribution(model, images[0], pixel, output / "distribution.png")
    save_receptive_field(model, images[0], pixel, output / "receptive_field.png")
    drawn = model.generate(16, seed=seed)
    save_animation(rows_appearing(drawn, columns=4, levels=model.levels), output / "generation.gif")


def check_pixel(pixel, image_shape):
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


def surprise(model, images):
    """How unexpected each value is: -log p of it, given all values before it.

    Args:
        model: a model of `pixel_zoo.models`, of images alone.
        images: integers 0..levels-1 (n, height, width, colours).

    Returns:
        float32 array of the images' shape, in nats; the sum over an image is its negative log-likelihood.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> images = np.zeros((2, 4, 4, 1), int)
    >>> bool(np.allclose(surprise(model, images).sum(axis=(1, 2, 3)), -model.log_likelihood(images), rtol=1e-5))
    True
    """
    images = _check(model, images)
    return surprise_of(images, model.log_probabilities(images))


def surprise_of(images, log_probabilities):
    """`surprise` of images of which it is known already what a model expects.

    Args:
        images: integers 0..levels-1 (n, height, width, colours).
        log_probabilities: array (n, height, width, colours, levels), as of `PixelModel.log_probabilities`.

    Example:

    >>> surprise_of(np.ones((1, 1, 1, 1), int), np.log([[[[[0.5, 0.25, 0.25]]]]])).round(3).item()
    1.386
    """
    return -np.take_along_axis(log_probabilities, images[..., None].astype(int), axis=-1)[..., 0]


def distribution(model, images, pixel):
    """What the model expects at a pixel: the probability of each value of one colour.

    Args:
        model: a model of `pixel_zoo.models`, of images alone.
        images: integers 0..levels-1 (n, height, width, colours).
        pixel: (row, column, colour).

    Returns:
        float32 array (n, levels) of probabilities.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), levels=4, filters=4, num_blocks=1, head_filters=4)
    >>> distribution(model, np.zeros((2, 4, 4, 1), int), (1, 2, 0)).shape
    (2, 4)
    """
    images, pixel = _check(model, images), check_pixel(pixel, model.image_shape)
    return np.exp(model.log_probabilities(images)[:, *pixel])


def receptive_field(model, image, pixel, batch_size=64):
    """How much the prediction of a pixel depends on each pixel: measured, not read off the architecture.

    Every pixel in turn has all its colours moved by half of the levels; the influence is how far that moves the
    predicted distribution, as total variation: half the sum of the absolute differences of probabilities.

    Args:
        model: a model of `pixel_zoo.models`, of images alone.
        image: integers 0..levels-1 (height, width, colours).
        pixel: (row, column, colour) of the prediction.
        batch_size: int, how many changed images are looked at at once.

    Returns:
        float32 array (height, width) in [0, 1]: from nothing to everything. What is not seen is 0 up to rounding.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> seen = receptive_field(model, np.zeros((4, 4, 1), int), (2, 2, 0)) > ROUNDING
    >>> bool(seen[3].any() or seen[2, 2:].any())
    False
    """
    image = _check(model, np.asarray(image)[None])
    height, width, _ = model.image_shape
    places = np.arange(height * width)
    changed = image.repeat(len(places), axis=0)
    changed[places, places // width, places % width] += model.levels // 2
    changed %= model.levels
    # All batches have one size, so that one size is compiled.
    batches = [places[start : start + batch_size] for start in range(0, len(places), batch_size)]
    batches[-1] = np.resize(batches[-1], len(batches[0]))
    moved = np.concatenate([distribution(model, changed[batch], pixel) for batch in batches])[: len(places)]
    influence = np.abs(moved - distribution(model, image, pixel)).sum(axis=-1) / 2
    return influence.reshape(height, width)


def save_surprise(model, images, path):
    """Draw images, and below each of them `surprise`, summed over colours.

    Args:
        model, images: as of `surprise`.
        path: the picture to be written, by its ending a PNG, SVG or PDF.
    """
    nats = surprise(model, images).sum(axis=-1)
    figure, axes = _figure(2, len(images), width=1.4 * len(images) + 1, height=3.4)
    for image, map_, (above, below) in zip(to_colours(images, model.levels), nats, axes.T, strict=True):
        above.imshow(image)
        above.set_title(f"{map_.sum():.1f} nats", fontsize="medium")
        shown = below.imshow(map_, vmin=0, vmax=nats.max(), cmap="magma")
    figure.colorbar(shown, ax=axes[1], label="-log p (nats a pixel)")
    _save(figure, path)


def save_distribution(model, image, pixel, path):
    """Draw what the model knows of an image before a pixel, and `distribution` there, the true value marked.

    Args:
        model, pixel: as of `distribution`.
        image: integers 0..levels-1 (height, width, colours).
        path: the picture to be written, by its ending a PNG, SVG or PDF.
    """
    (probabilities,) = distribution(model, image[None], pixel)
    row, column, colour = pixel
    true = int(image[pixel])
    figure, (left, right) = _figure(1, 2, width=9, height=3, width_ratios=(1, 2))
    _show_known(left, image, pixel, model.levels)
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


def save_receptive_field(model, image, pixel, path):
    """Draw what the model knows of an image before a pixel, and `receptive_field`, on a logarithmic scale.

    Args:
        model, image, pixel: as of `receptive_field`.
        path: the picture to be written, by its ending a PNG, SVG or PDF.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    influence = receptive_field(model, image, pixel)
    figure, (left, right) = _figure(1, 2, width=7, height=3)
    _show_known(left, image, pixel, model.levels)
    seen = np.ma.masked_less_equal(influence, ROUNDING)
    shown = right.imshow(seen, norm=LogNorm(ROUNDING, 1), cmap=colormaps["viridis"].with_extremes(bad="lightgrey"))
    right.set_title("influence on the marked pixel", fontsize="medium")
    _mark(right, pixel)
    figure.colorbar(shown, ax=right, label="total variation (grey: none)")
    _save(figure, path)


def _check(model, images):
    """Images as int32, or an error that names what is wrong with them or the model."""
    if len(model.inputs) != 1:
        raise ValueError(f"model must take images alone, got inputs {[tensor.name for tensor in model.inputs]}")
    return check_images(images, model.image_shape, model.levels).astype("int32")


def _figure(rows, columns, width, height, **ratios):
    """A figure, `width` x `height` inches, and its array of empty axes."""
    from matplotlib.figure import Figure  # slow to import, and needed here alone

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=rows == 1, **ratios)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def _save(figure, path):
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _show_known(axes, image, pixel, levels):
    """An image up to a pixel, what comes later tinted."""
    row, column, _ = pixel
    rows, columns = np.indices(image.shape[:2])
    later = (rows > row) | ((rows == row) & (columns >= column))
    (colours,) = to_colours(image[None], levels)
    repeats = colours.shape[1] // later.shape[1]  # channels that stand side by side
    axes.imshow(np.where(np.tile(later, (1, repeats))[..., None], np.uint8(UNKNOWN), colours))
    _mark(axes, pixel)
    axes.set_title("known so far", fontsize="medium")


def _mark(axes, pixel):
    from matplotlib.patches import Rectangle

    row, column, _ = pixel
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="tab:red", linewidth=1.5))
