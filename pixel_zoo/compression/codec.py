"""`compress` and `decompress`."""

import zlib
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.arguments import check_images
from pixel_zoo.checks import positive_integer
from pixel_zoo.compression.block import BlockCoder, crc_of, dtype_of, rows_of_batch
from pixel_zoo.compression.coded_walk import coded_walk
from pixel_zoo.compression.fingerprint import engine_of_keras, hash_of, platform_of_engine
from pixel_zoo.compression.header import DEEPEST, MOST_LANES, Header, read_header
from pixel_zoo.inputs import check_conditions, stages_of
from pixel_zoo.progress import progress_bar
from pixel_zoo.sampling import Drawing


def compress(
    model: keras.Model,
    images: ArrayLike,
    labels: ArrayLike | None = None,
    vectors: ArrayLike | None = None,
    *,
    conditioning: Sequence[ArrayLike] = (),
    store_labels: bool = True,
    block_size: int = 1024,
    batch_size: int = 128,
    jit_compile: bool | str = "auto",
    progress: bool | None = None,
) -> bytes:
    """Compress images without loss, to about -log2 p(x) bits each.

    The model predicts each value from those before it, and rANS codes the value with that prediction (see
    `pixel_zoo.compression.rans`). `decompress` walks through the same predictions. What was compressed is decompressed
    once and compared before this function returns.

    Decompression needs the same model, the same engine and the same kind of machine, because a single prediction that
    is rounded differently changes all that follows. That is detected, and said.

    Args:
        model: functional model of raster layers, or a multi-scale model.
        images: integers 0..levels-1 (count, height, width, colours).
        labels: integer, or one per image, for a model with `num_classes`.
        vectors: array (conditioning_dim,), or one per image, for a model with `conditioning_dim`.
        conditioning: the model's remaining inputs, in their order, one array each with an entry per image.
        store_labels: bool, whether to store the labels, so that `decompress` need not be given them.
        block_size: int, how many images are compressed together. A block is decompressed as a whole, and costs about 3
            bytes for each of up to `batch_size` images, plus 12.
        batch_size: int, how many images are coded at a time, at most 65,535.
        jit_compile, progress: as of `pixel_zoo.sampling.generate`.

    Returns:
        bytes. They begin with a header, see `read_header`; `pixel_zoo.compression.header` describes the format.

    Raises:
        TypeError, ValueError: naming the argument that is wrong, before any work.
        RuntimeError: the machine did not decompress what it had compressed.

    Example:
    >>> model = pz.load("digits_pixel_cnn")
    >>> images = model.generate(16, seed=1)
    >>> data = pz.compress(model, images)
    >>> bool((pz.decompress(model, data) == images).all())
    True
    >>> bits = -model.log_likelihood(images).sum() / np.log(2)
    >>> bool(bits / 8 < len(data) < 1.005 * bits / 8 + 16 * 16)
    True
    """
    Drawing.of(batch_size=batch_size, jit_compile=jit_compile, progress=progress)
    positive_integer("block_size", block_size)
    image_shape, levels = _form(model)
    images = check_images(images, image_shape, levels)
    count = positive_integer("the number of images", len(images))
    conditions = check_conditions(model, count, labels, vectors, conditioning)
    if batch_size > MOST_LANES or block_size > DEEPEST * batch_size:
        raise ValueError(
            f"batch_size must be at most {MOST_LANES:,} and block_size at most {DEEPEST:,} times that, got batch_size="
            f"{batch_size}, block_size={block_size}"
        )
    block_size = min(block_size, count)
    lanes = min(batch_size, block_size)
    xla = engine_of_keras() == "jax" or (count >= 16 * lanes if jit_compile == "auto" else bool(jit_compile))
    batches = sum(-(-min(block_size, count - first) // lanes) for first in range(0, count, block_size))
    with progress_bar("Compressing rows", 2 * batches * rows_of_batch(model), progress) as row_done:
        blocks = _encoded(BlockCoder(model, lanes, xla, row_done), images, conditions, block_size)
    header = Header(
        image_shape=image_shape,
        levels=levels,
        count=count,
        block_size=block_size,
        lanes=lanes,
        engine=engine_of_keras(),
        xla=xla,
        model_hash=hash_of(model),
        model_name=getattr(getattr(model, "provenance", None), "name", ""),
        platform=platform_of_engine(),
        num_classes=getattr(model, "num_classes", None),
        labels=conditions.get("label") if store_labels else None,
        table=tuple((len(block), zlib.crc32(block), crc) for block, crc in blocks),
    )
    return b"".join([header.to_bytes(), *(block for block, _ in blocks)])


def decompress(
    model: keras.Model,
    data: bytes,
    labels: ArrayLike | None = None,
    vectors: ArrayLike | None = None,
    *,
    conditioning: Sequence[ArrayLike] = (),
    start: int = 0,
    stop: int | None = None,
    progress: bool | None = None,
) -> np.ndarray:
    """The images that `compress` compressed, or some of them.

    Args:
        model: the model that compressed them: `read_header(data).model_name` is the name of a pretrained one.
        data: bytes of `compress`.
        labels, vectors, conditioning: as of `compress`, for all images of the file; labels only if they are not stored.
        start, stop: int, the images start..stop-1 are returned. Only the blocks that hold them are decompressed.
        progress: as of `pixel_zoo.sampling.generate`.

    Returns:
        NumPy array (count, height, width, colours), uint8 for up to 256 levels, else int32.

    Raises:
        TypeError, ValueError: `data` is damaged or cut short, another model or engine compressed it, or this machine
            rounds differently. Images that differ from those compressed are never returned.

    Example:
    >>> model = pz.load("digits_pixel_cnn")
    >>> images = model.generate(6, seed=1)
    >>> data = pz.compress(model, images, block_size=2)
    >>> bool((pz.decompress(model, data, start=3, stop=5) == images[3:5]).all())
    True
    """
    header = read_header(data)
    stop = header.count if stop is None else stop
    if not 0 <= start < stop <= header.count:
        raise ValueError(f"start, stop must be within the {header.count} images, got {start}, {stop}")
    _check_model(model, header)
    if header.labels is not None:
        if labels is not None:
            raise ValueError("labels: they are stored with the images; pass none")
        labels = header.labels
    conditions = check_conditions(model, header.count, labels, vectors, conditioning)
    blocks = [block for block in header.blocks() if block.first < stop and start < block.stop]
    for block in blocks:
        if zlib.crc32(data[block.begin : block.end]) != block.crc:
            raise ValueError(f"data: block {block.index}, images {_range(block)}, is damaged (its CRC-32 differs)")
    batches = sum(-(-(block.stop - block.first) // header.lanes) for block in blocks)
    parts = []
    with progress_bar("Decompressing rows", batches * rows_of_batch(model), progress) as row_done:
        coder = BlockCoder(model, header.lanes, header.xla, row_done)
        for block in blocks:
            of_block = {name: values[block.first : block.stop] for name, values in conditions.items()}
            images = _decoded(coder, data[block.begin : block.end], block, of_block, header)
            parts.append(images.astype(dtype_of(header.levels)))
    first = blocks[0].first
    return np.concatenate(parts)[start - first : stop - first]


def _encoded(coder, images, conditions, block_size):
    """The blocks, a list of (bytes, CRC-32 of the images); each has been decoded and compared."""
    blocks = []
    for first in range(0, len(images), block_size):
        part = slice(first, first + block_size)
        of_block = {name: values[part] for name, values in conditions.items()}
        block = coder.encode(images[part], of_block)
        _check_decoded(coder, block, images[part], of_block)
        blocks.append((block, crc_of(images[part])))
    return blocks


def _decoded(coder, data, block, conditions, header):
    """The images of a block; an error unless they are those that were compressed."""
    try:
        images, wrong = coder.decode(data, block.stop - block.first, conditions)
    except ValueError as error:
        raise _other_images(block, header, str(error)) from None
    if wrong:
        numbers = ", ".join(str(block.first + index) for index in wrong[:10])
        raise _other_images(block, header, f"wrong checksum of {numbers}{' ...' if len(wrong) > 10 else ''}")
    if crc_of(images) != block.images_crc:
        raise _other_images(block, header, "its CRC-32 differs")
    return images


def _other_images(block, header, found):
    return ValueError(
        f"data: block {block.index}, images {_range(block)}, was not decompressed to what was compressed ({found}): "
        "this engine or processor rounds differently; the images were compressed by "
        f"{header.platform}, this is {platform_of_engine()}"
    )


def _check_decoded(coder, block, images, conditions):
    """Raise unless a block is decompressed to the images that were compressed."""
    try:
        decoded, _ = coder.decode(block, len(images), conditions)
        same = np.array_equal(decoded, images)
    except ValueError:
        same = False
    if not same:
        raise RuntimeError(
            f"{platform_of_engine()} did not decompress what it had compressed: its rounding differs from run to run"
        )


def _check_model(model, header):
    """Raise unless a model compressed the images, by the engine that is in use."""
    name = f" ({header.model_name!r})" if header.model_name else ""
    image_shape, levels = _form(model)
    if (image_shape, levels) != (header.image_shape, header.levels):
        raise ValueError(
            f"model: the images{name} have shape {header.image_shape} and {header.levels} levels, the model takes "
            f"{image_shape} and {levels}"
        )
    if hash_of(model) != header.model_hash:
        raise ValueError(
            f"model: another model{name} compressed the images: its hash is {header.model_hash.hex()}, that of the "
            f"model given {hash_of(model).hex()}"
        )
    if engine_of_keras() != header.engine:
        raise ValueError(
            f"data: compressed by {header.engine}, and {engine_of_keras()} rounds differently: set the environment "
            f"variable KERAS_BACKEND={header.engine}"
        )


def _range(block):
    return f"{block.first}..{block.stop - 1}"


def _form(model):
    """(shape, levels) of a model's images; an error if it is no graph of raster layers."""
    walks = [coded_walk(stage) for stage in stages_of(model)]
    return walks[-1].image_shape, walks[-1].levels
