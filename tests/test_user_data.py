"""Data sets that users bring: folders of any pictures, integer maps, downsampled ImageNet."""

import concurrent.futures
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest
from PIL import Image

from pixel_zoo import data, models
from pixel_zoo.data import imagenet, picture
from pixel_zoo.data.pixel_budget import PixelBudget
from pixel_zoo.training import Recipe, load_recipes, override
from pixel_zoo.training.recipe import parse_data_options
from pixel_zoo_cli import app

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data needs TensorFlow")
SPLITS = ("train", "validation", "test")


def noise(*shape, seed=0, high=256):
    return np.random.default_rng(seed).integers(0, high, shape).astype("uint8")


def save(folder, name, pixels, **options):
    """Write pixels, or a Pillow image, to a file of the folder."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(folder / name, **options)


def fill(folder, count, seed=0):
    """Put `count` noise pictures of 10 x 12 pixels into a folder; returns it."""
    folder.mkdir(exist_ok=True, parents=True)
    for index in range(count):
        save(folder, f"{seed}-{index}.png", noise(10, 12, 3, seed=[seed, index]))
    return folder


def all_images(name, **options):
    """The images of all splits that are not empty, and their splits."""
    counts = data.info(name, **options).splits
    return {split: data.arrays(name, split, **options) for split in counts if counts[split]}


def only_image(folder, size, colours=3, **options):
    """The one image of a folder with one usable picture."""
    ((image,),) = all_images("images", path=str(folder), size=size, colours=colours, **options).values()
    return image


def call(*arguments):
    """Run the command line in this process; returns its exit code."""
    with pytest.raises(SystemExit) as stop:
        app([str(argument) for argument in arguments])
    return stop.value.code


# --- images ---


@pytest.fixture
def messy(tmp_path):
    """A folder of every kind of file that a user's folder of pictures holds."""
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty folder").mkdir()
    colour, grey = noise(12, 10, 3), noise(12, 10, seed=1)
    save(folder, "rgb.png", colour)
    save(folder, "photo.JPG", noise(12, 10, 3, seed=2))
    save(folder, "grey.png", grey)
    save(folder, "bit.png", Image.fromarray(grey).convert("1"))
    save(folder, "rgba.png", noise(12, 10, 4, seed=3))
    save(folder, "grey alpha.png", Image.merge("LA", [Image.fromarray(grey), Image.fromarray(255 - grey)]))
    save(folder, "16 bits.png", Image.fromarray(grey.astype("uint16") * 257))
    save(folder, "palette.gif", Image.fromarray(colour).quantize(16))
    save(folder, "transparent palette.png", Image.fromarray(colour).quantize(8), transparency=0)
    save(folder, "cmyk.jpg", Image.fromarray(colour).convert("CMYK"))
    frames = [Image.fromarray(noise(12, 10, 3, seed=4 + frame)) for frame in range(3)]
    save(folder, "animated.gif", frames[0], save_all=True, append_images=frames[1:])
    save(folder, "deep/er/rotated.jpg", noise(12, 10, 3, seed=8), exif=orientation(6))
    shutil.copy(folder / "rgb.png", folder / "deep" / "the same.png")
    save(folder, "tiny.png", noise(4, 30, 3))
    save(folder, "float.tiff", Image.fromarray(grey.astype("float32")))
    (folder / "nothing.png").touch()
    (folder / "letter.txt").write_text("Dear Pillow,\n")
    (folder / "broken.jpg").write_bytes((folder / "photo.JPG").read_bytes()[:500])
    (folder / "noise.png").write_bytes(bytes(noise(500)))
    (folder / "bomb.png").write_bytes(png_of_size(60_000, 60_000))
    (folder / ".hidden.png").write_text("no picture")
    shutil.copytree(folder / "deep", folder / ".hidden")
    (folder / "link").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    return folder


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def png_of_size(width, height):
    """The bytes of a PNG file whose header promises this many pixels."""
    import struct
    import zlib

    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, "PNG")
    content = bytearray(stream.getvalue())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize("colours", [1, 3])
