"""Bytes an image and images per second: compression with a model beside the usual formats, on the same images.

    python benchmarks/compression.py --data digits                        # a minute
    python benchmarks/compression.py --data binarized_mnist --images 1000
    python benchmarks/compression.py                                      # all sets, whole test splits: hours
    python benchmarks/compression.py --damaged 10000                      # how so many damaged files end

Every model and set runs in a separate process. All images are compressed, decompressed and compared. A rate is of all
images, after a first run that compiles; `generate` takes turns with it, at the same batch size. PNG, WebP, JPEG XL and
CCITT compress each image alone; zstd and xz compress the values of all images as one block, binary ones packed in bits.
Formats whose package is not installed are left out: JPEG XL needs `imagecodecs`, zstd needs `zstandard`.
"""

import argparse
import collections
import dataclasses
import io
import lzma
import multiprocessing
import statistics
import struct
import time
import zlib

from turns import Table

MODELS = {
    "digits": ["digits_pixel_cnn", "digits_diagonal_bilstm"],
    "binarized_mnist": ["binarized_mnist_pixel_cnn", "binarized_mnist_diagonal_bilstm"],
    "mnist": [],
    "cifar10": ["cifar10_pixel_cnn_small", "cifar10_pixel_cnn"],
}
_STRIP_BYTE_COUNTS = 279  # a tag of TIFF


def picture(image, levels):
    """An image as Pillow's, of one bit a pixel if it is binary."""
    from PIL import Image

    image = image[..., 0] if image.shape[-1] == 1 else image
    return Image.fromarray(image.astype(bool) if levels == 2 else image.astype("uint8"))


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def opened(data):
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        image.load()


