"""Commands that draw images, and show how a model predicts them."""

import pathlib
from typing import Annotated

import typer

from pixel_zoo_cli.loading import check_can_make, load_with_codec
from pixel_zoo_cli.options import (
    DataOption,
    Images,
    Known,
    Label,
    MinP,
    Model,
    OptionalData,
    Particles,
    Seed,
    ServedModel,
    Server,
    Split,
    Sweeps,
    Temperature,
    TopK,
    TopP,
    integers,
    known_pixels,
    labels_of,
)
from pixel_zoo_cli.outputs import check_can_hold, check_new_output, is_archive, write_output
from pixel_zoo_cli.picture_files import read_image, read_mask
from pixel_zoo_cli.quiet import busy, import_keras

SHOWN = 6


def sample(
    model: ServedModel,
    output: Images,
    num_images: Annotated[int, typer.Option(help="How many images.")] = 16,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    min_p: MinP = None,
    label: Label = None,
    server: Server = None,
):
    """Draw images from a model: one picture, arrays, or a folder of pictures.

    A .npz file holds `images`, integers (n, height, width, colours), their `seeds` and `labels`, and the number of
    `levels`. Pictures show the codes of a pretrained prior decoded; so do those from a server, if the model was
    exported with its decoder.
    """
    check_new_output(output)
    from pixel_zoo.sampler import Sampler

    sampler = Sampler(temperature, top_k, top_p, min_p)
    labels = labels_of(label)
    options = {"seed": seed, "sampler": sampler, "labels": labels}
    if server is None:
        loaded, codec = load_with_codec(model)
        images, shown, levels = _drawn(loaded, codec, loaded.generate, output, num_images, **options)
    else:
        images, shown, levels = _sample_served(server, model, output, num_images, **options)
    import numpy as np

    from pixel_zoo import pictures

    columns = max(1, round(num_images**0.5))
    seeds = seed + np.arange(num_images)
    of_each = None if labels is None else np.broadcast_to(labels, num_images)
    titles = pictures.titles_of_samples(seeds, of_each)
    arrays = {"images": images, "seeds": seeds} | ({} if labels is None else {"labels": of_each})
    picture = pictures.grid(shown, columns, levels, titles)
    write_output(output, shown, [f"{index:04}" for index in range(num_images)], levels, picture, arrays)
    print(output)


def complete(
    model: Model,
    output: Images,
    data: OptionalData = None,
    data_option: DataOption = None,
    image: Annotated[
        str | None, typer.Option(help="Complete this image alone: its index in the split, or a picture file.")
    ] = None,
    mask: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="A picture file, white where the image is to be drawn and black where it is known. It has the size of "
            "the picture file, or of the model's images (of a pretrained prior over codes: of its pictures)."
        ),
    ] = None,
    known: Annotated[
        Known | None, typer.Option(help="The part of each image that is given, without --mask.", show_default="top")
    ] = None,
    split: Split = "test",
    num_completions: Annotated[int, typer.Option(help="Completions of each image.")] = 4,
    particles: Particles = 1,
    sweeps: Sweeps = 0,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    min_p: MinP = None,
    label: Label = None,
):
    """Complete partly hidden images: of a data set, or a picture file.

    In a .png file, each row shows an original, its known part and its completions. A .npz file holds `images` (n,
    completions of each, height, width, colours), `originals`, `known`, `seeds` and the number of `levels`. A folder
    holds a PNG of each completion: `0000-01.png` is the second one of the first image.

    A pretrained prior over codes completes pictures through their codes: it encodes them, draws the codes of which not
    all pixels are known, and decodes the result, which also changes known pixels a little. A .npz file holds its codes.

    A class-conditional model gets the labels of the data set. All known pixels are kept. With one particle, a known
    pixel that comes after an unknown one in raster order has no influence on it; with --particles 64 it has.
    """
    check_new_output(output)
    _check_source(data, image)
    if mask is not None and known is not None:
        raise ValueError(f"known: give --known or --mask, not both, got {known} and {str(mask)!r}")
    from pixel_zoo.checks import positive_integer
    from pixel_zoo.sampler import Sampler

    positive_integer("num_completions", num_completions)
    sampler = Sampler(temperature, top_k, top_p, min_p)
    loaded, codec = load_with_codec(model)
    check_can_hold(output, codec.image_shape, codec.levels)
    import numpy as np

    from pixel_zoo import pictures

    given, labels, to_encode = _chosen_images(loaded, codec, data, split, data_option, image, label)
    if mask is None:
        pixels = codec.enlarge(known_pixels(known or Known.top, *loaded.image_shape[:2]))
    else:
        pixels = read_mask(mask, _picture_file(image), codec)
    images, pixels = codec.encode_known(given, pixels) if to_encode else (given, codec.wholly_known(pixels))
    completed = loaded.complete(
        images.repeat(num_completions, axis=0),
        pixels,
        seed=seed,
        particles=particles,
        sweeps=sweeps,
        sampler=sampler,
        labels=labels if np.ndim(labels) == 0 else np.repeat(labels, num_completions),
    )
    by_image = completed.reshape(len(images), num_completions, *images.shape[1:])
    seeds = seed + np.arange(len(completed)).reshape(by_image.shape[:2])
    names = [f"{index:04}-{number:02}" for index in range(len(images)) for number in range(num_completions)]
    arrays = {"images": by_image, "originals": images, "known": pixels, "seeds": seeds}
    levels, picture = loaded.levels, None
    if not is_archive(output):
        given = given if to_encode else codec.decode(given)
        completed, by_image, levels = codec.decode(completed), codec.decode(by_image), codec.levels
        picture = pictures.completions(given, codec.enlarge(pixels), by_image, levels)
    write_output(output, completed, names, levels, picture, arrays)
    print(output)


