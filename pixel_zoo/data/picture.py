"""One picture file as a rectangle of pixels. This module needs Pillow: import it when pictures are read."""

import hashlib
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pixel_zoo.data.pixel_budget import PixelBudget

#: The formats that are decoded. Pillow knows more, and runs another program for some: Ghostscript for EPS.
FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF", "JPEG2000", "PPM", "TGA")
#: How many times larger than needed a picture stays when its decoder shrinks it; from 3 on no difference is seen.
SPARE_SIZE = 3

_CHANNELS_OF_MODE = {"L": 1, "RGB": 3}


class Centre(NamedTuple):
    """The centre of a picture, shrunk.

    Attributes:
        digest: SHA-256 of the file, 64 hexadecimal digits.
        pixels: uint8 array (height, width, channels).
        changed: list of texts: what was changed on the way.
        highest: the highest value of a picture with more than 8 bits per value, else None.
    """

    digest: str
    pixels: np.ndarray
    changed: list
    highest: int | None


def open_picture(file: pathlib.Path, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Open a picture of one of some formats; only its header is read.

    Raises:
        UnidentifiedImageError: it is of none of them.
    """
    Image.init()
    return Image.open(file, formats=[name for name in formats if name in Image.OPEN])


def read_file(
    file: pathlib.Path, size: tuple[int, int], mode: str, bits: int | None, budget: PixelBudget, large: bool = True
) -> Centre | str | None:
    """Read the centre of a picture: the largest rectangle with the proportions of `size`, shrunk to that size.

    Pillow looks at the beginning of a file before it reads the rest, so a film costs no more than a text.

    Args:
        file: the file.
        size: (height, width).
        mode: "L" or "RGB".
        bits: how many bits count in values of more than 8; None for 16.
        budget: the pixels that all threads together may decode at once.
        large: whether to decode a picture of more pixels than the budget has. Do so in one thread alone: the C library
            keeps what a thread has freed for that thread, so each thread would keep holding the memory of a large
            picture.

    Returns:
        The centre; or text: why the file can't be used; or None for a large picture that is not decoded.
    """
    try:
        if not file.is_file():  # a pipe, or a link to nowhere
            return "no file"
        if not file.stat().st_size:
            return "the file is empty"
        with open_picture(file) as picture:
            _check_not_smaller(picture, size)
            count = prepare_decoding(picture, size)
            if count > budget.limit and not large:
                return None
            with budget.reserved(count):
                pixels, changed, highest = _centre(picture, size, mode, bits)
        with open(file, "rb") as content:
            return Centre(hashlib.file_digest(content, "sha256").hexdigest(), pixels, changed, highest)
    except UnidentifiedImageError:
        return "not a picture in a supported format"
    except Exception as error:  # a damaged file fails in any way, deep in a decoder
        return " ".join(str(error).split()) or type(error).__name__


def prepare_decoding(picture: Image.Image, size: tuple[int, int] | None) -> int:
    """Bound what decoding an open picture takes, from its header, and let a decoder that can do so shrink it.

    Args:
        picture: from `open_picture`, not decoded yet.
        size: (height, width) that is needed of the upright picture, or None for all of it.

    Returns:
        The pixels that are decoded.

    Raises:
        ValueError: they are more than Pillow's `Image.MAX_IMAGE_PIXELS`.
    """
    width, height = picture.size
    if size is not None:
        needed_height, needed_width = reversed(size) if _is_turned(picture) else size
        picture.draft(None, (SPARE_SIZE * needed_width, SPARE_SIZE * needed_height))
    # A progressive JPEG is held in memory at its full size, even if it is decoded at a smaller one.
    decoded = (width, height) if picture.info.get("progressive") else picture.size
    pixels, limit = decoded[0] * decoded[1], Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise ValueError(f"{width} x {height} pixels, more than the {limit:,} of Pillow's Image.MAX_IMAGE_PIXELS")
    return pixels


def has_more_than_8_bits(picture: Image.Image) -> bool:
    """Whether the values of an open picture, not decoded yet, have more than 8 bits; Pillow cuts them in colour."""
    # "BGR;16" has 5 or 6 bits a colour, 16 in all.
    return picture.mode[0] in "IF" or any(
        ";16" in str(tile[3]) and "BGR;16" not in str(tile[3]) for tile in picture.tile
    )


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """(width, height) of an open picture as it is to be seen."""
    return picture.size[::-1] if _is_turned(picture) else picture.size


def _check_not_smaller(picture, size):
    width, height = picture.size
    needed_height, needed_width = reversed(size) if _is_turned(picture) else size
    if width < needed_width or height < needed_height:
        raise ValueError(f"{width} x {height} pixels, {_smaller_than(size)}")


def _is_turned(picture):
    """Whether rows of the file are columns of the picture, according to its EXIF data before the pixels."""
    if picture.format == "PNG" and "exif" not in picture.info:
        return False  # Pillow would decode the whole file to look behind its pixels
    return picture.getexif().get(ExifTags.Base.Orientation, 1) > 4


def _smaller_than(size):
    height, width = size
    return f"of which a side is below {height}" if height == width else f"less than {width} wide or {height} high"


def _centre(picture, size, mode, bits):
    """The centre of an open picture as uint8 (height, width, channels), what was changed, the highest value."""
    changed = ["several frames, the first is taken"] if getattr(picture, "is_animated", False) else []
    deep = has_more_than_8_bits(picture)
    highest = None
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode[0] in "IF":
        picture, highest = _eight_bits(picture, bits)
    elif deep:
        highest = _highest_of_deep_colour(picture, bits)
    if highest is not None:
        changed.append(f"{bits or 16} bits per value, the upper 8 are kept")
    if picture.has_transparency_data:
        picture = _on_white(picture)
        changed.append("transparent, laid on white")
    height, width = size
    scale = min(picture.width / width, picture.height / height)
    box_width, box_height = round(scale * width), round(scale * height)
    left, top = (picture.width - box_width) // 2, (picture.height - box_height) // 2
    centre = picture.convert(mode).resize(
        (width, height), Image.Resampling.LANCZOS, box=(left, top, left + box_width, top + box_height)
    )
    return np.asarray(centre).reshape(height, width, _CHANNELS_OF_MODE[mode]), changed, highest


def _eight_bits(picture, bits):
    """A grey picture of integers or floats with the upper 8 of their bits, and its highest value.

    Pillow's own conversion clips some kinds of them.
    """
    values = np.asarray(picture)
    if picture.mode == "F" and bits is None:
        raise ValueError("floating-point values, of which black and white are not known: set bits if they are integers")
    lowest, highest, count = values.min(), values.max(), bits or 16
    if not (lowest >= 0 and highest < 2**count):  # nor NaN
        raise ValueError(f"values {lowest} to {highest}, which do not fit in {count} bits: set bits")
    return Image.fromarray(np.floor_divide(values, 2 ** (count - 8)).astype(np.uint8)), int(highest)


def _highest_of_deep_colour(picture, bits):
    """The highest value that a colour picture of 16 bits can have; Pillow has read the upper 8 of them."""
    if bits not in (None, 16):
        raise ValueError(f"16 bits per value in colour, of which Pillow reads the upper 8, not {bits}: convert it")
    extremes = zip(picture.getbands(), picture.getextrema(), strict=True)
    return 256 * max(highest for band, (_, highest) in extremes if band != "A") + 255


def _on_white(picture):
    canvas = Image.new("RGBA", picture.size, "white")
    canvas.alpha_composite(picture if picture.mode == "RGBA" else picture.convert("RGBA"))
    return canvas