def test_a_folder_of_anything_is_read_and_says_what_it_skipped(messy, colours, caplog):
    images = all_images("images", path=str(messy), size=8, colours=colours)
    assert sum(map(len, images.values())) == 12
    for array in images.values():
        assert array.shape[1:] == (8, 8, colours) and array.dtype == np.uint8
    lines = [record.getMessage() for record in caplog.records if record.name == "pixel_zoo"]
    skipped = dict(line.removeprefix(f"{messy}/").split(": skipped: ") for line in lines if ": skipped: " in line)
    assert set(skipped) == {
        "tiny.png",
        "float.tiff",
        "nothing.png",
        "letter.txt",
        "broken.jpg",
        "noise.png",
        "bomb.png",
        "link",
        "pipe",
    }
    assert skipped["tiny.png"] == "30 x 4 pixels, of which a side is below 8"
    assert skipped["nothing.png"] == "the file is empty"
    assert skipped["letter.txt"] == skipped["noise.png"] == "not a picture in a supported format"
    assert "could be decompression bomb" in skipped["bomb.png"]
    assert all("\n" not in line for line in lines)
    assert sorted(line.removeprefix(f"{messy}: ") for line in lines if ": skipped: " not in line) == [
        "16 bits per value, the upper 8 are kept: 1 of 22 files",
        "left out, the same bytes as another: 1 of 22 files",
        "several frames, the first is taken: 1 of 22 files",
        "transparent, laid on white: 3 of 22 files",
    ]


