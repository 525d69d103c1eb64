"""Images laid out as one picture: grids, completions, images row by row."""

import functools
import importlib.util
import os
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.files import replacing

TILE = 96  # images lower than this are enlarged, each value to a square of pixels
GAP = 2  # pixels between images
LINE = 18  # pixels, the height of a title
TEXT_SIZE = 13  # pixels
TEXT = (235, 235, 235)
BACKGROUND = (64, 64, 64)
UNKNOWN = (70, 110, 180)  # a tint that no grey image contains


def can_draw() -> bool:
    """Whether Pillow and matplotlib are installed, which pictures need but training does not.

    Example:

    >>> can_draw()
    True
    """
    return all(importlib.util.find_spec(package) is not None for package in ("PIL", "matplotlib"))


def grid(images: ArrayLike, columns: int, levels: int, titles: Sequence[str] | None = None) -> np.ndarray:
    """Lay images out row by row.

    Args:
        images: integers 0..levels-1, shape (n, height, width, channels). Three channels are red, green and blue; any
            other number of channels is shown as grey images side by side.
        columns: int, images in a row.
        levels: int, number of values of a pixel's channel; the highest is shown as white.
        titles: texts to write above the images, one for each; "" leaves the place empty.

    Returns:
        uint8 array of shape (rows, columns, 3). Small images are enlarged by a whole factor, to at least 96 pixels.

    Raises:
        ValueError: `images` is not of rank 4, or there is not one title for each.

    Example:

    >>> grid(np.zeros((6, 8, 8, 1), int), columns=3, levels=17).shape
    (198, 296, 3)
    >>> grid(np.zeros((6, 8, 8, 1), int), columns=3, levels=17, titles=list("abcdef")).shape
    (234, 296, 3)
    """
    return _lay_out(to_colours(images, levels), columns, titles)


def titles_of_samples(seeds: Iterable[int], labels: Iterable[int] | None = None) -> list[str]:
    """Titles of generated images: the seed of each and, if the model takes labels, its label.

    Example:

    >>> titles_of_samples(range(7, 9)), titles_of_samples([7], labels=[3])
    (['seed 7', 'seed 8'], ['label 3, seed 7'])
    """
    titles = [f"seed {seed}" for seed in seeds]
    if labels is None:
        return titles
    return [f"label {label}, {title}" for label, title in zip(labels, titles, strict=True)]


def completions(originals: ArrayLike, known: np.ndarray, completed: np.ndarray, levels: int) -> np.ndarray:
    """Lay completions out, one row for each image: the original, its known part, and its completions.

    Args:
        originals: integers 0..levels-1, shape (n, height, width, channels).
        known: bool (height, width); pixels that the model was given. The others are tinted in the second column.
        completed: integers, shape (n, several, height, width, channels).
        levels: int, number of values of a pixel's channel.

    Returns:
        uint8 array of shape (rows, columns, 3), with a title above each column. Small images are enlarged.

    Example:

    >>> originals = np.zeros((2, 8, 8, 1), int)
    >>> known = np.arange(8)[:, None] < 4 + np.zeros(8)
    >>> completions(originals, known, originals[:, None], levels=17).shape
    (216, 296, 3)
    """
    shown = to_colours(originals, levels)
    repeats = shown.shape[2] // known.shape[1]  # channels are side by side
    occluded = np.where(np.tile(known, (1, repeats))[..., None], shown, np.array(UNKNOWN, "uint8"))
    filled = [to_colours(column, levels) for column in np.moveaxis(completed, 1, 0)]
    rows = np.stack([shown, occluded, *filled], axis=1)
    heads = ["original", "known", *(f"completion {number + 1}" for number in range(len(filled)))]
    titles = heads + [""] * (len(heads) * (len(shown) - 1))
    return _lay_out(rows.reshape(-1, *shown.shape[1:]), columns=len(heads), titles=titles)


