"""Downsampled ImageNet (van den Oord et al. 2016, section 5.6), from TensorFlow Datasets or from files."""

import concurrent.futures
import logging
import pathlib

import numpy as np

from pixel_zoo.data.data_set import DataSet
from pixel_zoo.data.readers import tfds_reader
from pixel_zoo.data.stored import load_arrays
from pixel_zoo.files import replacing
from pixel_zoo.progress import progress_bar

TRAINING_IMAGES = 1_281_149
VALIDATION_IMAGES = 49_999
HELD_OUT = 10_000

_DECODED_AT_ONCE = 4096


def imagenet(side, path: str | None = None):
    """ImageNet at `side` x `side` pixels, as published with the paper.

    Papers report on its official validation images, so these are the split "test"; "validation" is the last 10,000
    training images (the last tenth if there are fewer than 100,000).

    Args:
        side: 32 or 64.
        path: a folder with the published archives unpacked (for 32: folders `train_32x32/` and `valid_32x32/` of .png
            files), or with their images as `train_32x32.npy` and `valid_32x32.npy`, uint8 (N, 32, 32, 3); or a .npz
            file of arrays `train` and `validation`. The first time, pictures are written to the .npy files beside
            them. The .npy files stay on disk, whatever their size. None: TensorFlow Datasets' `downsampled_imagenet`,
            read into main memory (64: 15.7 GB).

    Returns:
        The `DataSet`. If the number of images is not the published one, its description and a line in the log say so.

    Raises:
        FileNotFoundError: there are no such images.
        ValueError: they are not uint8 (N, side, side, 3).

    Example:

    >>> imagenet(32).splits
    {'train': 1271149, 'validation': 10000, 'test': 49999}
    """
    if path is None:
        training, official = TRAINING_IMAGES, VALIDATION_IMAGES
        kept = training - HELD_OUT
        slices = {"train": f"train[:{kept}]", "validation": f"train[{kept}:]", "test": "validation"}
        read = _or_say_how(tfds_reader(f"downsampled_imagenet/{side}x{side}:2.0.0", **slices), side)
    else:
        images = _read_path(side, pathlib.Path(path))
        training, official = map(len, images)
        kept = training - min(HELD_OUT, training // 10)
        read = {"train": images[0][:kept], "validation": images[0][kept:], "test": images[1]}.__getitem__
    return DataSet(
        name=f"imagenet{side}",
        image_shape=(side, side, 3),
        levels=256,
        splits={"train": kept, "validation": training - kept, "test": official},
        description=f"ImageNet shrunk to {side} x {side} pixels, RGB values 0 to 255. Test is the official validation "
        f"split, on which papers report; validation is the last {training - kept:,} training images. "
        + _comparable(side, training, official),
        source="van den Oord, Kalchbrenner & Kavukcuoglu 2016 (TFDS downsampled_imagenet)" if path is None else path,
        read=read,
    )


def _comparable(side, training, official):
    """Which figures are comparable with those of this many images, in words."""
    if (training, official) == (TRAINING_IMAGES, VALIDATION_IMAGES):
        return (
            "Other ImageNets of this size, such as the box-filtered one of Chrabaszcz et al. 2017, give other figures."
        )
    different = (
        f"{training:,} training and {official:,} validation images, where {TRAINING_IMAGES:,} and "
        f"{VALIDATION_IMAGES:,} were published: figures don't compare with those of papers."
    )
    logging.getLogger("pixel_zoo").warning(f"imagenet{side}: {different}")
    return different


def _or_say_how(read, side):
    """`read`, with an error for missing files that says how to get them: the archives are no longer published."""

    def read_or_say_how(split):
        try:
            return read(split)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"imagenet{side} is not in TFDS_DATA_DIR, and its archives are no longer at their address: unpack "
                f"copies of them and set data_options.path of the recipe to the folder of train_{side}x{side}/ and "
                f"valid_{side}x{side}/, or of .npy files of these names"
            ) from error

    return read_or_say_how


def _read_path(side, path):
    """The training and the official validation images of a user's files."""
    if path.suffix == ".npz":
        stored = load_arrays(path)
        if set(stored) != {"train", "validation"}:
            raise ValueError(
                f"path: {str(path)!r} must hold arrays named train and validation; it holds {', '.join(stored)}"
            )
        images = stored["train"], stored["validation"]
    else:
        images = tuple(_left_on_disk(path / f"{split}_{side}x{side}.npy", side) for split in ("train", "valid"))
    for array in images:
        if array.dtype != np.uint8 or array.shape[1:] != (side, side, 3):
            raise ValueError(
                f"path: the images in {str(path)!r} must be uint8 (N, {side}, {side}, 3), "
                f"got {array.dtype} {array.shape}"
            )
    return images


def _left_on_disk(file, side):
    """The array of a .npy file, mapped into memory; if it does not exist, it is written from the folder of pictures."""
    folder = file.with_suffix("")
    if not file.is_file():
        pictures = sorted(folder.glob("*.png"))
        if not pictures:
            raise FileNotFoundError(
                f"path: {str(file.parent)!r} holds neither {file.name} nor a folder {folder.name} of .png files"
            )
        _decode(pictures, file, side)
    return load_arrays(file, mmap_mode="r")


def _decode(pictures, file, side):
    """Write pictures to a .npy file, which appears only when it is complete."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(pictures), side, side, 3)}
    with (
        replacing(file) as temporary,
        open(temporary, "wb") as output,
        concurrent.futures.ThreadPoolExecutor() as pool,
        progress_bar(f"Writing {file}", len(pictures), wanted=None) as one_more,
    ):
        np.lib.format.write_array_header_1_0(output, header)
        for start in range(0, len(pictures), _DECODED_AT_ONCE):
            for pixels in pool.map(lambda picture: _rgb(picture, side), pictures[start : start + _DECODED_AT_ONCE]):
                output.write(pixels)
                one_more()


def _rgb(file, side):
    """The pixels of one picture, bytes in the order (height, width, colour)."""
    from pixel_zoo.data.picture import open_picture

    try:
        with open_picture(file, formats=("PNG",)) as picture:
            size = picture.size  # from the header
            pixels = picture.convert("RGB").tobytes() if size == (side, side) else None
    except Exception as error:  # a damaged file fails in any way, deep in a decoder
        raise ValueError(f"path: {str(file)!r} can't be read: {error}") from error
    if pixels is None:
        raise ValueError(f"path: {str(file)!r} must have {side} x {side} pixels, got {size[0]} x {size[1]}")
    return pixels