def test_what_is_skipped_is_one_line_on_stderr(messy):
    for file in messy.iterdir():
        if file.name not in ("letter.txt", "rgb.png"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    program = f"from pixel_zoo import data; data.info('images', path={str(messy)!r}, size=8)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1:] == [f"{messy}/letter.txt: skipped: not a picture in a supported format"]


def test_the_central_square_is_taken(tmp_path):
    pixels = noise(9, 12, 3)
    save(tmp_path, "a.png", pixels)
    np.testing.assert_array_equal(only_image(tmp_path, 9), pixels[:, 1:10])


def test_a_picture_is_shrunk_as_a_whole(tmp_path):
    black_above_white = np.repeat(np.uint8([0, 255]), 16)[:, None].repeat(64, axis=1)
    save(tmp_path, "a.png", black_above_white)
    np.testing.assert_array_equal(only_image(tmp_path, 2, colours=1)[..., 0] > 128, [[False, False], [True, True]])


def test_the_exif_orientation_is_followed(tmp_path):
    save(tmp_path, "a.png", np.uint8([[0, 0], [255, 255]]), exif=orientation(6))  # to be turned clockwise
    np.testing.assert_array_equal(only_image(tmp_path, 2, colours=1)[..., 0], [[255, 0], [255, 0]])


def test_the_upper_bits_of_sixteen_are_kept(tmp_path):
    values = np.uint16([[0, 255], [256, 65535]])
    save(tmp_path, "a.png", Image.fromarray(values))
    np.testing.assert_array_equal(only_image(tmp_path, 2, colours=1)[..., 0], [[0, 0], [1, 255]])


def warnings_of(caplog):
    """The lines of the log, from the oldest on."""
    return [record.getMessage() for record in caplog.records if record.name == "pixel_zoo"]


@pytest.mark.parametrize("dtype, name", [("uint16", "a.png"), ("uint16", "a.tiff"), ("int32", "a.tiff")])
def test_empty_upper_bits_are_noticed_and_can_be_left_out(tmp_path, caplog, dtype, name):
    save(tmp_path, name, Image.fromarray(np.array([[0, 15], [16, 4095]], dtype)))
    assert only_image(tmp_path, 2, colours=1).max() == 15
    message = "the upper 4 of 16 bits are empty, as no value is above 4,095, so images are too dark: set bits=12 "
    assert sum(message in line for line in warnings_of(caplog)) == 1
    caplog.clear()
    np.testing.assert_array_equal(only_image(tmp_path, 2, colours=1, bits=12)[..., 0], [[0, 0], [1, 255]])
    assert not any("too dark" in line for line in warnings_of(caplog))


def test_full_bits_need_no_remark(tmp_path, caplog):
    save(tmp_path, "dark.png", Image.fromarray(np.uint16([[0, 255], [1, 7]])))
    save(tmp_path, "light.png", Image.fromarray(np.uint16([[0, 255], [1, 40_000]])))
    all_images("images", path=str(tmp_path), size=2, colours=1)
    assert not any("too dark" in line for line in warnings_of(caplog))


def test_more_than_sixteen_bits_and_fractions_need_bits(tmp_path, caplog):
    save(tmp_path, "fraction.tiff", Image.fromarray(np.float32([[0, 4], [1023, 2]])))
    save(tmp_path, "deep.tiff", Image.fromarray(np.int32([[0, 1023], [4, 2**20]])))
    save(tmp_path, "nan.tiff", Image.fromarray(np.float32([[0, 4], [np.nan, 2]])))
    with pytest.raises(ValueError, match=r"no file in .* is a picture"):
        data.info("images", path=str(tmp_path), size=2, colours=1)
    text = " ".join(warnings_of(caplog))
    assert "floating-point values, of which black and white are not known: set bits" in text
    assert "values 0 to 1048576, which do not fit in 16 bits: set bits" in text
    np.testing.assert_array_equal(only_image(tmp_path, 2, colours=1, bits=10)[..., 0], [[0, 1], [255, 0]])


def png(pixels, colour_type):
    """The bytes of a PNG of 16 bits per value, big-endian, which Pillow can't write in colour."""
    import struct
    import zlib

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_empty_upper_bits_in_colour_are_noticed_too(tmp_path, caplog):
    (tmp_path / "a.png").write_bytes(png(np.full((2, 2, 3), 4095), colour_type=2))
    assert only_image(tmp_path, 2).max() == 15
    assert "set bits=12 (data_options.bits of a recipe); convert colour pictures to 8 bits" in caplog.text
    with pytest.raises(ValueError, match="no file in"):
        data.info("images", path=str(tmp_path), size=2, bits=12)
    assert "16 bits per value in colour, of which Pillow reads the upper 8, not 12: convert it" in caplog.text


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PALM"])
def test_only_listed_formats_are_decoded(tmp_path, kind, caplog, monkeypatch):
    def never(*args, **kwargs):
        pytest.fail("another program was started")

    monkeypatch.setattr(subprocess, "Popen", never)
    monkeypatch.setattr(subprocess, "check_call", never)
    Image.fromarray(noise(8, 8)).convert("1" if kind == "PALM" else "L").save(tmp_path / "photo.png", kind)
    with pytest.raises(ValueError, match="no file in"):
        data.info("images", path=str(tmp_path), size=8)
    assert "photo.png: skipped: not a picture in a supported format" in caplog.text


def test_pixels_are_counted_before_they_are_decoded(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15_000)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda self: pytest.fail("decoded"))
    save(tmp_path, "a.png", np.zeros((200, 100), "uint8"))
    smooth = np.linspace(0, 255, 200).astype("uint8")[:, None].repeat(100, axis=1)
    save(tmp_path, "large.jpg", smooth, quality=95)
    save(tmp_path, "progressive.jpg", smooth, progressive=True)
    image = only_image(tmp_path, 4, colours=1)[..., 0].astype(int)
    message = "skipped: 100 x 200 pixels, more than the 15,000 of Pillow's Image.MAX_IMAGE_PIXELS"
    assert caplog.text.count(message) == 2
    expected = Image.fromarray(smooth).resize((4, 4), Image.Resampling.LANCZOS, box=(0, 50, 100, 150))
    np.testing.assert_allclose(image, np.asarray(expected), atol=1)


