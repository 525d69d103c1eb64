"""Commands that draw images, and show how a model predicts them."""

import pathlib
from typing import Annotated

import typer

from pixel_zoo_cli.loading import check_can_make, check_new_picture, load
from pixel_zoo_cli.options import (
    Data,
    DataOption,
    Known,
    Label,
    MinP,
    Model,
    Picture,
    Seed,
    ServedModel,
    Server,
    Split,
    Temperature,
    TopK,
    TopP,
    integers,
    known_pixels,
    labels_of,
)
from pixel_zoo_cli.quiet import busy, import_keras

SHOWN = 6
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def sample(
    model: ServedModel,
    output: Picture,
    num_images: Annotated[int, typer.Option(help="How many images.")] = 16,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    min_p: MinP = None,
    label: Label = None,
    server: Server = None,
):
    """Draw images from a model, as one picture."""
    check_new_picture(output)
    from pixel_zoo.sampler import Sampler

    sampler = Sampler(temperature, top_k, top_p, min_p)
    options = {"seed": seed, "sampler": sampler, "labels": labels_of(label)}
    if server is None:
        loaded = load(model)
        images, levels = loaded.generate(num_images, **options), loaded.levels
    else:
        images, levels = _sample_served(server, model, num_images, **options)
    from pixel_zoo import pictures

    columns = max(1, round(num_images**0.5))
    pictures.save(pictures.grid(images, columns, levels), output, new=True)
    print(output)


def complete(
    model: Model,
    data: Data,
    output: Picture,
    data_option: DataOption = None,
    known: Annotated[Known, typer.Option(help="The part of each image that is given.")] = Known.top,
    split: Split = "test",
    num_completions: Annotated[int, typer.Option(help="Completions of each image.")] = 4,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    min_p: MinP = None,
    label: Label = None,
):
    """Complete partly hidden images of a data set, as one picture.

    Each row shows an original, its known part and its completions. A class-conditional model gets the labels of the
    data set. Completion keeps all known pixels, but a known pixel that comes after an unknown one in raster order has
    no influence on it.
    """
    check_new_picture(output)
    from pixel_zoo.sampler import Sampler

    sampler = Sampler(temperature, top_k, top_p, min_p)
    loaded = load(model)
    import numpy as np

    from pixel_zoo import pictures

    images, labels = _some_images(data, split, data_option)
    if label is not None or loaded.num_classes is None:
        labels = labels_of(label)
    mask = known_pixels(known, *images.shape[1:3])
    completed = loaded.complete(
        images.repeat(num_completions, axis=0),
        mask,
        seed=seed,
        sampler=sampler,
        labels=labels if np.ndim(labels) == 0 else np.repeat(labels, num_completions),
    )
    completed = completed.reshape(len(images), num_completions, *images.shape[1:])
    pictures.save(pictures.completions(images, mask, completed, loaded.levels), output, new=True)
    print(output)


def inspect(
    model: Model,
    output: Annotated[pathlib.Path, typer.Option(help="Directory to write, new or empty.")],
    data: Annotated[str | None, typer.Option(help="Name of a data set, whose images are shown.")] = None,
    data_option: DataOption = None,
    split: Split = "test",
    image: Annotated[
        str | None, typer.Option(help="Show this image alone: its index in the split, or a picture file.")
    ] = None,
    pixel: Annotated[
        str | None,
        typer.Option(help="ROW,COLUMN or ROW,COLUMN,COLOUR of the first image; default: an uncertain one."),
    ] = None,
    label: Label = None,
    seed: Seed = 0,
):
    """Show how a model predicts images: its surprise, one prediction, its receptive field, images being drawn."""
    chosen = None if pixel is None else integers("pixel", pixel)
    file = None if image is None or image.isdecimal() else pathlib.Path(image)
    if file is None and data is None:
        raise ValueError("data: name a data set (--data), or a picture file (--image)")
    check_can_make(output)
    loaded = load(model)
    from pixel_zoo import training

    with busy("Inspecting"):
        if file is not None:
            images, labels = _picture(file, loaded), None
        else:
            images, labels = _some_images(data, split, data_option, None if image is None else int(image))
        if label is not None or loaded.num_classes is None:
            labels = labels_of(label)
        training.inspect(loaded, images, output, pixel=chosen, seed=seed, labels=labels)
    for path in sorted(output.iterdir()):
        print(path)


def _sample_served(server, model, num_images, **options):
    """Draw images from a model on a server: (images, levels)."""
    import_keras()
    from pixel_zoo.serving import Client

    with Client(server, model) as client:
        return client.sample(num_images, **options), client.levels


def _some_images(data, split, data_option, index=None):
    """Images of a split, and their labels, or None where it has none: one, or a few from all over the split."""
    import numpy as np

    from pixel_zoo.data import arrays, info, labels
    from pixel_zoo.training.recipe import parse_data_options

    options = parse_data_options(data, data_option or [])
    images = arrays(data, split, **options)
    if index is not None and index >= len(images):
        raise ValueError(f"image must be an index below {len(images):,}, the images of the split, got {index}")
    shown = np.linspace(0, len(images) - 1, SHOWN).astype(int) if index is None else [index]
    has_labels = info(data, **options).classes is not None
    return images[shown], labels(data, split, **options)[shown] if has_labels else None


def _picture(path, model):
    """The central part of a picture file in the shape and levels of a model, as a batch of one."""
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    height, width, colours = model.image_shape
    if colours not in (1, 3):
        raise ValueError(f"image: a picture file has 1 or 3 colours, the model {colours}; name an index of a data set")
    if not path.is_file():
        raise FileNotFoundError(f"image: there is no file {str(path)!r}, nor is that an index")
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.mode[0] in "IF":
                raise ValueError(f"image: {str(path)!r} has values of more than 8 bits (mode {picture.mode})")
            upright = ImageOps.exif_transpose(picture).convert("L" if colours == 1 else "RGB")
    except UnidentifiedImageError:
        raise ValueError(f"image: {str(path)!r} is not a picture of one of {', '.join(FORMATS)}") from None
    fitted = ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)
    return (np.asarray(fitted, "int32") * model.levels // 256).reshape(1, height, width, colours)
