"""PNG files as the images of a served model, by TensorFlow's own operations."""

_HEADER = 26  # bytes: the signature, and the first chunk up to the colour type (PNG specification, 5.2 and 11.2.1)
_PALETTE = 3  # colour type; 4 and 6 have an alpha channel
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def can_encode(image_shape, levels):
    """Whether a PNG can hold the images of a model: 1 or 3 colours of 8 bits.

    Example:

    >>> can_encode((32, 32, 3), 256), can_encode((8, 8, 2), 16), can_encode((8, 8, 1), 512)
    (True, False, False)
    """
    return image_shape[-1] in (1, 3) and levels <= 256


def decode(name, files, image_shape, levels):
    """Read PNG files in a graph.

    The size is read from the headers before anything is decoded, so that a small file cannot demand much memory.

    Args:
        name: str, the input's name, for errors.
        files: string tensor (n,).
        image_shape: (height, width, colours) of each picture.
        levels: int; the value v of a file becomes v * levels // 256.

    Returns:
        (images, known): int32 tensor (n, height, width, colours), and bool tensor (n, height, width), False where the
        alpha channel of a picture is not opaque.
    """
    import tensorflow as tf

    height, width, colours = image_shape
    start = tf.strings.substr(tf.strings.join([files, tf.constant(bytes(_HEADER))]), 0, _HEADER)
    header = tf.cast(tf.io.decode_raw(start, tf.uint8), tf.int64)
    power = tf.constant([2**24, 2**16, 2**8, 1], tf.int64)
    found = [tf.reduce_sum(header[:, first : first + 4] * power, axis=1) for first in (16, 20)]
    is_png = tf.reduce_all(tf.equal(header[:, : len(_SIGNATURE)], list(_SIGNATURE)))
    fits = tf.reduce_all(tf.equal(tf.stack(found), [[width], [height]]))
    kind = header[:, 25]
    # Of a palette, the operation below makes all pixels transparent.
    has_palette = tf.reduce_any(tf.equal(kind, _PALETTE))
    checks = [
        tf.debugging.Assert(is_png, [f"{name}: must be PNG files"]),
        tf.debugging.Assert(~has_palette | ~is_png, [f"{name}: must be PNG files of grey or RGB, not of a palette"]),
        tf.debugging.Assert(
            fits | ~is_png, [f"{name}: must be {width} pixels wide and {height} high, got widths and heights", *found]
        ),
    ]
    with tf.control_dependencies(checks):
        files = tf.identity(files)

    def pixels_of(file):  # red, green, blue, and how opaque it is
        return tf.ensure_shape(tf.io.decode_png(file, channels=4), (height, width, 4))

    pixels = tf.map_fn(pixels_of, files, fn_output_signature=tf.TensorSpec((height, width, 4), tf.uint8), name=name)
    values = tf.cast(pixels[..., :3], tf.int32)
    if colours == 1:  # the luma of ITU-R 601 in units of 2**-16, which keeps every grey
        values = (tf.reduce_sum(values * [19595, 38470, 7471], axis=-1, keepdims=True) + 2**15) // 2**16
    without_alpha = (kind < _PALETTE)[:, None, None]
    return values * levels // 256, tf.equal(pixels[..., 3], 255) | without_alpha


def encode(images, levels):
    """Write PNG files in a graph.

    Args:
        images: integer tensor (n, height, width, colours) of values 0..levels-1; the highest becomes 255, and `decode`
            gives the same values again.
        levels: int.

    Returns:
        String tensor (n,).
    """
    import tensorflow as tf

    values = (tf.cast(images, tf.int32) * 255 + levels - 2) // (
        levels - 1
    )  # rounded up, so that `decode` is the inverse
    return tf.map_fn(tf.io.encode_png, tf.cast(values, tf.uint8), fn_output_signature=tf.TensorSpec((), tf.string))