def size_of_strips(data):
    """The bytes of a TIFF file that are the image: the directory around a small image is larger than the image."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return sum(image.tag_v2[_STRIP_BYTE_COUNTS])


def formats_of_images(levels):
    """Name -> (encode, decode, size) of formats for single images; encode takes a picture of Pillow."""
    formats = {
        "PNG, optimised": (lambda image: saved(image, format="PNG", optimize=True), opened, len),
        "WebP, lossless": (
            lambda image: saved(image, format="WEBP", lossless=True, quality=100, method=6, exact=True),
            opened,
            len,
        ),
    }
    if levels == 2:
        encode = lambda image: saved(image, format="TIFF", compression="group4")  # noqa: E731
        formats["CCITT G4, without TIFF's directory"] = encode, opened, size_of_strips
    try:
        import imagecodecs
        import numpy as np
    except ImportError:
        return formats
    scale = 255 if levels == 2 else 1

    def encode(image):
        return imagecodecs.jpegxl_encode(np.asarray(image, "uint8") * np.uint8(scale), lossless=True, effort=9)

    return formats | {"JPEG XL, lossless": (encode, imagecodecs.jpegxl_decode, len)}


def formats_of_blocks():
    """Name -> (encode, decode) of general compressors."""
    best = lzma.PRESET_EXTREME | 9
    formats = {"xz -9e, one block": (lambda block: lzma.compress(block, preset=best), lzma.decompress)}
    try:
        import zstandard
    except ImportError:
        return formats
    compressor, decompressor = zstandard.ZstdCompressor(22), zstandard.ZstdDecompressor()
    return {"zstd -22, one block": (compressor.compress, decompressor.decompress)} | formats


def seconds_of(run, *args):
    begin = time.perf_counter()
    result = run(*args)
    return result, time.perf_counter() - begin


def images_of(data, count):
    """The first images of the test split, and the number of levels."""
    from pixel_zoo.data import arrays, info

    return arrays(data, "test")[:count], info(data).levels


def measure_formats(data, count):
    """Rows of (name, bytes, seconds to encode, seconds to decode) of all images."""
    import numpy as np

    images, levels = images_of(data, count)
    pictures = [picture(image, levels) for image in images]
    for name, (encode, decode, size) in formats_of_images(levels).items():
        files, encoding = seconds_of(lambda encode=encode: [encode(image) for image in pictures])
        _, decoding = seconds_of(lambda decode=decode, files=files: [decode(file) for file in files])
        yield name, sum(map(size, files)), encoding, decoding
    values = images.astype("uint8")
    block = (np.packbits(values) if levels == 2 else values).tobytes()
    for name, (encode, decode) in formats_of_blocks().items():
        file, encoding = seconds_of(encode, block)
        decoded, decoding = seconds_of(decode, file)
        assert decoded == block
        yield name, len(file), encoding, decoding


def measure_model(name, data, count, options, repeats):
    """A dictionary of what compressing the images with a pretrained model takes."""
    import numpy as np

    import pixel_zoo as pz

    images, _ = images_of(data, count)
    model = pz.load(name)
    labels = pz.data.labels(data, "test")[:count] if model.num_classes else None
    file = pz.compress(model, images, labels, **options)
    nats = float(-model.log_likelihood(images, labels).sum(dtype="float64"))
    drawing = {key: options[key] for key in ("batch_size", "jit_compile")}
    runs = {
        "compress": lambda: pz.compress(model, images, labels, **options),
        "decompress": lambda: pz.decompress(model, file),
        "generate": lambda: model.generate(len(images), labels=labels, **drawing),
    }
    model.generate(len(images), labels=labels, **drawing)
    same = np.array_equal(pz.decompress(model, file), images)
    seconds = collections.defaultdict(list)
    for _ in range(repeats):
        for label, run in runs.items():
            seconds[label].append(seconds_of(run)[1])
    ratios = {
        label: statistics.median(np.divide(seconds[label], seconds["generate"])) for label in ("compress", "decompress")
    }
    medians = {label: statistics.median(times) for label, times in seconds.items()}
    return {"bytes": len(file), "ideal": nats / np.log(2) / 8, "same": same, "seconds": medians, "ratios": ratios}


def in_a_process(function, *args):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def list_of_formats(data, count):
    return list(measure_formats(data, count))


def compare(sets, count, options, repeats):
    """Print the table of all sets."""
    table = Table(
        "images", "compressed by", "bytes an image", "likelihood says", "encode, images/s", "decode, images/s",
        "compress / generate", "decompress / generate",
    )  # fmt: skip
    for data in sets:
        number = len(in_a_process(images_of, data, count)[0])
        what = f"{data}, {number:,} test images"
        for name, size, encoding, decoding in in_a_process(list_of_formats, data, count):
            table.row(
                what, name, f"{size / number:.1f}", "", f"{number / encoding:.0f}", f"{number / decoding:.0f}", "", ""
            )
        for name in MODELS[data]:
            found = in_a_process(measure_model, name, data, count, options, repeats)
            if not found["same"]:
                raise RuntimeError(f"{name} did not decompress {data}")
            rates = (f"{number / found['seconds'][label]:.1f}" for label in ("compress", "decompress"))
            ratios = (f"{found['ratios'][label]:.2f}" for label in ("compress", "decompress"))
            table.row(
                what, f"`{name}`", f"{found['bytes'] / number:.2f}", f"{found['ideal'] / number:.2f}", *rates, *ratios
            )


def damaged_files(count, seed=0):
    """How `count` damaged files end, a Counter: refused with one of the errors, or decompressed without a difference.

    Half of them have a few bytes changed, are cut short, get bytes added or lose some. In the other half, a header or a
    block is changed and then sealed with the checksums that belong to it, as someone with bad intentions would do.
    """
    import numpy as np

    import pixel_zoo as pz

    draw = np.random.default_rng(seed)
    model = pz.models.PixelCNN((3, 4, 1), levels=3, filters=4, num_blocks=1, head_filters=4, num_classes=3)
    labels = np.arange(12) % 3
    images = model.generate(12, seed=1, labels=labels)
    data = pz.compress(model, images, labels, block_size=5, batch_size=2)
    ends = collections.Counter()
    for number in range(count):
        damaged = _damaged(draw, data) if number % 2 else _sealed_damage(draw, data)
        try:
            result = pz.decompress(model, damaged, progress=False)
        except ValueError as error:
            ends[_kind(str(error))] += 1
        else:
            known = pz.compression.read_header(damaged)
            same = np.array_equal(result, images) and known.labels.tolist() == labels.tolist()
            ends[
                "decompressed, no difference" if same else "decompressed, a file that is whole by its own account"
            ] += 1
    return ends


def _damaged(draw, data):
    changed = bytearray(data)
    way = draw.integers(4)
    if way == 0:
        for position in draw.integers(len(data), size=draw.integers(1, 5)):
            changed[position] = draw.integers(256)
    elif way == 1:
        del changed[draw.integers(len(data)) :]
    elif way == 2:
        changed += draw.bytes(draw.integers(1, 50))
    else:
        first = draw.integers(len(data))
        del changed[first : first + draw.integers(1, 20)]
    return bytes(changed)


def _sealed_damage(draw, data):
    from pixel_zoo.compression import read_header

    header = read_header(data)
    blocks = [bytearray(data[block.begin : block.end]) for block in header.blocks()]
    begin = len(header.to_bytes())
    if draw.integers(2):
        block = blocks[draw.integers(len(blocks))]
        for position in draw.integers(len(block), size=draw.integers(1, 4)):
            block[position] = draw.integers(256)
        table = [(len(block), zlib.crc32(block), entry[2]) for block, entry in zip(blocks, header.table, strict=True)]
        return dataclasses.replace(header, table=tuple(table)).to_bytes() + b"".join(blocks)
    text = bytearray(data[13:begin])
    for position in draw.integers(len(text), size=draw.integers(1, 3)):
        text[position] = draw.integers(256)
    return data[:5] + struct.pack("<II", len(text), zlib.crc32(text)) + bytes(text) + data[begin:]


def _kind(message):
    """An error without what is particular to one file."""
    for part in (
        "not images compressed by pixel_zoo", "the format has version", "cut short", "bytes too many", "CRC-32 differs",
        "header is damaged", "another model", "the model takes", "rounds differently: set", "rounds differently",
        "labels must be given",
    ):  # fmt: skip
        if part in message:
            return f"refused: {part}"
    return f"refused: {message}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME", help=str([*MODELS]))
    parser.add_argument("--images", type=int, help="only the first images of the test split")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--block", type=int, default=1024)
    parser.add_argument("--xla", choices=("auto", "yes", "no"), default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--damaged", type=int, metavar="COUNT", help="instead, say how so many damaged files end")
    options = parser.parse_args()
    if options.damaged:
        for end, count in damaged_files(options.damaged).most_common():
            print(f"{count:6,}  {end}")
        return
    jit_compile = {"auto": "auto", "yes": True, "no": False}[options.xla]
    of_codec = {"batch_size": options.batch, "block_size": options.block, "jit_compile": jit_compile}
    compare(options.data, options.images, of_codec, options.repeats)


if __name__ == "__main__":
    main()