def inspect(
    model: Model,
    output: Annotated[pathlib.Path, typer.Option(help="Directory to write, new or empty.")],
    data: OptionalData = None,
    data_option: DataOption = None,
    split: Split = "test",
    image: Annotated[
        str | None, typer.Option(help="Show this image alone: its index in the split, or a picture file.")
    ] = None,
    pixel: Annotated[
        str | None,
        typer.Option(
            help="ROW,COLUMN or ROW,COLUMN,COLOUR of the first image, or of its codes; default: an uncertain one."
        ),
    ] = None,
    label: Label = None,
    seed: Seed = 0,
):
    """Show how a model predicts images: its surprise, one prediction, its receptive field, images being drawn.

    Of a pretrained prior over codes, images are shown decoded; surprise, prediction and receptive field are of codes.
    """
    chosen = None if pixel is None else integers("pixel", pixel)
    _check_source(data, image)
    check_can_make(output)
    loaded, codec = load_with_codec(model)
    from pixel_zoo import training

    with busy("Inspecting"):
        given, labels, to_encode = _chosen_images(loaded, codec, data, split, data_option, image, label)
        images = codec.encode(given) if to_encode else given
        training.inspect(loaded, images, output, pixel=chosen, seed=seed, labels=labels, codec=codec)
    for path in sorted(output.iterdir()):
        print(path)


def _sample_served(server, model, output, num_images, **options):
    """Draw images from a model on a server, as `_drawn`."""
    import_keras()
    from pixel_zoo.serving import Client
    from pixel_zoo.zoo.codecs import codec_of_client

    with Client(server, model) as client:
        codec = None if is_archive(output) else codec_of_client(model, client)
        return _drawn(client, codec, client.sample, output, num_images, **options)


def _drawn(model, codec, draw, output, num_images, **options):
    """Draw images: (images, what the output shows of them, its levels). An archive shows them as they are."""
    if is_archive(output):
        images = draw(num_images, **options)
        return images, images, model.levels
    check_can_hold(output, codec.image_shape, codec.levels)
    images = draw(num_images, **options)
    return images, codec.decode(images), codec.levels


def _picture_file(image: str | None) -> pathlib.Path | None:
    """The picture file that `--image` names; None if it is the index of an image."""
    return None if image is None or image.isdecimal() else pathlib.Path(image)


def _check_source(data, image):
    """Raise unless images come from a data set or a file."""
    if data is None and _picture_file(image) is None:
        raise ValueError("data: name a data set (--data), or a picture file (--image)")


def _chosen_images(model, codec, data, split, data_option, image, label):
    """The images that `--data` or `--image` names, their labels as the model takes them, and whether to encode them."""
    file = _picture_file(image)
    if file is not None:
        images, labels, to_encode = read_image(file, codec), None, codec.of_codes
    else:
        images, labels, to_encode = _some_images(codec, data, split, data_option, None if image is None else int(image))
    if label is not None or model.num_classes is None:
        labels = labels_of(label)
    return images, labels, to_encode


def _some_images(codec, data, split, data_option, index=None):
    """Images of a split, one or a few from all over it; their labels, or None; and whether to encode the images."""
    import numpy as np

    from pixel_zoo.data import arrays, info, labels
    from pixel_zoo.training.recipe import parse_data_options

    options = parse_data_options(data, data_option or [])
    images = arrays(data, split, **options)
    if index is not None and index >= len(images):
        raise ValueError(f"image must be an index below {len(images):,}, the images of the split, got {index}")
    shown = np.linspace(0, len(images) - 1, SHOWN).astype(int) if index is None else [index]
    data_set = info(data, **options)
    of_shown = None if data_set.classes is None else labels(data, split, **options)[shown]
    return images[shown], of_shown, codec.encodes(data_set.image_shape, data_set.levels)
