"""Commands that compress images with a model, without loss."""

import pathlib
from typing import Annotated

import typer

from pixel_zoo_cli.installed import pretrained_names
from pixel_zoo_cli.loading import load_with_codec
from pixel_zoo_cli.options import DataOption, Label, Model, Split, labels_of
from pixel_zoo_cli.outputs import check_can_hold, check_new, check_new_output, is_archive, write_output
from pixel_zoo_cli.picture_files import check_pictures, picture_paths, read_pictures
from pixel_zoo_cli.quiet import import_keras


def compress(
    model: Model,
    output: Annotated[pathlib.Path, typer.Option(help="File to write. It must not exist yet.")],
    files: Annotated[
        list[pathlib.Path] | None,
        typer.Argument(help="Picture files of the size of the model's images, and folders of such files."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Compress the images of a data set, not files: see `pixel-zoo list`.")
    ] = None,
    data_option: DataOption = None,
    split: Split = "test",
    num_images: Annotated[int | None, typer.Option(min=1, help="Only the first images of the split.")] = None,
    label: Label = None,
    block_size: Annotated[
        int, typer.Option(min=1, help="How many images are compressed together: fewer cost more bytes each.")
    ] = 1024,
):
    """Compress images without loss, to as many bits as the model's likelihood says.

    The file names the model. Decompress it with the same model, engine and kind of machine. A prior over codes
    compresses codes (--data), not the pictures that they stand for.
    """
    check_new(output)
    if (data is None) == (not files):
        raise ValueError("files: name picture files or folders, or else a data set (--data)")
    paths = picture_paths(files) if files else []
    loaded, codec = load_with_codec(model)
    import pixel_zoo as pz
    from pixel_zoo.files import replacing

    if data is None:
        if codec.of_codes:
            raise ValueError(f"files: {_codes_alone(model)}")
        check_pictures(paths, loaded)
        images, labels = read_pictures(paths, loaded), None
    else:
        images, labels = _split(model, loaded, codec, data, split, data_option, num_images)
    if label is not None:
        labels = labels_of(label)
    compressed = pz.compress(loaded, images, labels, block_size=block_size)
    with replacing(output, new=True) as temporary:
        temporary.write_bytes(compressed)
    print(output)
    size, count = len(compressed), len(images)
    each, bits = size / count, 8 * size / images.size
    print(f"images: {count:,}, bytes: {size:,}, bytes an image: {each:.2f}, bits/dim: {bits:.4f}")


def decompress(
    file: Annotated[pathlib.Path, typer.Argument(help="File that `pixel-zoo compress` wrote.")],
    output: Annotated[
        pathlib.Path,
        typer.Option(help="What to write, by its name: a .npz file (arrays), or a folder of numbered PNGs."),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="The .keras file of the model, if it is not a pretrained one, which the file names.",
            autocompletion=lambda: pretrained_names(),
        ),
    ] = None,
    start: Annotated[int, typer.Option(min=0, help="The first image to decompress.")] = 0,
    stop: Annotated[int | None, typer.Option(help="The first image after those to decompress; default: all.")] = None,
    label: Label = None,
):
    """Decompress images: arrays, or a folder of pictures.

    A .npz file holds `images`, integers (n, height, width, colours), the number of `levels`, and `labels` if they are
    stored. A folder shows the codes of a pretrained prior decoded.
    """
    check_new_output(output)
    if output.suffix.lower() == ".png":
        raise ValueError(f"output: {str(output)!r} must end in .npz, or be the name of a new folder")
    if not file.is_file():
        raise FileNotFoundError(f"file: there is no file {str(file)!r}")
    compressed = file.read_bytes()
    import_keras()
    import pixel_zoo as pz

    header = pz.compression.read_header(compressed)
    if model is None and header.model_name not in pz.pretrained_names():
        named = f"{header.model_name!r}, which is no pretrained model here" if header.model_name else "no model"
        raise ValueError(f"model: {str(file)!r} names {named}; give its .keras file (--model)")
    loaded, codec = load_with_codec(header.model_name if model is None else model)
    check_can_hold(output, codec.image_shape, codec.levels)
    images = pz.decompress(loaded, compressed, labels_of(label), start=start, stop=stop)
    numbers = range(start, start + len(images))
    names = [f"{number:0{max(4, len(str(header.count - 1)))}}" for number in numbers]
    labels = {} if header.labels is None else {"labels": header.labels[start : start + len(images)]}
    if is_archive(output):
        write_output(output, images, names, loaded.levels, None, {"images": images} | labels)
    else:
        write_output(output, codec.decode(images), names, codec.levels, None, {})
    print(output)


def _codes_alone(model):
    return (
        f"{model!r} compresses codes without loss, but codes lose a part of the pictures; choose a model of pictures, "
        "or name data of its codes, such as --data mnist_vq"
    )


def _split(name, model, codec, data, split, data_option, count):
    """The first images of a split, and their labels if the model takes any."""
    from pixel_zoo.data import arrays, info, labels
    from pixel_zoo.training.recipe import parse_data_options

    options = parse_data_options(data, data_option or [])
    data_set = info(data, **options)
    if codec.encodes(data_set.image_shape, data_set.levels):
        raise ValueError(f"data: {_codes_alone(name)}")
    images = arrays(data, split, **options)[:count]
    labelled = model.num_classes is not None and data_set.classes is not None
    return images, labels(data, split, **options)[:count] if labelled else None
