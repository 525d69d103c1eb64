"""The header of compressed images: what they are, and which model and engine made them.

All numbers are little-endian.

| bytes | content |
|---|---|
| 4 | `PZIM` |
| 1 | version of the format, 1 |
| 4, 4 | length and CRC-32 of the header that follows |
| 1 | flags: 1 labels are stored, 2 TensorFlow compiled with XLA |
| 1 | engine: 0 TensorFlow, 1 JAX |
| 12 | height, width, colours |
| 16 | levels, number of images, images of a block, lanes |
| 4 | number of classes, 0 for a model without labels |
| 16 | hash of the model |
| 1, n | length and characters of the model's name, UTF-8 |
| 1, n | length and characters of the engine's version and the processor |
| n | labels, the fewest bits each, from the highest bit of the first byte on |
| 12 each | of each block: number of bytes, their CRC-32, CRC-32 of its images |

The blocks follow: 32 bits of each lane's state, then the words of 16 bits.
"""

import dataclasses
import struct
import zlib
from collections.abc import Iterator

import numpy as np

MAGIC, VERSION = b"PZIM", 1
ENGINES = ("tensorflow", "jax")
MOST_LANES = 2**16 - 1
DEEPEST = 1024  # images of a lane in a block, at most: a few bytes must not ask for work without end
_START = struct.Struct("<4sBII")
_FIXED = struct.Struct("<BB8I16s")
_BLOCK = struct.Struct("<III")
_LABELS, _XLA = 1, 2


@dataclasses.dataclass(frozen=True)
class Block:
    """A block: which images it holds, and its bytes.

    Attributes:
        index: int.
        first, stop: int, its images are first..stop-1 of all.
        begin, end: int, where its bytes are in the whole.
        crc, images_crc: int, CRC-32 of the bytes, and of the images in them.
    """

    index: int
    first: int
    stop: int
    begin: int
    end: int
    crc: int
    images_crc: int


@dataclasses.dataclass(frozen=True)
class Header:
    """What compressed images say of themselves.

    Attributes:
        image_shape: (height, width, colours).
        levels: int, values are 0..levels-1.
        count: int, number of images.
        block_size: int, how many images are compressed together; the last block may have fewer.
        lanes: int, how many images are coded at the same time.
        engine: "tensorflow" or "jax".
        xla: bool, whether TensorFlow compiled with XLA.
        model_hash: 16 bytes, of the architecture and the weights.
        model_name: str, the name of a pretrained model, or "".
        platform: str, the engine's version and the processor.
        num_classes: int, or None for a model without labels.
        labels: int32 array (count,), or None if they are not stored.
        table: (bytes, CRC-32 of the bytes, CRC-32 of the images) of each block.
    """

    image_shape: tuple[int, int, int]
    levels: int
    count: int
    block_size: int
    lanes: int
    engine: str
    xla: bool
    model_hash: bytes
    model_name: str
    platform: str
    num_classes: int | None
    labels: np.ndarray | None
    table: tuple[tuple[int, int, int], ...]

    def to_bytes(self) -> bytes:
        """The header as it stands before the blocks."""
        flags = _LABELS * (self.labels is not None) + _XLA * self.xla
        numbers = (*self.image_shape, self.levels, self.count, self.block_size, self.lanes, self.num_classes or 0)
        parts = [_FIXED.pack(flags, ENGINES.index(self.engine), *numbers, self.model_hash)]
        for text in (self.model_name, self.platform):
            encoded = text.encode()[:255].decode(errors="ignore").encode()  # no part of a character
            parts += [bytes([len(encoded)]), encoded]
        if self.labels is not None and self.num_classes is not None:
            parts.append(_packed(self.labels, self.num_classes))
        parts += [_BLOCK.pack(*entry) for entry in self.table]
        header = b"".join(parts)
        return _START.pack(MAGIC, VERSION, len(header), zlib.crc32(header)) + header

    def blocks(self) -> Iterator[Block]:
        """The blocks in their order."""
        begin = len(self.to_bytes())
        for index, (size, *crcs) in enumerate(self.table):
            first = index * self.block_size
            yield Block(index, first, min(first + self.block_size, self.count), begin, begin + size, *crcs)
            begin += size


