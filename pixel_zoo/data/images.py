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
from pixel_zoo.data.pixel_budget import PixelBudget
from pixel_zoo.data.splits import split_by_digest
from pixel_zoo.progress import progress_bar

_PIXELS_AT_ONCE = 2**23  # of some 12 bytes each while they are converted


def images(path: str, size: int | tuple[int, int], colours: int = 3, bits: int | None = None) -> DataSet:
    """All pictures in a folder and its subfolders, each shrunk to one size, with 256 levels.

    A picture is turned as its EXIF orientation says, then cropped, never padded: the largest central rectangle with the
    proportions of `size` is shrunk with Pillow's LANCZOS filter, which keeps the most detail without aliasing. For
    `size=(64, 128)`, a picture of 480 x 640 pixels (height x width) loses 80 rows at the top and 80 at the bottom.

    If every picture lies in a subfolder, and there are at least two of them, the subfolders are the classes: the label
    of a picture is the number of its subfolder in alphabetical order. Otherwise there are no labels.

    Of an animation the first frame is used; transparency is laid
    on white. Files with the same bytes count once. The hash of a file's bytes decides its split, 80 : 10 : 10, and its
    position there; its name does not matter. A JPEG much larger than `size` is decoded at a reduced size.

    Of values with 16 bits the upper 8 are kept. Files may use fewer of their bits (12 in many X-rays): a line in the
    log says if no file uses the highest ones, and `bits` says how many count. Floating-point values need `bits`.

    Each file that can't be used is skipped with a line in the log "pixel_zoo", which Python prints to stderr: not a
    picture (PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF, JPEG 2000, PPM, TGA), damaged, smaller than `size`, values
    beyond `bits`, or more pixels to decode than Pillow's `Image.MAX_IMAGE_PIXELS`. Files and folders whose name begins
    with a dot are ignored. Linked folders are followed, each folder once.

    Args:
        path: the folder.
        size: height and width of the images, or one integer for both; at least 1.
        colours: 3 for RGB, or 1 for grey (Pillow's "L", ITU-R 601-2 luma).
        bits: for grey pictures with more than 8 bits per value: values are 0 .. 2**bits - 1, bits from 8 to 32; None
            for 16.

    Returns:
        The `DataSet`. All images are read at once, and held in memory.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: bad `size`, `colours` or `bits`, or no file can be used.

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
    height, width = _height_and_width(size)
    if colours not in (1, 3) or isinstance(colours, bool):
        raise ValueError(f"colours must be 1 (grey) or 3 (RGB), got {colours!r}")
    if bits is not None and not 8 <= positive_integer("bits", bits) <= 32:
        raise ValueError(f"bits must be from 8 to 32, or None, got {bits!r}")
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"path: there is no folder {str(path)!r}; images takes the folder that holds your pictures "
            "(data_options.path of a recipe)"
        )
    pictures, folders = _read_folder(folder, (height, width), "L" if colours == 1 else "RGB", bits)
    if not pictures:
        raise ValueError(f"path: no file in {str(path)!r} is a picture of at least {height} x {width} pixels")
    digests = sorted(pictures)
    parts = split_by_digest(np.stack([pictures[digest] for digest in digests]), digests)
    classes = sorted(set(folders.values()))
    has_classes = len(classes) > 1 and "" not in classes
    labels = split_by_digest(np.array([classes.index(folders[digest]) for digest in digests]), digests)
    return DataSet(
        name="images",
        image_shape=(height, width, colours),
        levels=256,
        splits={split: len(rows) for split, rows in parts.items()},
        description=f"The {len(pictures):,} pictures of {path}, the central "
        f"{'square' if height == width else 'rectangle'} of each shrunk to {height} x {width} "
        f"pixels, {'grey' if colours == 1 else 'RGB'} values 0 to 255. Split by a hash of each file."
        + (f" Classes: {', '.join(classes)}." if has_classes else ""),
        source=str(path),
        read=parts.__getitem__,
        classes=len(classes) if has_classes else None,
        read_labels=labels.__getitem__ if has_classes else None,
    )


def _height_and_width(size):
    if not isinstance(size, (tuple, list)):
        return (positive_integer("size", size),) * 2
    if len(size) != 2:
        raise ValueError(f"size must be an integer, or (height, width), got {size!r}")
    return tuple(positive_integer(f"size[{axis}]", one) for axis, one in enumerate(size))


def _read_folder(folder, size, mode, bits):
    """The pictures of a folder, and the subfolder that each lies in. Logs what it skipped and changed.

    Returns:
        (pictures, folders): dictionaries from the hash of a file to uint8 (height, width, channels), and to the name of
        the subfolder of `folder`, "" for a file in `folder` itself.
    """
    from pixel_zoo.data.picture import read_file

    lines = []
    files = sorted(_files(folder, lambda error: lines.append(f"{error.filename}: skipped: {error.strerror}")))
    pictures, folders, changes, highest = {}, {}, collections.Counter(), []
    budget = PixelBudget(_PIXELS_AT_ONCE)
    with (
        warnings.catch_warnings(),
        concurrent.futures.ThreadPoolExecutor() as pool,
        progress_bar(f"Reading {folder}", len(files), wanted=None) as one_more,
    ):
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files that it reads nevertheless
        centres = pool.map(lambda file: read_file(file, size, mode, bits, budget, large=False), files)
        for file, centre in zip(files, centres, strict=True):
            centre = centre or read_file(file, size, mode, bits, budget)  # a large picture, in this thread
            one_more()
            if isinstance(centre, str):
                lines.append(f"{file}: skipped: {centre}")
                continue
            changes.update(["left out, the same bytes as another"] if centre.digest in pictures else centre.changed)
            pictures[centre.digest] = centre.pixels
            folders.setdefault(centre.digest, "/".join(file.relative_to(folder).parts[:-1][:1]))
            if centre.highest is not None:
                highest.append(centre.highest)
    lines += [f"{folder}: {change}: {count:,} of {len(files):,} files" for change, count in changes.items()]
    if highest and (used := max(highest).bit_length()) < (count := bits or 16):
        lines.append(
            f"{folder}: the upper {count - used} of {count} bits are empty, as no value is above {max(highest):,}, so "
            f"images are too dark: set bits={max(used, 8)} (data_options.bits of a recipe); convert colour pictures to "
            "8 bits"
        )
    for line in lines:
        logging.getLogger("pixel_zoo").warning(line)
    return pictures, folders


def _files(folder, on_error):
    """All files in a folder and its subfolders, linked ones too, except hidden files and those in hidden folders.

    Each folder is listed once, so a link to a folder above it does no harm.
    """
    seen = set()
    for parent, folders, files in os.walk(folder, onerror=on_error, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()  # `os.walk` descends into what is left here
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (pathlib.Path(parent, name) for name in files if not name.startswith("."))