def test_threads_share_a_budget_of_pixels():
    budget, together, most = PixelBudget(100), [], []

    def decode(pixels):
        with budget.reserved(pixels):
            together.append(pixels)
            most.append(list(together))
            time.sleep(0.002)  # lets the other threads try
            together.remove(pixels)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, [40, 150, 60, 50, 30, 200, 100, 20]))
    assert all(sum(sizes) <= 100 or len(sizes) == 1 for sizes in most)
    assert budget.used == 0


def test_pictures_beyond_the_budget_are_decoded_by_one_thread(tmp_path, monkeypatch):
    threads = []
    square = picture._centre
    monkeypatch.setattr(
        picture, "_centre", lambda *arguments: threads.append(threading.current_thread()) or square(*arguments)
    )
    together = all_images("images", path=str(fill(tmp_path / "a", 20)), size=8)
    assert threading.main_thread() not in threads
    threads.clear()
    monkeypatch.setattr("pixel_zoo.data.images._PIXELS_AT_ONCE", 100)  # the pictures have 120
    alone = all_images("images", path=str(fill(tmp_path / "b", 20)), size=8)
    assert set(threads) == {threading.main_thread()}
    for split, images in together.items():
        np.testing.assert_array_equal(alone[split], images)


def test_linked_folders_are_followed_and_loops_end(tmp_path, monkeypatch, caplog):
    fill(tmp_path / "elsewhere", 5)
    folder = fill(tmp_path / "photos", 3, seed=1)
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    (tmp_path / "elsewhere" / "back").symlink_to(folder)
    images = all_images("images", path=str(folder), size=8)
    assert sum(map(len, images.values())) == 8
    assert not warnings_of(caplog)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch, caplog):
    fill(tmp_path, 3)
    fill(tmp_path / "locked", 1, seed=1)
    scandir = os.scandir

    def locked(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    assert sum(map(len, all_images("images", path=str(tmp_path), size=8).values())) == 3
    assert f"{tmp_path}/locked: skipped: Permission denied" in caplog.text


def test_what_is_transparent_is_white(tmp_path):
    save(tmp_path, "a.png", np.uint8([[[10, 20, 30, 255], [10, 20, 30, 0]]] * 2))
    np.testing.assert_array_equal(only_image(tmp_path, 2)[0], [[10, 20, 30], [255, 255, 255]])


def test_neither_names_nor_new_files_move_a_picture(tmp_path):
    before = all_images("images", path=str(fill(tmp_path / "before", 40)), size=8)
    fill(tmp_path / "after" / "holiday", 40)
    fill(tmp_path / "after", 40, seed=1)
    for index, file in enumerate(sorted((tmp_path / "after" / "holiday").iterdir())):
        file.rename(file.with_name(f"{99 - index}.picture"))
    after = all_images("images", path=str(tmp_path / "after"), size=8)
    assert sum(map(len, before.values())) == 40 and sum(map(len, after.values())) == 80
    for split, images in before.items():
        kept = set(map(bytes, images))
        assert kept <= set(map(bytes, after[split]))
        # In their old order, too.
        assert [bytes(image) for image in after[split] if bytes(image) in kept] == [*map(bytes, images)]


def test_splits_are_eight_one_and_one_tenth(tmp_path):
    splits = data.info("images", path=str(fill(tmp_path, 300)), size=8).splits
    assert list(splits) == list(SPLITS)
    assert [splits[split] / 300 for split in SPLITS] == pytest.approx([0.8, 0.1, 0.1], abs=0.06)


def test_an_empty_split_is_named(tmp_path):
    save(tmp_path, "a.png", noise(8, 8))
    (split,) = all_images("images", path=str(tmp_path), size=8)
    other = next(name for name in SPLITS if name != split)
    with pytest.raises(ValueError, match=f"split: {other} of images is empty, as {tmp_path} holds too few images"):
        data.arrays("images", other, path=str(tmp_path), size=8)


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"size": 0}, ValueError, "size must be an integer of at least 1, got 0"),
        ({"bits": 7}, ValueError, "bits must be from 8 to 32, or None, got 7"),
        ({"bits": "12"}, ValueError, "bits must be an integer of at least 1, got '12'"),
        ({"colours": 4}, ValueError, r"colours must be 1 \(grey\) or 3 \(RGB\), got 4"),
        ({"path": "nowhere"}, FileNotFoundError, r"there is no folder 'nowhere'; .*\(data_options.path of a recipe\)"),
        ({"size": 13}, ValueError, "no file in .* is a picture of at least 13 x 13 pixels"),
    ],
)
def test_bad_options_of_images_are_named(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        data.info("images", **({"path": str(fill(tmp_path, 1)), "size": 8} | change))


# --- codes ---


def test_codes_keep_the_splits_they_are_stored_in(tmp_path):
    stored = {split: noise(5, 4, 6, seed=seed, high=40) for seed, split in enumerate(SPLITS)}
    np.savez(tmp_path / "codes.npz", **stored)
    info = data.info("codes", path=str(tmp_path / "codes.npz"), levels=64)
    assert (info.image_shape, info.levels) == ((4, 6, 1), 64)
    for split in SPLITS:
        images = data.arrays("codes", split, path=str(tmp_path / "codes.npz"), levels=64)
        np.testing.assert_array_equal(images[..., 0], stored[split])
        assert images.dtype == np.uint8


@pytest.mark.parametrize("dtype", ["int64", "uint16"])
def test_one_array_of_codes_is_split_by_content(tmp_path, dtype):
    codes = np.random.default_rng(0).integers(0, 512, (300, 4, 4, 2))
    codes[0, 0, 0, 0] = 511
    np.save(tmp_path / "some.npy", codes[:200].astype(dtype))
    np.savez_compressed(tmp_path / "all.npz", codes=codes[::-1])
    some = all_images("codes", path=str(tmp_path / "some.npy"))
    everything = all_images("codes", path=str(tmp_path / "all.npz"))
    for split in SPLITS:
        assert some[split].dtype == np.int32
        assert set(map(bytes, some[split])) <= set(map(bytes, everything[split]))
    whole = np.concatenate([*everything.values()])
    assert sorted(map(bytes, whole)) == sorted(map(bytes, codes.astype("int32")))


class Pickled:
    """An object that NumPy can store only as a pickle, and that tells when it is loaded."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize(
    "stored, message",
    [
        (
            np.float32([[[0.5]]]),
            r"must be integers from 0, \(N, H, W\) or \(N, H, W, C\), got float32 \(1, 1, 1\) from 0.5",
        ),
        (np.int32([[[3], [-1]]]), r"got int32 \(1, 2, 1\) from -1"),
        (np.zeros((2, 2), int), r"got int64 \(2, 2\) from 0"),
        (np.zeros((0, 2, 2), int), r"got int64 \(0, 2, 2\)$"),
        (np.full((4, 2, 2), 7), "levels=4: .* holds codes up to 7"),
        (np.array([Pickled()]), "must be a .npy or .npz file of numbers, without pickled objects"),
        (
            {"train": noise(1, 2, 2), "valid": noise(1, 2, 2)},
            "arrays named train, validation, test; it holds train, valid",
        ),
        (
            {"train": noise(1, 2, 2), "test": noise(1, 2, 3)},
            r"must have one shape, got \(2, 2., 1\), \(2, 2., 1\)|one shape",
        ),
        ({}, "must hold one array, .*; it holds none"),
        (b"", "must be a .npy or .npz file of numbers"),
        (b"PK\x03\x04 cut short", "must be a .npy or .npz file of numbers"),
    ],
)
def test_what_are_no_codes_is_refused(tmp_path, stored, message):
    path = tmp_path / "codes"
    with open(path, "wb") as file:
        if isinstance(stored, bytes):
            file.write(stored)
        elif isinstance(stored, dict):
            np.savez(file, **stored)
        else:
            np.save(file, stored)
    with pytest.raises(ValueError, match=message):
        data.info("codes", path=str(path), levels=4)


ONE_HOT = np.eye(5, dtype="uint8")[noise(6, 4, 4, high=5)]


@pytest.mark.parametrize(
    "stored, message, confirmed",
    [
        (noise(6, 1, 8, 8), r"did you mean channels first\? .* \(6, 1, 8, 8\); .* np.moveaxis\(codes, 1, -1\)", 8),
        (noise(6, 3, 8, 8), r"did you mean channels first\?", 8),
        (noise(6, 1, 4, 4), r"did you mean channels first\? .* \(6, 1, 4, 4\)", 4),
        (noise(6, 1, 8, 4), r"did you mean channels first\?", 4),
        (noise(6, 1, 2, 8), r"did you mean channels first\?", 8),
        (noise(6, 8, 16, 16), r"did you mean channels first\?", 16),
        (ONE_HOT, r"did you mean one-hot codes\? .* \(6, 4, 4, 5\); .* np.argmax\(codes, axis=-1\), .* colours=5", 5),
        (np.moveaxis(ONE_HOT, -1, 1), r"did you mean one-hot codes\? .* np.argmax\(codes, axis=1\)", 4),
    ],
)
def test_codes_of_another_layout_are_asked_about(tmp_path, stored, message, confirmed):
    np.save(tmp_path / "codes.npy", stored)
    with pytest.raises(ValueError, match=message):
        data.info("codes", path=str(tmp_path / "codes.npy"))
    info = data.info("codes", path=str(tmp_path / "codes.npy"), colours=confirmed)
    assert info.image_shape == stored.shape[1:]
    with pytest.raises(ValueError, match=rf"colours must be {confirmed}, .* got 9"):
        data.info("codes", path=str(tmp_path / "codes.npy"), colours=9)


def test_codes_of_height_one_and_of_few_channels_need_no_question(tmp_path):
    shapes = {"row": (6, 1, 24), "row of two": (6, 1, 24, 2), "residual": (6, 8, 8, 8), "colours": (6, 4, 4, 3)}
    for name, shape in shapes.items():
        np.save(tmp_path / f"{name}.npy", noise(*shape))
        assert data.info("codes", path=str(tmp_path / f"{name}.npy")).image_shape == (*shape, 1)[1:4]


def test_absurdly_many_codes_are_asked_about(tmp_path):
    codes = np.arange(24).reshape(6, 2, 2)
    path = str(tmp_path / "codes.npy")
    np.save(path, np.where(codes == 3, 2**31, codes))
    with pytest.raises(ValueError, match=r"did you mean codes up to 2147483648, as .*: renumber them with np.unique"):
        data.info("codes", path=path)
    with pytest.raises(ValueError, match="levels must be from 2 to 1048576, got 2147483649"):
        data.info("codes", path=path, levels=2**31 + 1)
    np.save(tmp_path / "many.npy", codes + 2**16)
    with pytest.raises(ValueError, match="set levels=65560, or renumber"):
        data.info("codes", path=str(tmp_path / "many.npy"))
    assert data.info("codes", path=str(tmp_path / "many.npy"), levels=2**17).levels == 2**17


def test_absent_codes_say_what_to_bring():
    with pytest.raises(
        FileNotFoundError, match=r"no file 'codes.npz'; codes takes .* \(data_options.path of a recipe\)"
    ):
        data.info("codes", path="codes.npz")


# --- downsampled ImageNet ---


@pytest.fixture
def small_imagenet(tmp_path):
    """Twenty training and seven validation pictures as the archives unpack; and their pixels."""
    pixels = {"train": noise(20, 32, 32, 3), "valid": noise(7, 32, 32, 3, seed=1)}
    for split, images in pixels.items():
        (tmp_path / f"{split}_32x32").mkdir()
        for index, image in enumerate(images):
            save(tmp_path / f"{split}_32x32", f"{index:07d}.png", image)
    return tmp_path, pixels


def check_small_imagenet(path, pixels):
    images = all_images("imagenet32", path=str(path))
    np.testing.assert_array_equal(np.concatenate([images["train"], images["validation"]]), pixels["train"])
    np.testing.assert_array_equal(images["test"], pixels["valid"])
    assert len(images["validation"]) == 2
    return images


def test_imagenet_pictures_become_arrays_on_disk(small_imagenet, tmp_path, monkeypatch, caplog):
    path, pixels = small_imagenet
    images = check_small_imagenet(path, pixels)
    assert all(isinstance(array, np.memmap) for array in images.values())
    assert "20 training and 7 validation images, where 1,281,149 and 49,999 were published" in caplog.text
    assert "figures don't compare" in data.info("imagenet32", path=str(path)).description
    again = tmp_path / "again"
    again.mkdir()
    for file in path.glob("*.npy"):
        shutil.copy(file, again)
    check_small_imagenet(again, pixels)
    assert data.content_hash("imagenet32", "test", path=str(again)) == hashlib.sha256(pixels["valid"]).hexdigest()


def test_imagenet_as_one_file(small_imagenet, tmp_path):
    _, pixels = small_imagenet
    np.savez(tmp_path / "all.npz", train=pixels["train"], validation=pixels["valid"])
    check_small_imagenet(tmp_path / "all.npz", pixels)


def test_an_imagenet_picture_of_another_size_is_not_decoded(small_imagenet, monkeypatch):
    path, _ = small_imagenet
    (path / "train_32x32" / "0000000.png").write_bytes(png_of_size(9_000, 9_000))
    with pytest.raises(ValueError, match=r"0000000.png' must have 32 x 32 pixels, got 9000 x 9000"):
        data.info("imagenet32", path=str(path))
    Image.fromarray(noise(32, 32)).save(path / "train_32x32" / "0000000.png", "EPS")
    with pytest.raises(ValueError, match=r"0000000.png' can't be read: cannot identify image file"):
        data.info("imagenet32", path=str(path))


def test_a_broken_imagenet_picture_leaves_no_array(small_imagenet):
    path, _ = small_imagenet
    save(path / "train_32x32", "0000003.png", noise(32, 31, 3))
    with pytest.raises(ValueError, match=r"train_32x32/0000003.png' must have 32 x 32 pixels, got 31 x 32"):
        data.info("imagenet32", path=str(path))
    assert sorted(file.name for file in path.iterdir()) == ["train_32x32", "valid_32x32"]


@pytest.mark.parametrize("shape, dtype", [((3, 32, 32), "uint8"), ((3, 64, 64, 3), "uint8"), ((3, 32, 32, 3), "int64")])
def test_other_arrays_are_no_imagenet(tmp_path, shape, dtype):
    for split in ("train", "valid"):
        np.save(tmp_path / f"{split}_32x32.npy", np.zeros(shape, dtype))
    with pytest.raises(ValueError, match=rf"must be uint8 \(N, 32, 32, 3\), got {dtype} \({shape[0]}, "):
        data.info("imagenet32", path=str(tmp_path))


def test_an_absent_imagenet_says_what_to_bring(tmp_path, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match=r"holds neither train_64x64.npy nor a folder train_64x64 of .png files"
    ):
        data.info("imagenet64", path=str(tmp_path))

    def unprepared(split):
        raise FileNotFoundError("not prepared")

    with pytest.raises(FileNotFoundError, match=r"set data_options.path of the recipe to the folder of train_64x64/"):
        imagenet._or_say_how(unprepared, 64)("train")


def test_the_published_imagenet_needs_no_remark(caplog):
    info = data.info("imagenet64")
    assert sum(info.splits.values()) == 1_281_149 + 49_999
    assert "Chrabaszcz" in info.description and not caplog.records


# --- pipelines ---


@on_tensorflow
def test_a_pipeline_of_what_lies_on_disk_is_that_of_what_is_in_memory(small_imagenet, tmp_path):
    path, pixels = small_imagenet
    np.savez(tmp_path / "all.npz", train=pixels["train"], validation=pixels["valid"])
    on_disk, in_memory = (
        data.pipeline("imagenet32", "train", 4, seed=3, path=str(where)) for where in (path, tmp_path / "all.npz")
    )
    assert on_disk.element_spec == in_memory.element_spec
    assert len(on_disk) == 5
    for batch, same in zip(on_disk, in_memory, strict=True):
        np.testing.assert_array_equal(batch, same)


@on_tensorflow
def test_a_pipeline_of_many_levels(tmp_path):
    np.save(tmp_path / "codes.npy", np.arange(600).repeat(4).reshape(600, 2, 2))
    (batch,) = data.pipeline("codes", "train", 600, path=str(tmp_path / "codes.npy"))
    np.testing.assert_array_equal(batch, data.arrays("codes", "train", path=str(tmp_path / "codes.npy")))
    assert batch.dtype == "int32"


def test_sets_of_users_have_no_labels(tmp_path):
    fill(tmp_path, 20)
    with pytest.raises(ValueError, match="labels: images has none; these have: cifar10, digits, mnist"):
        data.labels("images", "train", path=str(tmp_path), size=8)


# --- recipes and commands ---


def test_a_recipe_of_absent_data_is_made_and_its_options_are_checked():
    recipe = Recipe(data="images", data_options={"path": "nowhere", "size": 8}, model="PixelCNN")
    changed = override(recipe, "data_options.path=2024", "data_options.size=16", "data_options.colours=1")
    assert changed.data_options == {"path": "2024", "size": 16, "colours": 1}
    assert recipe.data_options == {"path": "nowhere", "size": 8}
    with pytest.raises(ValueError, match=r"did you mean 'size'\? images takes path, size, colours, bits, got 'sise'"):
        override(recipe, "data_options.sise=16")
    with pytest.raises(ValueError, match="digits takes none, got 'path'"):
        override(recipe, "data=digits")
    with pytest.raises(TypeError, match=r"data_options: path must be text, a number, numbers or None, got \['a'\]"):
        Recipe(data="images", data_options={"path": ["a"]}, model="PixelCNN")
    assert parse_data_options("imagenet32", ["path=none"]) == {"path": None}


TINY = [
    "--set",
    "model_options.filters=4",
    "--set",
    "model_options.num_blocks=1",
    "--set",
    "model_options.head_filters=4",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["images", "codes"])
def test_our_recipes_train_on_what_users_bring(name, tmp_path, request, monkeypatch, capsys):
    if name == "images":
        options = [f"path={fill(tmp_path / 'mine', 30)}", "size=8"]
    else:
        np.save(tmp_path / "mine.npy", np.random.default_rng(0).integers(0, 512, (40, 4, 4)))
        options = [f"path={tmp_path / 'mine.npy'}", "levels=512"]
    blank = np.zeros((16, *((8, 8, 3) if name == "images" else (4, 4, 1))), "uint8")
    monkeypatch.setattr(models.PixelModel, "generate", lambda self, *args, **kwargs: blank)
    recipe = request.config.rootpath / "recipes" / f"{name}.py"
    changes = [argument for option in options for argument in ("--set", f"data_options.{option}")]
    run = tmp_path / "run"
    assert call("train", recipe, "--model", "pixel_cnn", *TINY, *changes, "--epochs", 1, "--output", run) == 0
    recorded = json.loads((run / "config.json").read_text())
    assert [f"{key}={value}" for key, value in recorded["recipe"]["data_options"].items()][:2] == options
    given = [argument for option in options for argument in ("--data-option", option)]
    capsys.readouterr()
    assert call("evaluate", run / "best.keras", "--data", name, *given, "--split", "train") == 0
    assert "bits/dim" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["images", "codes"])
def test_our_recipes_say_what_to_set(name, tmp_path, request, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    recipe = request.config.rootpath / "recipes" / f"{name}.py"
    for model in load_recipes(recipe):
        capsys.readouterr()
        assert call("train", recipe, "--model", model, "--output", tmp_path / "run") == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "(data_options.path of a recipe)" in error
    assert not (tmp_path / "run").exists()


def test_list_shows_the_options(capsys):
    assert call("list") == 0
    assert "Options: path, size, colours, bits." in " ".join(capsys.readouterr().out.replace("│", " ").split())
