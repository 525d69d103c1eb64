"""Picture files as the images and masks of a model."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def read_image(path, model):
    """The central part of a picture file in the shape and levels of a model, as a batch of one."""
    import numpy as np
    from PIL import Image, ImageOps

    height, width, colours = model.image_shape
    if colours not in (1, 3):
        raise ValueError(f"image: a picture file has 1 or 3 colours, the model {colours}; name an index of a data set")
    picture = _read("image", path, "L" if colours == 1 else "RGB")
    fitted = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return (np.asarray(fitted, "int32") * model.levels // 256).reshape(1, height, width, colours)


def read_exactly(path, model):
    """A picture file of a model's size, every value of which is one of the model's levels, as a batch of one.

    Raises:
        ValueError: something of the picture would be lost.
    """
    import numpy as np

    height, width, colours = model.image_shape
    if colours not in (1, 3):
        raise ValueError(f"files: a picture file has 1 or 3 colours, the model {colours}; name a data set (--data)")
    picture = _read("files", path, "RGBA")
    if picture.size != (width, height):
        got = f"{picture.size[0]} x {picture.size[1]}"
        raise ValueError(f"files: {str(path)!r} must be {width} x {height} pixels (width x height), got {got}")
    values = np.asarray(picture)
    if (values[..., 3] < 255).any() or (colours == 1 and (values[..., :1] != values[..., :3]).any()):
        raise ValueError(f"files: {str(path)!r} must be opaque{', and grey' * (colours == 1)}")
    values = values[..., :colours].astype("int64")
    images = values * model.levels // 256
    if (grey_levels(images, model.levels) != values).any():
        raise ValueError(f"files: {str(path)!r} has values between the model's {model.levels} levels of brightness")
    return images[None]


def grey_levels(images, levels):
    """The brightness 0..255 of levels 0..levels-1, uint8: `value * levels // 256` is the level again."""
    import numpy as np

    return np.ceil(images * (255 / (levels - 1))).astype("uint8")


def read_mask(path, image, model):
    """The pixels of a model's image that are known, as a bool array (height, width).

    Args:
        path: a picture file, black where the image is known. Pixels that are white only in part are not known.
        image: the path of the picture file that the image comes from, or None. The mask must have the size of that
            picture, or of the model's images.
        model: the model.
    """
    import numpy as np
    from PIL import Image, ImageOps

    height, width, _ = model.image_shape
    mask = _read("mask", path, "L")
    sizes = [(width, height)] if image is None else [_read("image", image, "L").size, (width, height)]
    if mask.size not in sizes:
        allowed = " or ".join(f"{size[0]} x {size[1]}" for size in dict.fromkeys(sizes))
        raise ValueError(f"mask: must be {allowed} pixels (width x height), got {mask.size[0]} x {mask.size[1]}")
    binary = mask.point(lambda value: 255 * (value >= 128))
    return np.asarray(ImageOps.fit(binary, (width, height), Image.Resampling.BOX)) == 0


def _read(argument, path, mode):
    """A picture file, upright, in a mode of Pillow."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        or_index = ", nor is that an index" if argument == "image" else ""
        raise FileNotFoundError(f"{argument}: there is no file {str(path)!r}{or_index}")
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.mode[0] in "IF":
                raise ValueError(f"{argument}: {str(path)!r} has values of more than 8 bits (mode {picture.mode})")
            return ImageOps.exif_transpose(picture).convert(mode)
    except UnidentifiedImageError:
        raise ValueError(f"{argument}: {str(path)!r} is not a picture of one of {', '.join(FORMATS)}") from None
