"""Pictures through the pretrained prior over codes: commands encode what they are given, and decode what they show."""

import base64
import csv
import dataclasses
import functools
import io
import re
import shutil
import types

import numpy as np
import pytest
from command_line import call, refused
from PIL import Image

import pixel_zoo as pz
from pixel_zoo import data, models, pictures
from pixel_zoo.zoo import codecs

NAME = "mnist_vq"


load = functools.cache(pz.load)


def strokes():
    """Strokes, uint8 (4, 28, 28, 1)."""
    images = np.zeros((4, 28, 28, 1), "uint8")
    for number, image in enumerate(images):
        image[4:24, 8 + 3 * number : 11 + 3 * number] = 255
    return images


PICTURES = data.DataSet(
    name="strokes",
    image_shape=(28, 28, 1),
    levels=256,
    splits={"train": 0, "validation": 0, "test": 4},
    description="Strokes.",
    source="these tests",
    read=lambda split: strokes(),
    classes=10,
    read_labels=lambda split: np.ones(4, int),
)
CODES = dataclasses.replace(
    PICTURES,
    image_shape=(7, 7, 1),
    levels=128,
    read=lambda split: load(f"{NAME}.encoder").predict(strokes(), verbose=0).astype("uint8"),
)
OF_DATA = ("--data", "test_codes_pictures:PICTURES")


@pytest.fixture(scope="module")
def parts():
    """The prior, and what encodes and decodes."""
    encoder, decoder = (load(f"{NAME}.{part}") for part in ("encoder", "decoder"))
    return load(NAME), lambda x: encoder.predict(x, verbose=0), lambda x: decoder.predict(x, verbose=0)


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch):
    """The three models are loaded once for all tests, not by each command."""
    monkeypatch.setattr(pz, "load", load, raising=False)
    monkeypatch.setattr(codecs, "load", load)


@pytest.fixture
def file(tmp_path):
    """A picture file of a stroke."""
    Image.fromarray(strokes()[1, ..., 0]).save(tmp_path / "stroke.png")
    return tmp_path / "stroke.png"


@pytest.fixture
def asked(monkeypatch):
    """What the model was asked to complete: the unknown codes become 5."""
    asked = []

    def complete(model, images, known, **options):
        asked.append(types.SimpleNamespace(images=np.asarray(images), known=np.asarray(known), **options))
        return np.where(known[..., None], images, 5)

    monkeypatch.setattr(models.PixelModel, "complete", complete)
    return asked


def png_files(folder):
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])[..., None]


def test_a_picture_file_is_completed_through_its_codes(parts, file, asked, tmp_path):
    _, encode, decode = parts
    shutil.copy(pz.path(NAME), tmp_path / "own.keras")  # the same model
    for number, model in enumerate((NAME, tmp_path / "own.keras")):
        output = tmp_path / f"completed{number}"
        command = ("complete", model, "--image", file, "--label", 1, "--num-completions", 2)
        assert call(*command, "--output", output) == 0
        blanked = strokes()[1:2]
        blanked[:, 12:] = 0
        assert (asked[-1].images == encode(blanked)).all() and asked[-1].labels == 1
        assert (asked[-1].known == (np.arange(7) < 3)[:, None]).all()
        shown = np.where(asked[-1].known[..., None], asked[-1].images, 5)
        np.testing.assert_array_equal(png_files(output), decode(shown))
    assert call(*command, "--output", tmp_path / "completed.npz") == 0
    with np.load(tmp_path / "completed.npz") as stored:
        assert stored["images"].shape == (1, 2, 7, 7, 1) and stored["levels"] == 128
        np.testing.assert_array_equal(stored["images"][0], shown)


def test_a_mask_of_pixels_hides_each_code_that_it_touches(file, asked, tmp_path):
    mask = np.zeros((28, 28), "uint8")
    mask[7:9, 12] = 255  # of two blocks
    Image.fromarray(mask).save(tmp_path / "mask.png")
    output = tmp_path / "completed.png"
    assert (
        call("complete", NAME, "--image", file, "--label", 1, "--mask", tmp_path / "mask.png", "--output", output) == 0
    )
    assert np.argwhere(~asked[0].known).tolist() == [[1, 3], [2, 3]]
    with Image.open(output) as picture:
        known = np.asarray(picture)
    assert (known == pictures.UNKNOWN).all(axis=-1).any()


