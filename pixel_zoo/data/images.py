"""A folder of pictures as a data set: `images`."""

import collections
import concurrent.futures
import logging
import os
import pathlib
import warnings

import numpy as np

from pixel_zoo.checks import positive_integer
from pixel_zoo.data.data_set import DataSet
from pixel_zoo.data.splits import split_by_digest
from pixel_zoo.progress import progress_bar


def images(path: str, size: int, colours: int = 3):
    """All pictures in a folder and the folders below it, each a square of `size` x `size` pixels of 256 levels.

    The central square of a picture, turned as its EXIF orientation says, is shrunk to `size` with Pillow's LANCZOS,
    which keeps the most detail of what does not alias. The first frame stands for an animation, transparency is laid
    on white, of 16 bits the upper 8 are kept. Files with the same bytes count once. The hash of a file's bytes decides
    its split, 80 : 10 : 10, and its place there; its name means nothing.

    Each file that can't be used is skipped with a line in the log "pixel_zoo", which Python prints to stderr: no
    picture, damaged, its shorter side below `size`, or more pixels than Pillow's `Image.MAX_IMAGE_PIXELS`. Files and
    folders whose name begins with a dot are left out.

    Args:
        path: the folder.
        size: height and width of the images, at least 1.
        colours: 3 for RGB, or 1 for grey (Pillow's "L", ITU-R 601-2 luma).

    Returns:
        The `DataSet`. All images are read at once, and held in memory.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: bad `size` or `colours`, or no file can be used.

    Example:

    >>> import tempfile
    >>> from PIL import Image
    >>> folder = tempfile.mkdtemp()
    >>> for grey in range(40):
    ...     Image.new("L", (12, 9), grey).save(f"{folder}/{grey}.png")
    >>> data_set = images(folder, size=8)
    >>> data_set.image_shape, sum(data_set.splits.values())
    ((8, 8, 3), 40)
    """
    size = positive_integer("size", size)
    if colours not in (1, 3) or isinstance(colours, bool):
        raise ValueError(f"colours must be 1 (grey) or 3 (RGB), got {colours!r}")
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"path: there is no folder {str(path)!r}; images takes the folder that holds your pictures "
            "(data_options.path of a recipe)"
        )
    pictures = _read_folder(folder, size, "L" if colours == 1 else "RGB")
    if not pictures:
        raise ValueError(f"path: no file in {str(path)!r} is a picture of at least {size} x {size} pixels")
    digests = sorted(pictures)
    parts = split_by_digest(np.stack([pictures[digest] for digest in digests]), digests)
    return DataSet(
        name="images",
        image_shape=(size, size, colours),
        levels=256,
        splits={split: len(rows) for split, rows in parts.items()},
        description=f"The {len(pictures):,} pictures of {path}, the central square of each shrunk to {size} x {size} "
        f"pixels, {'grey' if colours == 1 else 'RGB'} values 0 to 255. Split by a hash of each file.",
        source=str(path),
        read=parts.__getitem__,
    )


def _read_folder(folder, size, mode):
    """The pictures of a folder: hash of the file -> uint8 (size, size, channels). Says what it skipped and changed."""
    from PIL import Image

    from pixel_zoo.data.picture import read_file

    files = sorted(_files(folder))
    pictures, changes, lines = {}, collections.Counter(), []
    with (
        warnings.catch_warnings(),
        concurrent.futures.ThreadPoolExecutor() as pool,
        progress_bar(f"Reading {folder}", len(files), wanted=None) as one_more,
    ):
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files that it reads nevertheless
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for file, result in zip(files, pool.map(lambda file: read_file(file, size, mode), files), strict=True):
            one_more()
            if isinstance(result, str):
                lines.append(f"{file}: skipped: {result}")
                continue
            digest, pixels, changed = result
            if digest in pictures:
                changed = ["left out, the same bytes as another"]
            changes.update(changed)
            pictures[digest] = pixels
    lines += [f"{folder}: {change}: {count:,} of {len(files):,} files" for change, count in changes.items()]
    for line in lines:
        logging.getLogger("pixel_zoo").warning(line)
    return pictures


def _files(folder):
    """All files in a folder and below, but for those whose name, or whose folder's name, begins with a dot."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]  # where os.walk goes on
        yield from (pathlib.Path(parent, name) for name in files if not name.startswith("."))