def read_header(data: bytes) -> Header:
    """What compressed images say of themselves, checked as far as that can be done without the model.

    Args:
        data: bytes of `pixel_zoo.compress`.

    Raises:
        TypeError: `data` is not of bytes.
        ValueError: it is something else, of a newer version, cut short or damaged.

    Example:
    >>> model = pz.load("digits_pixel_cnn")
    >>> header = read_header(pz.compress(model, np.zeros((3, 8, 8, 1), "uint8")))
    >>> header.count, header.image_shape, header.levels, header.model_name
    (3, (8, 8, 1), 17, 'digits_pixel_cnn')
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"data must be the bytes of pixel_zoo.compress, got {type(data).__name__}")
    data = bytes(data)
    if data[:4] != MAGIC:
        raise ValueError("data: these are not images compressed by pixel_zoo")
    if len(data) < _START.size:
        raise _cut_short(len(data))
    _, version, length, crc = _START.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"data: the format has version {version}, this pixel_zoo reads version {VERSION}")
    text = data[_START.size : _START.size + length]
    if len(text) < length:
        raise _cut_short(len(data))
    if zlib.crc32(text) != crc:
        raise _damaged("its CRC-32 differs")
    header = _parsed(text)
    sizes = sum(size for size, *_ in header.table)
    if len(data) != _START.size + length + sizes:
        raise _cut_short(len(data), _START.size + length + sizes)
    return header


def _parsed(text):
    """The header that is in these bytes, all sizes checked before anything of that size is made."""
    reader = _Reader(text)
    flags, engine, *numbers, model_hash = _FIXED.unpack(reader.take(_FIXED.size))
    *image_shape, levels, count, block_size, lanes, num_classes = numbers
    try:
        name, platform = (reader.take(reader.take(1)[0]).decode() for _ in range(2))
    except UnicodeDecodeError:
        raise _damaged("a name is not in UTF-8") from None
    if flags > _LABELS + _XLA or engine >= len(ENGINES):
        raise _damaged(f"flags {flags}, engine {engine}")
    if min(image_shape) < 1 or levels < 2 or count < 1 or block_size < 1 or not 1 <= lanes <= MOST_LANES:
        raise _damaged(
            f"image_shape {image_shape}, levels {levels}, {count} images, blocks of {block_size}, {lanes} lanes"
        )
    if block_size > lanes * DEEPEST or (num_classes == 0 and flags & _LABELS):
        raise _damaged(f"blocks of {block_size} images, {lanes} lanes, {num_classes} classes")
    labels = None
    if flags & _LABELS:
        labels = _unpacked(reader.take(_bytes_of_labels(count, num_classes)), count, num_classes)
    blocks = -(-count // block_size)
    table = tuple(_BLOCK.iter_unpack(reader.take(blocks * _BLOCK.size)))
    if reader.rest:
        raise _damaged(f"{reader.rest} bytes too many")
    for index, (size, *_) in enumerate(table):
        images = min(block_size, count - index * block_size)
        if size < 4 * min(lanes, images) or size % 2:
            raise _damaged(f"block {index} of {size} bytes")
    return Header(
        tuple(image_shape),
        levels,
        count,
        block_size,
        lanes,
        ENGINES[engine],
        bool(flags & _XLA),
        model_hash,
        name,
        platform,
        num_classes or None,
        labels,
        table,
    )


class _Reader:
    """Takes bytes from the front; fails where there are too few."""

    def __init__(self, text):
        self.text, self.position = text, 0

    @property
    def rest(self):
        return len(self.text) - self.position

    def take(self, count):
        if count > self.rest:
            raise _damaged(f"{count} bytes are to follow, {self.rest} do")
        self.position += count
        return self.text[self.position - count : self.position]


def _bits(num_classes):
    return max(1, (num_classes - 1).bit_length())


def _bytes_of_labels(count, num_classes):
    return -(-count * _bits(num_classes) // 8)


def _packed(labels, num_classes):
    shifts = np.arange(_bits(num_classes))[::-1]
    return np.packbits(labels[:, None] >> shifts & 1).tobytes()


def _unpacked(text, count, num_classes):
    bits = np.unpackbits(np.frombuffer(text, "uint8"), count=count * _bits(num_classes)).reshape(count, -1)
    labels = bits.astype("int64") @ (1 << np.arange(_bits(num_classes))[::-1])
    if labels.max() >= num_classes:
        raise _damaged(f"label {labels.max()} of {num_classes} classes")
    return labels.astype("int32")


def _cut_short(size, expected=None):
    if expected is not None and size > expected:
        return ValueError(f"data: {size - expected} bytes too many after the last block")
    of = "" if expected is None else f" of {expected:,}"
    return ValueError(f"data: cut short, there are {size:,} bytes{of}")


def _damaged(what):
    return ValueError(f"data: the header is damaged ({what})")