def test_data_of_pictures_and_of_codes_are_both_taken(parts, asked, tmp_path):
    encode, left = parts[1], np.arange(28)[:, None] < 12
    for name, expected in (("PICTURES", encode(strokes() * left)), ("CODES", encode(strokes()))):
        completing = ("complete", NAME, "--data", f"test_codes_pictures:{name}", "--known", "left")
        assert call(*completing, "--num-completions", 1, "--output", tmp_path / name) == 0
        chosen = np.linspace(0, 3, 6).astype(int)
        np.testing.assert_array_equal(asked[-1].images, expected[chosen])
        assert (asked[-1].known == (np.arange(7) < 3)).all()
        assert png_files(tmp_path / name).shape == (6, 28, 28, 1)


def test_figures_of_pictures_are_those_of_their_codes(parts, tmp_path, capsys):
    model, encode, _ = parts
    nats = -model.log_likelihood(encode(strokes()), 1)
    for number, picture in enumerate(strokes()):
        Image.fromarray(picture[..., 0]).save(tmp_path / f"{number}.png")
    for name, source in (("files", (tmp_path, "--label", 1)), ("data", OF_DATA)):
        table = tmp_path / f"{name}.csv"
        assert call("score", NAME, "--output", table, *source) == 0
        assert "mnist_vq: nats and bits/dim are those of the 7 x 7 codes of each picture" in capsys.readouterr().err
        with open(table, newline="") as rows:
            scored = [float(row["nats"]) for row in csv.DictReader(rows)]
        np.testing.assert_allclose(scored, nats, rtol=1e-4)
    assert "complexity: PNG files hold pictures, but 'mnist_vq' scores codes" in refused(
        capsys, "score", NAME, "--output", tmp_path / "c.csv", "--complexity", *OF_DATA
    )
    assert call("evaluate", NAME, *OF_DATA) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"{nats.mean():.3f}"[:-1] in said and "those of the codes" in said


@pytest.mark.parametrize("command", ["complete --output {new}.png", "inspect --output {new}", "evaluate"])
def test_data_of_other_pictures_are_refused(command, tmp_path, capsys):
    name, *options = command.format(new=tmp_path / "new").split()
    line = refused(capsys, name, NAME, "--data", "digits", *options)
    expected = "the model takes pictures of shape (28, 28, 1) and 256 levels, or their codes of shape (7, 7, 1), got"
    assert f"data: {expected} images of shape (8, 8, 1) and 17 levels" in line


def test_pictures_are_not_compressed_without_loss(file, tmp_path, capsys):
    for source in ((file,), OF_DATA):
        line = refused(capsys, "compress", NAME, "--output", tmp_path / "pictures.pz", *source)
        assert "'mnist_vq' compresses codes without loss, but codes lose a part of the pictures" in line


def test_a_folder_of_decompressed_codes_shows_pictures(parts, tmp_path, monkeypatch):
    codes = np.arange(2 * 49, dtype="uint8").reshape(2, 7, 7, 1)
    header = types.SimpleNamespace(model_name=NAME, count=2, labels=None)
    monkeypatch.setattr(pz.compression, "read_header", lambda _: header)
    monkeypatch.setattr(pz, "decompress", lambda *_, **__: codes, raising=False)
    (tmp_path / "codes.pz").touch()
    assert call("decompress", tmp_path / "codes.pz", "--output", tmp_path / "shown") == 0
    np.testing.assert_array_equal(png_files(tmp_path / "shown"), parts[2](codes))


def test_it_is_exported_with_its_parts(tmp_path, monkeypatch):
    exported = {}
    monkeypatch.setattr(pz, "export", lambda model, path, **options: exported.update(options), raising=False)
    assert call("export", NAME, tmp_path / "served") == 0
    assert (exported["encoder"].name, exported["decoder"].name) == ("encoder", "decoder")


def test_what_is_inspected_is_shown_decoded(parts, file, tmp_path, monkeypatch):
    drawn = np.arange(16 * 49, dtype="uint8").reshape(16, 7, 7, 1) % 128
    monkeypatch.setattr(models.PixelModel, "generate", lambda self, count, **_: drawn)
    assert call("inspect", NAME, "--image", file, "--label", 1, "--pixel", "3,2", "--output", tmp_path / "new") == 0
    with Image.open(tmp_path / "new" / "generation.gif") as animation:
        assert animation.n_frames == 8  # before, and after each row of codes
        animation.seek(7)
        last = np.asarray(animation.convert("RGB"), int)
    assert abs(last - pictures.grid(parts[2](drawn), columns=4, levels=256)).max() <= 8  # a GIF has 256 colours