def rows_appearing(images: ArrayLike, columns: int, levels: int, known: np.ndarray | bool = False) -> np.ndarray:
    """Pictures of images while they are drawn, row by row from the empty image on; pixels not drawn yet are tinted.

    Args:
        images, columns, levels: as of `grid`.
        known: bool (height, width), True where a pixel is known from the start.

    Returns:
        uint8 array of shape (height of an image + 1, rows, columns, 3).

    Example:

    >>> rows_appearing(np.zeros((6, 8, 8, 1), int), columns=3, levels=17).shape
    (9, 198, 296, 3)
    """
    colours = to_colours(images, levels)
    _, height, width, _ = colours.shape
    row, known = np.arange(height)[:, None, None], np.atleast_2d(known)
    there = np.tile(known, (1, width // known.shape[1]))[..., None]  # channels are side by side
    unknown = np.array(UNKNOWN, "uint8")
    pictures = (np.where(there | (row < rows), colours, unknown) for rows in range(height + 1))
    return np.stack([_lay_out(picture, columns) for picture in pictures])


def save_animation(pictures: Iterable[np.ndarray], path: str | os.PathLike, seconds: float = 4.0) -> None:
    """Write pictures (n, rows, columns, 3) as a looping GIF of `seconds`, which stays on the last one for a while."""
    from PIL import Image

    frames = [Image.fromarray(picture) for picture in pictures]
    milliseconds = [round(1000 * seconds / len(frames))] * (len(frames) - 1) + [2000]
    with replacing(path) as temporary:
        frames[0].save(temporary, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)


def save(picture: np.ndarray, path: str | os.PathLike, *, new: bool = False) -> None:
    """Write a uint8 array of shape (rows, columns, 3) to `path`; `new`: raise FileExistsError if the file exists."""
    from PIL import Image

    with replacing(path, new=new) as temporary:
        Image.fromarray(picture).save(temporary)


def to_colours(images: ArrayLike, levels: int) -> np.ndarray:
    """Integers 0..levels-1 (n, height, width, channels) as uint8 colours (n, height, width or a multiple of it, 3)."""
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(f"images must have shape (n, height, width, channels), got {images.shape}")
    if images.shape[-1] != 3:
        n, height, width, channels = images.shape
        grey = images.transpose(0, 1, 3, 2).reshape(n, height, channels * width, 1)
        images = np.repeat(grey, 3, axis=-1)
    return np.round(images * (255 / (levels - 1))).astype("uint8")


def _lay_out(colours, columns, titles=None):
    """Place images (n, height, width, 3) row by row, `columns` in a row, with a gap around each and titles above."""
    if titles is not None and len(titles) != len(colours):
        raise ValueError(f"titles must be one for each of the {len(colours)} images, got {len(titles)}")
    enlarge = -(-TILE // colours.shape[1])
    colours = colours.repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    _, height, width, _ = colours.shape
    titles = titles or [""] * len(colours)
    rows = [titles[first : first + columns] for first in range(0, len(colours), columns)]
    room = max(width, *(_text_width(title) for title in titles))  # of a column
    tops = np.cumsum([GAP] + [GAP + height + LINE * any(row) for row in rows])
    picture = np.empty((tops[-1], columns * (room + GAP) + GAP, 3), "uint8")
    picture[:] = BACKGROUND
    for index, tile in enumerate(colours):
        row, column = divmod(index, columns)
        top, left = tops[row + 1] - GAP - height, GAP + column * (room + GAP)
        picture[top : top + height, left : left + width] = tile
    places = [(GAP + column * (room + GAP), tops[row]) for row in range(len(rows)) for column in range(columns)]
    return _write(picture, zip(titles, places, strict=False)) if any(titles) else picture


def _write(picture, titles):
    """Write (text, (left, top)) pairs onto a picture."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for text, place in titles:
        draw.text(place, text, fill=TEXT, font=_font())
    return np.asarray(image)


def _text_width(text):
    """The width of a text in pixels; an empty one needs no Pillow."""
    return int(_font().getlength(text)) + 1 if text else 0


@functools.cache
def _font():
    from PIL import ImageFont

    return ImageFont.load_default(TEXT_SIZE)
