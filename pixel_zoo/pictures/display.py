"""Images shown where the user is: in a notebook or in a terminal."""

import itertools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.checks import positive_integer
from pixel_zoo.pictures.layout import grid, to_colours

if TYPE_CHECKING:
    from rich.text import Text

SHADES = " ░▒▓█"  # from black to white, where a terminal has no colours


def show(
    images: ArrayLike,
    levels: int | None = None,
    *,
    labels: Sequence[object] | None = None,
    columns: int | None = None,
) -> None:
    """Show images as a grid.

    A notebook displays one picture, in which each pixel of a small image is a square with sharp edges. A terminal shows
    blocks of colour, or shades where it has no colours.

    Args:
        images: integers or bools (n, height, width, channels), or one image (height, width, channels). Three channels
            are red, green and blue; any other number is shown as grey images side by side.
        levels: int, number of values of a channel: the value levels-1 is white in every image. None takes the largest
            value of all images for white.
        labels: what to write above the images, such as their classes or seeds, one for each.
        columns: int, images in a row. None makes the grid as wide as it is high, or wider.

    Raises:
        TypeError, ValueError: naming the argument that is wrong.

    Example:

    >>> pz.show(np.array([[[0], [1]], [[2], [4]]]), levels=5)
      ░░
    ▒▒██
    """
    values = _checked(images)
    count, largest = len(values), int(values.max())
    levels = max(largest + 1, 2) if levels is None else positive_integer("levels", levels)
    if largest >= levels:
        raise ValueError(f"levels must be above the largest value of the images, {largest}, got {levels}")
    columns = min(count, -(-count // int(count**0.5))) if columns is None else positive_integer("columns", columns)
    titles = None if labels is None else [str(label) for label in labels]
    if titles is not None and len(titles) != count:
        raise ValueError(f"labels must be one for each of the {count} images, got {len(titles)}")
    if _in_notebook():
        _display(grid(values, columns, max(levels, 2), titles))
    else:
        _print(to_colours(values, max(levels, 2)), columns, titles)


def _checked(images: ArrayLike) -> np.ndarray:
    """The images as integers (n, height, width, channels), at least one."""
    values = np.asarray(images)
    if values.dtype.kind not in "biu":
        raise TypeError(f"images must be integers or bools, got {values.dtype}")
    if values.ndim == 3 and values.shape[-1] in (1, 3):
        values = values[None]
    if values.ndim != 4 or 0 in values.shape:
        raise ValueError(
            "images must have shape (n, height, width, channels), or (height, width, channels) with 1 or 3 channels, "
            f"got {values.shape}"
        )
    if values.min() < 0:
        raise ValueError(f"images must have values of at least 0, got {values.min()}")
    return values.astype("int64")


def _in_notebook() -> bool:
    """Whether the code runs in the kernel of a notebook, not in a terminal."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython else None, "kernel")


def _display(picture: np.ndarray) -> None:
    from IPython.display import display
    from PIL import Image

    display(Image.fromarray(picture))


def _print(colours: np.ndarray, columns: int, titles: list[str] | None) -> None:
    """Print images (n, height, width, 3), as many in a row as the terminal is wide, at most `columns`."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    draw, wide = (_half_blocks, 1) if console.color_system else (_shades, 2)  # characters for each pixel
    stride = -(-colours.shape[2] * wide // console.width)  # a wide image shows every second pixel, or fewer
    tiles = [draw(image) for image in colours[:, ::stride, ::stride]]
    width = tiles[0][0].cell_len
    columns = min(columns, max(1, (console.width + 2) // (width + 2)))
    for first in range(0, len(tiles), columns):
        row = tiles[first : first + columns]
        lines = list(zip(*row, strict=True))
        if titles is not None:
            lines.insert(0, tuple(Text(title[:width]) for title in titles[first : first + columns]))
        for texts in lines:
            padded = [Text.assemble(text, " " * (width - text.cell_len)) for text in texts]
            line = Text("  ").join(padded)
            line.rstrip()
            console.print(line, no_wrap=True, overflow="crop")
        if first + columns < len(tiles):
            console.print()


def _half_blocks(image: np.ndarray) -> list["Text"]:
    """The lines of an image, two rows in each: half of a character for each pixel."""
    from rich.text import Text

    if len(image) % 2:
        image = np.concatenate([image, np.zeros_like(image[:1])])
    rgb = [["#{:02x}{:02x}{:02x}".format(*pixel) for pixel in row] for row in image.tolist()]
    return [
        Text.assemble(*(("▀" * len(list(run)), style) for style, run in itertools.groupby(map(" on ".join, pairs))))
        for pairs in (zip(above, below, strict=True) for above, below in zip(rgb[::2], rgb[1::2], strict=True))
    ]


def _shades(image: np.ndarray) -> list["Text"]:
    """The lines of an image, two characters for each pixel."""
    from rich.text import Text

    shades = np.rint(image.mean(axis=-1) * (len(SHADES) - 1) / 255).astype(int)
    return [Text("".join(2 * SHADES[shade] for shade in row)) for row in shades]
