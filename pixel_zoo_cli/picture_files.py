"""Picture files as the images and masks of a model."""

import os
import pathlib
import warnings

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")
EXACT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")  # of Pillow, which makes RGBA of them without rounding


def read_image(path, model):
    """The central part of a picture file in the shape and levels of a model, or of a `Codec`, as a batch of one."""
    import numpy as np
    from PIL import Image, ImageOps

    height, width, colours = model.image_shape
    if colours not in (1, 3):
        raise ValueError(f"image: a picture file has 1 or 3 colours, the model {colours}; name an index of a data set")
    picture = _read("image", path, "L" if colours == 1 else "RGB", (height, width))
    fitted = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return (np.asarray(fitted, "int32") * model.levels // 256).reshape(1, height, width, colours)


def grey_levels(images, levels):
    """The brightness 0..255 of levels 0..levels-1, uint8: `value * levels // 256` is the level again."""
    import numpy as np

    return np.ceil(images * (255 / (levels - 1))).astype("uint8")


def picture_paths(files):
    """Picture files by name: files as they are named, and all pictures in a folder and its subfolders, sorted.

    Args:
        files: list of pathlib.Path of files and folders.

    Returns:
        List of pathlib.Path.

    Raises:
        FileNotFoundError: a file is not there, or a folder holds no picture.
    """
    paths = []
    for file in files:
        if file.is_dir():
            names = (pathlib.Path(folder, name) for folder, _, names in os.walk(file) for name in names)
            found = sorted(path for path in names if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
            if not found:
                raise FileNotFoundError(f"files: no file in {str(file)!r} ends in {', '.join(SUFFIXES)}")
            paths += found
        elif file.is_file():
            paths.append(file)
        else:
            raise FileNotFoundError(f"files: there is no file or folder {str(file)!r}")
    return paths


def check_pictures(paths, model):
    """Raise unless the headers of picture files are those of images of a model, or of the pictures of a `Codec`.

    See `read_pictures` for their pixels.

    A picture of another size or in other colours is refused, because whatever made it fit would change its likelihood.
    """
    from pixel_zoo.data.picture import upright_size

    height, width, colours = model.image_shape
    if colours not in (1, 3) or model.levels > 256:
        raise ValueError(
            f"files: a picture has 1 or 3 colours and up to 256 levels, the model {colours} and {model.levels}; name "
            "a data set (--data)"
        )
    for path in paths:
        with _opened("files", path) as picture:
            size = upright_size(picture)
            if size != (width, height):
                raise ValueError(
                    f"files: {str(path)!r} has {size[0]} x {size[1]} pixels (width x height), the model takes "
                    f"{width} x {height}; resize it"
                )
            if picture.mode not in EXACT_MODES:
                raise ValueError(f"files: {str(path)!r} has the colours {picture.mode}; convert it to grey or RGB")
            if getattr(picture, "is_animated", False):
                raise ValueError(f"files: {str(path)!r} holds several pictures; save each in a file of its own")


def read_pictures(paths, model):
    """Picture files that `check_pictures` has accepted, as images (n, height, width, colours) of a model or a `Codec`.

    Raises:
        ValueError: a picture is damaged, is not opaque, has colours that the model lacks, or has values between the
            model's levels of brightness: something of it would be lost.
    """
    import numpy as np

    images = np.empty((len(paths), *model.image_shape), "uint8")
    for path, image in zip(paths, images, strict=True):
        values = np.asarray(_read("files", path, "RGBA")).astype("int32")
        opaque, values = values[..., 3:] == 255, values[..., :3]
        if not opaque.all():
            raise ValueError(f"files: {str(path)!r} has transparent pixels; make it opaque")
        if model.image_shape[-1] == 1 and (values[..., :1] != values).any():
            raise ValueError(f"files: {str(path)!r} is in colour, the model takes grey; convert it")
        image[:] = (values * model.levels // 256)[..., : image.shape[-1]]
        if (grey_levels(image, model.levels) != values).any():
            raise ValueError(
                f"files: {str(path)!r} has values between the model's {model.levels} levels of brightness, 0 to 255 in "
                f"steps of {255 / (model.levels - 1):.4g}, rounded up"
            )
    return images


def read_mask(path, image, model):
    """The pixels of a model's image that are known, as a bool array (height, width).

    Args:
        path: a picture file, black where the image is known. Pixels that are white only in part are not known.
        image: the path of the picture file that the image comes from, or None. The mask must have the size of that
            picture, or of the model's images.
        model: the model, or its `Codec`.
    """
    import numpy as np
    from PIL import Image, ImageOps

    height, width, _ = model.image_shape
    mask = _read("mask", path, "L")
    sizes = [(width, height)] if image is None else [_size("image", image), (width, height)]
    if mask.size not in sizes:
        allowed = " or ".join(f"{size[0]} x {size[1]}" for size in dict.fromkeys(sizes))
        raise ValueError(f"mask: must be {allowed} pixels (width x height), got {mask.size[0]} x {mask.size[1]}")
    binary = mask.point(lambda value: 255 * (value >= 128))
    return np.asarray(ImageOps.fit(binary, (width, height), Image.Resampling.BOX)) == 0


def _read(argument, path, mode, size=None):
    """A picture file, upright, in a mode of Pillow; a format that can is decoded near to a size (height, width)."""
    from PIL import ImageOps

    from pixel_zoo.data.picture import prepare_decoding

    if not path.is_file():
        or_index = ", nor is that an index" if argument == "image" else ""
        raise FileNotFoundError(f"{argument}: there is no file {str(path)!r}{or_index}")
    with _opened(argument, path) as picture:
        try:
            prepare_decoding(picture, size)
            return ImageOps.exif_transpose(picture).convert(mode)
        except MemoryError:
            raise
        except Exception as error:  # a damaged file fails in any way, deep in a decoder
            raise ValueError(f"{argument}: {str(path)!r} cannot be read: {error}") from error


def _size(argument, path):
    """(width, height) of a picture file, upright, from its header."""
    from pixel_zoo.data.picture import upright_size

    with _opened(argument, path) as picture:
        return upright_size(picture)


def _opened(argument, path):
    """An open picture of at most 8 bits per value, of which only the header has been read."""
    from PIL import Image, UnidentifiedImageError

    from pixel_zoo.data.picture import has_more_than_8_bits, open_picture

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # what decodes it refuses as many pixels
            picture = open_picture(path, FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"{argument}: {str(path)!r} is not a picture of one of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"{argument}: {str(path)!r} cannot be read: {error}") from error
    if has_more_than_8_bits(picture):
        picture.close()
        raise ValueError(f"{argument}: {str(path)!r} has values of more than 8 bits (mode {picture.mode})")
    return picture