def colours_of(html):
    (encoded,) = re.findall(r"base64,([^\"]+)", html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def test_the_playground_paints_pictures(parts, asked, tmp_path, monkeypatch):
    pytest.importorskip("gradio")
    from pixel_zoo.playground.drawing import TRUE_RGB
    from pixel_zoo.playground.page import Page
    from pixel_zoo.playground.paint_canvas import painted, partly_known

    model, encode, decode = parts
    codes = encode(strokes())
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))  # the example is drawn
    monkeypatch.setattr(models.PixelModel, "generate", lambda self, count, **_: codes[:count])
    page = Page({NAME: lambda: model})
    image, (known,) = partly_known(page.choose(NAME, 0)[0], (28, 28, 1))
    assert (image == decode(codes[:1])).all() and known.sum() == 12 * 28
    known[12, 5] = True  # one pixel of a code: too few
    *_, answer = page.complete(NAME, painted(strokes()[2], known, 256), 1, 1.0, 0)
    assert (asked[0].images == encode(np.where(known[..., None], strokes()[2:3], 0).astype("uint8"))).all()
    assert (asked[0].known == (np.arange(7) < 3)[:, None]).all()
    shown = answer[3]
    assert shown.image.shape == (7, 7, 1) and len(shown.order) == 28
    assert (answer[1]["height"], answer[1]["width"]) == (7, 7) and "each code" in answer[2]
    completed = np.where(asked[0].known[..., None], asked[0].images, 5)
    assert (colours_of(answer[0]) == pictures.grid(decode(completed), 4, 256)).all()
    *_, (picture, chart) = page.step(shown, 0, False)
    side = colours_of(picture).shape[0] // 28
    framed = (colours_of(picture)[::side, ::side] == TRUE_RGB).all(axis=-1)
    # The block of the first unknown code, 4 by 4 pixels; only its border has that colour.
    assert np.argwhere(framed).min(axis=0).tolist() == [12, 0] and "row 3, column 0" in chart
    with pytest.raises(ValueError, match=r"values 0\.\.255"):
        list(page.complete(NAME, painted(strokes()[2].astype(int) + 1, known, 256), 1, 1.0, 0))


def export_coded(path, decoder):
    """A model of 2x2 codes that draws its seeds; code c stands for two pixels side by side of brightness 10 c."""
    import tensorflow as tf

    image = tf.TensorSpec((None, 2, 2, 1), tf.uint8, name="image")
    picture = tf.TensorSpec((None, 2, 4, 1), tf.uint8, name="picture")
    seed, temperature = tf.TensorSpec((None,), tf.int64, name="seed"), tf.TensorSpec((None,), tf.float32, "temperature")
    zeros = lambda image: tf.zeros(tf.shape(image)[:1])  # noqa: E731
    functions = {
        "score": (lambda image: {"log_likelihood": zeros(image), "bits_per_dim": zeros(image)}, image),
        "log_probabilities": (lambda image: {"log_probability": tf.zeros([1, 2, 2, 1, 8]) * zeros(image)}, image),
        "sample": (
            lambda seed, temperature: {
                "image": tf.cast(seed, tf.uint8)[:, None, None, None] + tf.zeros([2, 2, 1], tf.uint8),
                "log_likelihood": 0 * temperature,
            },
            seed,
            temperature,
        ),
        "encode": (lambda picture: {"image": picture[:, :, ::2] // 10}, picture),
        "decode": (lambda image: {"picture": 10 * tf.repeat(image, 2, axis=2)}, image),
    }
    if not decoder:
        del functions["decode"]
    signatures = {name: tf.function(one).get_concrete_function(*specs) for name, (one, *specs) in functions.items()}
    tf.saved_model.save(tf.Module(), str(path), signatures=signatures)
    return path


def test_pictures_of_a_server_are_decoded_there_or_refused(tmp_path, capsys):
    import serving_server

    from pixel_zoo.serving import Client

    served = {"own": [export_coded(tmp_path / "own" / "1", True)], NAME: [export_coded(tmp_path / NAME / "1", False)]}
    with serving_server.Server(served) as server:
        for address in (server.grpc, server.rest):
            with Client(address, "own") as client:
                codes = client.sample(3, seed=1)
                assert client.picture_shape == (2, 4, 1)
                assert client.decode(codes)[:, 0, 0, 0].tolist() == [10, 20, 30]
                assert (client.encode(client.decode(codes)) == codes).all()
        how = ("--server", server.grpc, "--num-images", 3, "--seed", 1, "--output")
        assert call("sample", "own", *how, tmp_path / "shown") == 0
        np.testing.assert_array_equal(png_files(tmp_path / "shown"), 10 * codes.repeat(2, axis=2))
        line = refused(capsys, "sample", NAME, *how, tmp_path / "codes.png")
        assert "model: 'mnist_vq' is served without its decoder, so pictures would show codes; export it again" in line
        assert call("sample", NAME, *how, tmp_path / "codes.npz") == 0
        with np.load(tmp_path / "codes.npz") as stored:
            np.testing.assert_array_equal(stored["images"], codes)
