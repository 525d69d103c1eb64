"""Picture files as images of a model, value for value: `score` and `compress` accept the same ones."""

import functools
import types

import numpy as np
import pytest
from command_line import refused
from PIL import ExifTags, Image

from pixel_zoo import models
from pixel_zoo_cli import compression, picture_files, scores

LEVELS = np.array([[0, 1, 2], [2, 1, 0]])  # of a model of 3 levels
GREY = np.array([0, 128, 255], "uint8")[LEVELS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the model grey.keras and pictures, of which only good.png can be read without loss."""
    folder = tmp_path_factory.mktemp("pictures")
    models.PixelCNN((2, 3, 1), 3, filters=2, num_blocks=1, head_filters=2).save(folder / "grey.keras")
    good = Image.fromarray(GREY)
    good.save(folder / "good.png")
    good.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png")
    Image.new("RGB", (3, 2), (255, 0, 0)).save(folder / "red.png")
    Image.new("LA", (3, 2), (255, 100)).save(folder / "clear.png")
    Image.new("L", (3, 2), 126).save(folder / "between.png")
    Image.new("CMYK", (3, 2)).save(folder / "print.tif")
    Image.new("I;16", (3, 2)).save(folder / "deep.png")
    good.save(folder / "film.gif", save_all=True, append_images=[Image.new("L", (3, 2))])
    (folder / "text.png").write_text("no picture")
    (folder / "damaged.png").write_bytes((folder / "good.png").read_bytes()[:50])
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize("command, module", [("score", scores), ("compress", compression)])
def test_pictures_that_would_lose_something_are_refused(command, module, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "load_with_codec", functools.cache(module.load_with_codec))
    output = tmp_path / "output.csv"
    for name, said in (
        ("turned.png", "turned.png' has 2 x 3 pixels (width x height), the model takes 3 x 2; resize it"),
        ("red.png", "red.png' is in colour, the model takes grey"),
        ("clear.png", "clear.png' has transparent pixels"),
        ("between.png", "has values between the model's 3 levels of brightness, 0 to 255 in steps of 127.5"),
        ("print.tif", "print.tif' has the colours CMYK; convert it"),
        ("deep.png", "deep.png' has values of more than 8 bits"),
        ("film.gif", "film.gif' holds several pictures"),
        ("text.png", "text.png' is not a picture of one of PNG"),
        ("damaged.png", "damaged.png' cannot be read"),
        ("none.png", "files: there is no file or folder"),
        ("empty", "files: no file in"),
    ):
        said_of = refused(
            capsys, command, folder / "grey.keras", folder / "good.png", folder / name, "--output", output
        )
        assert said in said_of
        (tmp_path / "output.csv.partial" / "run.json").unlink(missing_ok=True)  # of a run that `score` had begun
    assert not output.exists()


def test_what_holds_the_same_values_is_the_same_image(folder):
    """In whatever form a program has saved it."""
    grey = types.SimpleNamespace(image_shape=(2, 3, 1), levels=3)
    good = Image.fromarray(GREY)
    good.convert("RGB").save(folder / "rgb.png")
    good.convert("RGBA").save(folder / "opaque.png")
    good.convert("P").save(folder / "palette.gif")
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    good.transpose(Image.Transpose.ROTATE_90).save(folder / "upright.png", exif=turned)
    paths = [folder / name for name in ("good.png", "rgb.png", "opaque.png", "palette.gif", "upright.png")]
    picture_files.check_pictures(paths, grey)
    images = picture_files.read_pictures(paths, grey)
    assert images.dtype == "uint8" and (images[..., 0] == LEVELS).all()

    binary = types.SimpleNamespace(image_shape=(2, 3, 1), levels=2)
    Image.fromarray(LEVELS > 1).save(folder / "bits.png")
    assert (picture_files.read_pictures([folder / "bits.png"], binary)[0, ..., 0] == (LEVELS > 1)).all()

    colour = types.SimpleNamespace(image_shape=(2, 3, 3), levels=256)
    values = np.random.default_rng(0).integers(0, 256, (2, 3, 3), "uint8")
    Image.fromarray(values).save(folder / "colour.png")
    paths = [folder / "colour.png", folder / "good.png"]
    assert (picture_files.read_pictures(paths, colour) == [values, GREY[..., None].repeat(3, axis=-1)]).all()


@pytest.mark.parametrize("levels", [2, 3, 16, 17, 255, 256])
def test_pictures_hold_every_level(levels, tmp_path):
    model = types.SimpleNamespace(image_shape=(1, levels, 1), levels=levels)
    image = np.arange(levels).reshape(1, levels, 1)
    Image.fromarray(picture_files.grey_levels(image, levels)[..., 0]).save(tmp_path / "all.png")
    assert (picture_files.read_pictures([tmp_path / "all.png"], model)[0] == image).all()
