"""What commands that draw images write: a picture, arrays, or a folder of pictures, by the name of the output."""

import os

from pixel_zoo_cli.picture_files import grey_levels

LEVELS = 256  # at most, in a folder of PNGs, whose values have 8 bits
MODES = {1: "L", 3: "RGB"}


def check_new_output(path):
    """Raise unless `path` can become a new .png file, .npz file or folder; needs no Keras."""
    if path.suffix.lower() not in (".png", ".npz", ""):
        raise ValueError(f"output: {str(path)!r} must end in .png or .npz, or be the name of a new folder")
    check_new(path)


def is_archive(path):
    """Whether `path` is to be a .npz file, which holds what was drawn, not a picture of it."""
    return path.suffix.lower() == ".npz"


def check_new(path):
    """Raise unless `path` can become a new file or folder."""
    if path.exists():
        raise FileExistsError(f"output: {str(path)!r} exists already; name another file or folder")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise FileNotFoundError(f"output: {str(path.parent)!r} is not a directory that can be written")


def check_can_hold(path, image_shape, levels):
    """Raise unless `path` can hold images (height, width, colours) of so many levels; else drawing them is lost."""
    if not path.suffix and (image_shape[-1] not in MODES or levels > LEVELS):
        raise ValueError(
            f"output: a folder of PNGs holds images of 1 or 3 colours and up to {LEVELS} levels, the model has "
            f"{image_shape[-1]} and {levels}; name a .npz file"
        )


def write_output(path, images, names, levels, picture, arrays):
    """Write a new output.

    Args:
        path: pathlib.Path, as of `check_new_output`.
        images: integers 0..levels-1 (n, height, width, colours), for a folder: a PNG of each, a pixel for a pixel.
        names: their file names, without suffix.
        levels: int; the value levels-1 is white.
        picture: uint8 (rows, columns, 3), for a .png file.
        arrays: dictionary of what a .npz file holds.
    """
    import numpy as np
    from PIL import Image

    from pixel_zoo import pictures
    from pixel_zoo.files import replacing

    if path.suffix.lower() == ".png":
        pictures.save(picture, path, new=True)
        return
    with replacing(path, new=True) as temporary:
        if path.suffix:
            with open(temporary, "wb") as file:
                np.savez_compressed(file, levels=levels, **arrays)
            return
        temporary.mkdir()
        mode = MODES[images.shape[-1]]
        for name, image in zip(names, grey_levels(images, levels), strict=True):
            Image.fromarray(image[..., 0] if mode == "L" else image).save(temporary / f"{name}.png")
