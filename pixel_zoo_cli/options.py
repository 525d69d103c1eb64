"""Arguments and options that several commands have."""

import enum
import pathlib
from typing import Annotated

import typer

from pixel_zoo_cli.installed import pretrained_names

LARGEST_SEED = 2**63 - 1


class Known(enum.StrEnum):
    """The part of an image that a completion is given."""

    top = "top"
    bottom = "bottom"
    left = "left"
    right = "right"
    border = "border"


Model = Annotated[
    str,
    typer.Argument(help="A .keras file, or the name of a pretrained model.", autocompletion=lambda: pretrained_names()),
]
ServedModel = Annotated[
    str,
    typer.Argument(
        help="A .keras file, or the name of a pretrained or a served model.", autocompletion=lambda: pretrained_names()
    ),
]
Data = Annotated[str, typer.Option(help="Name of a data set: see `pixel-zoo list`.")]
OptionalData = Annotated[
    str | None, typer.Option("--data", help="Name of a data set, some of whose images are taken: see `pixel-zoo list`.")
]
DataOption = Annotated[
    list[str] | None, typer.Option("--data-option", help="An option of the data set: path=photos. Repeatable.")
]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Images = Annotated[
    pathlib.Path,
    typer.Option(
        help="What to write, by its name: a .png file (one labelled picture), a .npz file (arrays), or a folder of "
        "numbered PNGs. It must not exist yet."
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        min=-LARGEST_SEED - 1, max=LARGEST_SEED, help="Seed of the first image; each further image adds one to it."
    ),
]
Temperature = Annotated[
    float, typer.Option(help="Below 1: more probable images. 0: the most probable value of every pixel.")
]
TopK = Annotated[int | None, typer.Option(help="Draw from the k most probable values only.")]
TopP = Annotated[float | None, typer.Option(help="Draw from the most probable values that have this much probability.")]
MinP = Annotated[
    float | None,
    typer.Option(help="Draw from the values that are at least this fraction as probable as the most probable one."),
]
Particles = Annotated[
    int,
    typer.Option(
        help="How many ways to fill in each image are drawn and weighed by all known pixels. With 1, known pixels "
        "influence only what comes after them."
    ),
]
Sweeps = Annotated[
    int,
    typer.Option(
        help="With --particles: how often each completion is improved, a few rows at a time. Helps where what is known "
        "comes last."
    ),
]
Label = Annotated[
    list[int] | None,
    typer.Option(help="For a class-conditional model: one label for all images, or repeated, one for each."),
]
Server = Annotated[
    str | None, typer.Option(help="Ask TensorFlow Serving: host:port for gRPC, http://host:port for REST.")
]


def labels_of(label):
    """The value of `--label`: None, one for all images, or one for each."""
    return label[0] if label is not None and len(label) == 1 else label


def integers(option, text):
    """The integers of a text such as "3,4"."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{option} must be whole numbers with commas between them, got {text!r}") from None


def known_pixels(known, height, width):
    """The bool mask (height, width) of a half of the image, or of the border around its central half."""
    import numpy as np

    rows, columns = np.indices((height, width))
    return {
        Known.top: rows < height // 2,
        Known.bottom: rows >= height // 2,
        Known.left: columns < width // 2,
        Known.right: columns >= width // 2,
        Known.border: (abs(rows - (height - 1) / 2) >= height / 4) | (abs(columns - (width - 1) / 2) >= width / 4),
    }[known]
