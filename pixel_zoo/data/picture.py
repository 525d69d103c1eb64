"""One picture file as a square of pixels. This module needs Pillow: it is imported when pictures are read."""

import hashlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

_CHANNELS_OF_MODE = {"L": 1, "RGB": 3}


def read_file(file, size, mode):
    """Hash, pixels (size, size, channels) and a list of what was changed of a picture, or a text: why it can't be used.

    Pillow looks at a file's beginning before the rest is read, so a film costs no more than a text.
    """
    try:
        if not file.is_file():  # a pipe, or a link to nowhere
            return "no file"
        if not file.stat().st_size:
            return "the file is empty"
        with Image.open(file) as picture:
            pixels, changed = _square(picture, size, mode)
        with open(file, "rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest(), pixels, changed
    except UnidentifiedImageError:
        return "no picture that Pillow knows"
    except Exception as error:  # a damaged file fails in any way, deep in a decoder
        return " ".join(str(error).split()) or type(error).__name__


def _square(picture, size, mode):
    """The central square of an open picture as uint8 (size, size, channels), and what was changed on the way."""
    if min(picture.size) < size:
        raise ValueError(f"{picture.width} x {picture.height} pixels, of which a side is below {size}")
    changed = ["several frames, the first is taken"] if getattr(picture, "is_animated", False) else []
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        picture, changed = _eight_bits(picture), [*changed, "16 bits a value, the upper 8 are kept"]
    if picture.has_transparency_data:
        picture, changed = _on_white(picture), [*changed, "transparent, laid on white"]
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.convert(mode).resize(
        (size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side)
    )
    return np.asarray(square).reshape(size, size, _CHANNELS_OF_MODE[mode]), changed


def _eight_bits(picture):
    """A grey picture of 16 bits with their upper 8; Pillow's own conversion clips some kinds of them."""
    values = np.asarray(picture)
    if picture.mode == "F" or values.min() < 0 or values.max() >= 2**16:
        raise ValueError(f"values of 32 bits (mode {picture.mode}), whose black and white are not known")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _on_white(picture):
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
