"""The command line as a user meets it: what it writes, and one line for whatever is wrong."""

import errno
import io
import json
import os
import re
import struct
import subprocess
import sys
import types
import zipfile

import keras
import numpy as np
import pytest
from command_line import call, refused
from PIL import Image, ImageOps
from test_user_data import png

import pixel_zoo as pz
from pixel_zoo import data, models, training
from pixel_zoo.zoo import card, index
from pixel_zoo_cli import app
from pixel_zoo_cli.one_line_errors import sentence
from pixel_zoo_cli.options import Known, known_pixels
from pixel_zoo_cli.picture_files import read_image

RECIPE = """
from pixel_zoo.training import Recipe

tiny = Recipe(
    data="digits",
    model="PixelCNN",
    model_options={"filters": 4, "num_blocks": 1, "head_filters": 8},
    batch_size=256,
    epochs=2,
    target="none",
    source="this test",
)
other = tiny
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with recipes.py, and run/ as `pixel-zoo train` leaves it."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "recipes.py").write_text(RECIPE)
    (folder / "exits.py").write_text("import sys\nsys.exit()\n")
    changes = ["--epochs", 1, "--set", "model_options.filters=3", "--set", "learning_rate=1e-2", "--no-samples"]
    assert call("train", folder / "recipes.py", "--model", "tiny", *changes, "--output", folder / "run") == 0
    return folder


def test_train_runs_the_recipe_with_its_changes(folder):
    model = keras.models.load_model(folder / "run" / "best.keras")
    assert (type(model).__name__, model.get_config()["filters"]) == ("PixelCNN", 3)
    assert len((folder / "run" / "log.csv").read_text().splitlines()) == 2
    assert json.loads((folder / "run" / "config.json").read_text())["recipe"]["learning_rate"] == 1e-2
    assert not list((folder / "run").glob("samples*"))


@pytest.mark.parametrize(
    ("options", "asked_for"),
    [
        ([], {"steps_per_call": None, "samples": True, "resume": False, "profile": False}),
        (["--steps-per-call", 7, "--no-samples"], {"steps_per_call": 7, "samples": False}),
        (["--resume", "--profile", "--minutes", 3], {"resume": True, "profile": True, "minutes": 3}),
    ],
)
def test_options_of_train_reach_it(folder, tmp_path, monkeypatch, options, asked_for):
    asked = {}
    monkeypatch.setattr(training, "train", lambda recipe, output, **given: asked.update(given))
    assert call("train", folder / "recipes.py", "--model", "tiny", "--output", tmp_path / "new", *options) == 0
    assert {name: asked[name] for name in asked_for} == asked_for


def test_evaluate_prints_figures(folder, capsys):
    assert call("evaluate", folder / "run" / "best.keras", "--data", "digits", "--split", "test") == 0
    assert "bits/dim" in capsys.readouterr().out


RULES = ["--temperature", 0.8, "--top-k", 5, "--top-p", 0.9, "--min-p", 0.05]
SAMPLER = pz.sampling.Sampler(temperature=0.8, top_k=5, top_p=0.9, min_p=0.05)


def test_sample_draws_a_picture(folder, tmp_path):
    options = ["--num-images", 4, "--seed", 3, *RULES]
    assert call("sample", folder / "run" / "best.keras", "--output", tmp_path / "a.png", *options) == 0
    images = keras.models.load_model(folder / "run" / "best.keras").generate(4, seed=3, sampler=SAMPLER)
    with Image.open(tmp_path / "a.png") as picture:
        titles = ["seed 3", "seed 4", "seed 5", "seed 6"]
        assert picture.size == (2 * 98 + 2, 2 * (98 + 18) + 2)
        assert (np.asarray(picture) == pz.pictures.grid(images, 2, 17, titles)).all()


def test_sample_writes_arrays_or_a_folder_by_the_name_of_the_output(folder, tmp_path, monkeypatch, capsys):
    drawn = np.arange(192).reshape(3, 8, 8, 1).astype("uint8") % 17
    monkeypatch.setattr(models.PixelModel, "generate", lambda *_, **__: drawn)
    sample = ["sample", folder / "run" / "best.keras", "--num-images", 3, "--seed", 5, "--output"]
    assert call(*sample, tmp_path / "a.npz") == call(*sample, tmp_path / "many") == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert set(arrays) == {"images", "seeds", "levels"} and arrays["levels"] == 17
        assert (arrays["images"] == drawn).all() and arrays["seeds"].tolist() == [5, 6, 7]
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    with Image.open(tmp_path / "many" / "0001.png") as picture:
        assert picture.mode == "L" and (np.asarray(picture).astype("int64") * 17 // 256 == drawn[1, ..., 0]).all()
    assert "exists already" in refused(capsys, *sample, tmp_path / "many")
    models.PixelCNN((4, 4, 2), levels=3, filters=2, num_blocks=1).save(tmp_path / "two.keras")
    two = ["sample", tmp_path / "two.keras", "--output", tmp_path / "more"]
    assert "1 or 3 colours and up to 256 levels, the model has 2 and 3" in refused(capsys, *two)


def test_particles_and_sweeps_reach_the_model(folder, tmp_path, monkeypatch, capsys):
    def complete(self, images, known, **given):
        asked.update(given)
        return plain(self, images, known, **given) if given["particles"] == 1 else images

    asked, plain = {}, models.PixelModel.complete
    monkeypatch.setattr(models.PixelModel, "complete", complete)
    command = ["complete", folder / "run" / "best.keras", "--data", "digits", "--image", 3, "--known", "bottom"]
    options = ["--particles", 4, "--sweeps", 1, "--num-completions", 2]
    assert call(*command, *options, "--output", tmp_path / "a.npz") == 0
    assert (asked["particles"], asked["sweeps"]) == (4, 1)
    assert "sweeps" in refused(capsys, *command, "--sweeps", 1, "--output", tmp_path / "b.npz")


def test_a_picture_file_is_completed_where_its_mask_is_white(folder, tmp_path, monkeypatch, capsys):
    def complete(self, images, known, **options):
        asked.append((images, known))
        return np.where(known[..., None], images, 16)

    asked = []
    monkeypatch.setattr(models.PixelModel, "complete", complete)
    Image.new("RGB", (32, 16), (255, 128, 0)).save(tmp_path / "photo.jpg")
    mask = Image.new("1", (32, 16))
    mask.paste(1, (8, 0, 12, 1))  # less than the whole of two pixels of the central square
    mask.save(tmp_path / "mask.png")
    command = ["complete", folder / "run" / "best.keras", "--image", tmp_path / "photo.jpg"]
    with_mask = [*command, "--mask", tmp_path / "mask.png", "--num-completions", 2]
    assert call(*with_mask, "--output", tmp_path / "a.npz") == call(*with_mask, "--output", tmp_path / "many") == 0
    (images, known), _ = asked
    assert images.shape == (2, 8, 8, 1) and (images == 151 * 17 // 256).all()  # the luma of that orange
    assert np.argwhere(~known).tolist() == [[0, 0], [0, 1]]
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["images"].shape == (1, 2, 8, 8, 1) and arrays["seeds"].tolist() == [[0, 1]]
        assert (arrays["originals"] == images[:1]).all() and (arrays["known"] == known).all()
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["0000-00.png", "0000-01.png"]
    assert call(*command, "--mask", tmp_path / "mask.png", "--output", tmp_path / "a.png") == 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (6 * 98 + 2, 98 + 18 + 2)
    Image.new("1", (31, 16)).save(tmp_path / "other.png")
    for wrong, said in [
        (["--mask", tmp_path / "other.png"], "mask: must be 32 x 16 or 8 x 8 pixels (width x height), got 31 x 16"),
        (["--mask", tmp_path / "none.png"], "mask: there is no file"),
        (["--mask", tmp_path / "mask.png", "--known", "top"], "give --known or --mask, not both"),
        (["--num-completions", 0], "num_completions must be an integer of at least 1, got 0"),
    ]:
        assert said in refused(capsys, *command, *wrong, "--output", tmp_path / "b.png")


def test_a_picture_is_bounded_before_it_is_decoded(tmp_path, monkeypatch):
    model = types.SimpleNamespace(image_shape=(4, 4, 1), levels=256)
    (tmp_path / "deep.png").write_bytes(png(np.full((4, 4, 3), 4095), colour_type=2))
    with pytest.raises(ValueError, match=r"image: .*deep.png' has values of more than 8 bits"):
        read_image(tmp_path / "deep.png", model)
    # 16 bits a pixel, 5 or 6 a colour.
    header = struct.pack("<IHHI", 74, 0, 0, 66) + struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, 8, 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(b"BM" + header + struct.pack("<III", 0xF800, 0x07E0, 0x001F) + b"\xff" * 8)
    assert (read_image(tmp_path / "a.bmp", model) == 255).all()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15_000)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda self: pytest.fail("decoded"))
    smooth = Image.linear_gradient("L").resize((208, 104))
    smooth.save(tmp_path / "large.png")
    with pytest.raises(ValueError, match=r"large.png' cannot be read: 208 x 104 pixels, more than the 15,000 of"):
        read_image(tmp_path / "large.png", model)
    smooth.save(tmp_path / "large.jpg")
    expected = ImageOps.fit(smooth, (4, 4), Image.Resampling.LANCZOS)
    np.testing.assert_allclose(read_image(tmp_path / "large.jpg", model)[0, ..., 0], np.asarray(expected), atol=2)


def test_complete_shows_the_known_half_to_the_model(folder, tmp_path, monkeypatch):
    def complete(self, images, known, **options):
        asked.update(options, count=len(images), known=known)
        return images * known[..., None]

    asked = {}
    monkeypatch.setattr(models.PixelModel, "complete", complete)
    options = ["--data", "digits", "--known", "left", "--num-completions", 2, *RULES, "--seed", 9]
    assert call("complete", folder / "run" / "best.keras", "--output", tmp_path / "a.png", *options) == 0
    assert (asked["count"], asked["sampler"], asked["seed"]) == (12, SAMPLER, 9)
    assert (asked["known"] == known_pixels(Known.left, 8, 8)).all()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (4 * 98 + 2, 6 * 98 + 18 + 2)


def test_the_help_of_complete_names_its_limit(capsys):
    assert call("complete", "--help") == 0
    limit = "a known pixel that comes after an unknown one in raster order has no influence on it; "
    assert limit + "with --particles 64 it has." in " ".join(capsys.readouterr().out.split())


def test_inspect_shows_the_pixel_asked_for(folder, tmp_path, capsys, monkeypatch):
    def inspect(model, images, output, pixel, seed, labels, codec):
        asked.append((images, pixel, seed, labels))
        output.mkdir(exist_ok=True)
        (output / "a.png").touch()

    asked = []
    monkeypatch.setattr(training, "inspect", inspect)
    command = ["inspect", folder / "run" / "best.keras", "--output", tmp_path / "new"]
    assert call(*command, "--data", "digits", "--pixel", "3,4", "--seed", 2) == 0
    assert call(*command, "--data", "digits", "--image", 7) == 0
    Image.new("RGB", (30, 20), (255, 128, 0)).save(tmp_path / "photo.jpg")
    assert call(*command, "--image", tmp_path / "photo.jpg") == 0
    spread, one, photo = asked
    assert (len(spread[0]), *spread[1:]) == (6, (3, 4), 2, None)
    assert (one[0] == data.arrays("digits", "test")[[7]]).all() and one[1:] == (None, 0, None)
    assert photo[0].shape == (1, 8, 8, 1) and (photo[0] == 151 * 17 // 256).all()  # the luma of that orange
    assert str(tmp_path / "new" / "a.png") in capsys.readouterr().out


def test_inspect_gives_a_conditional_model_the_labels_of_the_set(tmp_path, monkeypatch):
    asked, path = [], tmp_path / "conditional.keras"
    models.PixelCNN((8, 8, 1), levels=17, filters=2, num_blocks=1, num_classes=10).save(path)
    monkeypatch.setattr(training, "inspect", lambda *_, labels, **__: asked.append(labels))
    command = ["inspect", path, "--data", "digits", "--output", tmp_path]
    assert call(*command, "--image", 7) == call(*command, "--image", 7, "--label", 3) == 0
    assert asked == [data.labels("digits", "test")[[7]], 3]


def test_labels_reach_the_model(folder, tmp_path, monkeypatch, capsys):
    def generate(self, num_images, labels, **options):
        asked.append(labels)
        return np.zeros((num_images, 8, 8, 1), "uint8")

    def complete(self, images, known, labels, **options):
        asked.append(list(labels) if np.ndim(labels) else labels)
        return images

    asked, path = [], tmp_path / "conditional.keras"
    models.PixelCNN((8, 8, 1), levels=17, filters=2, num_blocks=1, num_classes=10).save(path)
    assert call("evaluate", path, "--data", "digits") == 0
    monkeypatch.setattr(models.PixelModel, "generate", generate)
    monkeypatch.setattr(models.PixelModel, "complete", complete)
    sample = ["sample", path, "--num-images", 2, "--output"]
    assert call(*sample, tmp_path / "a.png", "--label", 3) == 0
    assert call(*sample, tmp_path / "b.png", "--label", 3, "--label", 4) == 0
    complete_ = ["complete", path, "--data", "digits", "--num-completions", 2, "--output"]
    assert call(*complete_, tmp_path / "c.png", "--label", 3) == 0
    assert call(*complete_, tmp_path / "d.png") == 0
    labels = data.labels("digits", "test")
    of_the_set = [int(labels[index]) for index in np.linspace(0, 299, 6).astype(int) for _ in range(2)]
    assert asked == [3, [3, 4], 3, of_the_set]
    monkeypatch.undo()
    assert "labels must be given: 0..9" in refused(capsys, *sample, tmp_path / "e.png")
    plain = ["sample", folder / "run" / "best.keras", "--output", tmp_path / "e.png", "--label", 3]
    assert "labels: the model takes none" in refused(capsys, *plain)


def test_known_pixels_of_each_kind():
    half = {known: known_pixels(known, 4, 4) for known in Known}
    assert half[Known.top].tolist() == [[True] * 4] * 2 + [[False] * 4] * 2
    assert (half[Known.bottom] == ~half[Known.top]).all()
    assert (half[Known.left] == half[Known.top].T).all()
    assert (half[Known.right] == ~half[Known.left]).all()
    assert np.argwhere(~half[Known.border]).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is written by TensorFlow")
def test_export_writes_a_version(folder, tmp_path, capsys):
    assert call("export", folder / "run" / "best.keras", tmp_path / "served", "--version", 3) == 0
    assert (tmp_path / "served" / "3" / "saved_model.pb").exists()
    assert str(tmp_path / "served" / "3") in refused(
        capsys, "export", folder / "run" / "best.keras", tmp_path / "served", "--version", 3
    )


def test_list_shows_pretrained_models_first(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert call("list") == 0
    shown = capsys.readouterr().out
    places = [shown.index(name) for name in ("digits_pixel_cnn", "Architectures: ", "binarized_mnist ")]
    assert places == sorted(places) and all(name in shown for name in ("PixelCNN", "PixelRNN"))
    name = "digits_class_conditional"
    assert card.nats(index.read_index()[name]) in shown and shown.count("PixelCNN 3x32 given the label") == 1


def test_list_has_whole_names_and_figures_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert call("list") == 0
    shown = [re.split(r"\s*│\s*", line) for line in capsys.readouterr().out.splitlines()]
    assert all([name, card.nats(entry)] in [row[1:3] for row in shown] for name, entry in index.read_index().items())


def test_a_terminal_without_a_plus_minus_sign_shows_figures(folder, monkeypatch):
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)
    assert call("evaluate", folder / "run" / "best.keras", "--data", "digits") == call("list") == 0
    ascii_only.seek(0)
    assert ascii_only.read().count(" +/- ") == 1 + len(pz.pretrained_names())


TRAIN = "train {folder}/recipes.py --output {new} "
SAMPLE = "sample {model} --output {new}.png "
INSPECT = "inspect {model} --data digits --output {new} "


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train {new}.py --output {new}", "no file"),
        ("train minst --output {new}", "did you mean 'mnist'?"),
        ("train mnist:row_lstn --output {new}", "did you mean 'row_lstm'?"),
        ("recipes --copy minst {new}", "did you mean 'mnist'?"),
        (TRAIN + "--model huge", "recipes.py must be one of tiny, other, got 'huge'"),
        (TRAIN, "holds several recipes; name one of "),
        (TRAIN + "--model tiny --set lr=3", "'lr'"),
        (TRAIN + "--model tiny --set data=digitz", "digitz"),
        (TRAIN + "--model tiny --set model_options.filters=0", "filters"),
        (TRAIN + "--model tiny --minutes 0", "minutes"),
        (TRAIN + "--model tiny --steps-per-call 0", "steps_per_call must be an integer of at least 1, got 0"),
        ("train {folder}/exits.py --output {new}", "SystemExit"),
        ("train {folder}/recipes.py --model tiny --output {folder}/run", "already holds files"),
        ("sample {new}.keras --output {new}.png", "no file"),
        ("sample no_such_name --output {new}.png", "no_such_name"),
        ("sample digits_gate --output {new}.png", "did you mean 'digits_gated'?"),
        (SAMPLE + "--temperature -1", "temperature"),
        (SAMPLE + "--top-p 2", "top_p"),
        (SAMPLE + "--min-p -1", "min_p must lie in [0, 1], got -1.0"),
        (SAMPLE + "--server host:1 --top-k 0", "top_k must be an integer of at least 1, got 0"),
        ("complete {model} --data digits --output {new}.png --min-p 2", "min_p must lie in [0, 1], got 2.0"),
        (SAMPLE + "--num-images 0", "num_images"),
        (SAMPLE + f"--num-images 2 --seed {2**63 - 1}", "seeds of all 2 images must lie in"),
        ("sample {model} --output {new}.gif", "must end in .png or .npz, or be the name of a new folder"),
        ("complete {model} --output {new}.png", "name a data set (--data), or a picture file"),
        ("sample {model} --output {new}/new.png", "not a directory that can be written"),
        ("evaluate {model} --data no_such_data", "no_such_data"),
        ("evaluate {model} --data digits --split no_such_split", "no_such_split"),
        (INSPECT + "--pixel 3;4", "whole numbers with commas"),
        (INSPECT + "--pixel 9,9", "in 0..7, 0..7, 0..0, got (9, 9)"),
        (INSPECT + "--split no_such_split", "no_such_split"),
        (INSPECT + "--image 99999", "image must be an index below 300"),
        (INSPECT + "--image {new}.png", "there is no file"),
        (INSPECT + "--image {model}", "is not a picture of one of PNG, "),
        ("inspect {model} --output {new}", "name a data set (--data), or a picture file"),
        ("inspect {model} --data digits --output {folder}/run", "already holds files"),
        ("export {model} {model}/served", "is no writable directory"),
    ],
)
def test_bad_input_is_one_line(folder, tmp_path, capsys, command, said):
    places = {"folder": folder, "model": folder / "run" / "best.keras", "new": tmp_path / "new"}
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    assert said in refused(capsys, *(word.format(**places) for word in command.split()))
    assert not list(tmp_path.iterdir())
    assert {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()} == before


def test_an_existing_picture_is_not_replaced(folder, tmp_path, capsys, monkeypatch):
    def generate(self, *_, **__):
        (tmp_path / "appeared.png").write_text("theirs")
        return np.zeros((1, 8, 8, 1), "uint8")

    (tmp_path / "old.png").write_text("precious")
    monkeypatch.setattr(models.PixelModel, "generate", generate)
    for name in ("old", "appeared"):
        sample = ["sample", folder / "run" / "best.keras", "--output", tmp_path / f"{name}.png", "--num-images", 1]
        assert "exists already" in refused(capsys, *sample)
    assert (tmp_path / "old.png").read_text() == "precious" and (tmp_path / "appeared.png").read_text() == "theirs"


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda content: content[:2000], "cut short"),
        (lambda content: b"", "cut short"),
        (lambda content: content[:200] + bytes(200) + content[400:], "damaged.keras"),
    ],
    ids=["cut", "empty", "overwritten"],
)
def test_a_damaged_model_is_one_line(folder, tmp_path, capsys, keep, said):
    (tmp_path / "damaged.keras").write_bytes(keep((folder / "run" / "best.keras").read_bytes()))
    assert said in refused(capsys, "evaluate", tmp_path / "damaged.keras", "--data", "digits")


def test_a_file_that_cannot_be_read_is_not_called_cut_short(folder, capsys, monkeypatch):
    def unreadable(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", unreadable)
    said = refused(capsys, "evaluate", folder / "run" / "best.keras", "--data", "digits")
    assert "cannot be read: Permission denied" in said


def test_a_keras_model_of_another_kind_is_one_line(tmp_path, capsys):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "plain.keras")
    command = ["sample", tmp_path / "plain.keras", "--output", tmp_path / "a.png"]
    assert "holds a Sequential, which is not a model of pixel_zoo" in refused(capsys, *command)
    layer = keras.layers.Dense(1)
    layer.build((None, 2))
    keras.saving.save_model(layer, tmp_path / "layer.keras")
    assert "layer.keras" in refused(capsys, "sample", tmp_path / "layer.keras", "--output", tmp_path / "a.png")


@pytest.mark.parametrize(
    ("written", "huge", "said"),
    [
        ('"num_blocks": 1', '"num_blocks": 1000000000', "num_blocks=1000000000"),
        ('"embedding_dim": null', '"embedding_dim": 100000000000', "up to 100000000000 features"),
        ('"conditioning_dim": null', '"conditioning_dim": 100000000000', "up to 100000000000 features"),
    ],
)
def test_a_file_that_describes_a_huge_model_is_not_built(folder, tmp_path, capsys, written, huge, said):
    with zipfile.ZipFile(folder / "run" / "best.keras") as before, zipfile.ZipFile(tmp_path / "a.keras", "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "config.json":
                assert written.encode() in content
                content = content.replace(written.encode(), huge.encode())
            after.writestr(name, content)
    error = refused(capsys, "evaluate", tmp_path / "a.keras", "--data", "digits")
    assert "too few for the model that it describes" in error and said in error


def test_weights_that_are_no_numbers_are_refused(folder, tmp_path, capsys):
    model = keras.models.load_model(folder / "run" / "best.keras")
    model.get_layer("head1").bias.assign(np.full(8, np.nan))
    model.save(tmp_path / "nan.keras")
    new = tmp_path / "new"
    for command, *options in [
        ("evaluate", "--data", "digits"),
        ("sample", "--output", tmp_path / "new.png"),
        ("complete", "--data", "digits", "--output", tmp_path / "new.png"),
        ("inspect", "--data", "digits", "--output", new),
        ("export", new),
    ]:
        said = refused(capsys, command, tmp_path / "nan.keras", *options)
        assert "has weights that are NaN or infinite, such as head1/bias; the training diverged" in said
    assert [path.name for path in tmp_path.iterdir()] == ["nan.keras"]
    with pytest.raises(ValueError, match="log-likelihood of 300 of 300 images is not finite, such as nan"):
        training.evaluate(model, "digits")


def test_what_an_engine_raises_is_one_line(folder, tmp_path, capsys, monkeypatch):
    def generate(self, *_, **__):
        raise raised[-1]

    raised = []
    monkeypatch.setattr(models.PixelModel, "generate", generate)
    sample = ["sample", folder / "run" / "best.keras", "--output", tmp_path / "a.png"]
    for error in _exhausted():
        raised.append(error)
        assert "out of memory: work with fewer images at once" in refused(capsys, *sample)
    for error in (EOFError("no data left"), zipfile.BadZipFile("no end")):
        raised.append(error)
        assert "damaged or cut short" in refused(capsys, *sample)
    raised.append(KeyError("a mistake of this program"))
    with pytest.raises(KeyError):
        app([str(argument) for argument in sample], standalone_mode=False)
    assert sentence(OSError(errno.ENOSPC, "No space left on device")) == "[Errno 28] No space left on device"


def _exhausted():
    """What is raised when memory is exhausted, by Python and by the engine."""
    yield MemoryError()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        yield tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9]\n[Op:Mul]")
    else:
        import jax

        yield jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")


def in_a_fresh_process(program, *arguments):
    """Run Python as a user's shell does, where nothing asks TensorFlow to be silent; returns what it did."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, *program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, "evaluate"),
        (["--version"], 0, f"pixel-zoo {pz.__version__}\n"),
        (["--show-completion", "bash"], 0, "complete -o default"),
        (["evaluate", "--help"], 0, "--split"),
        (["evaluate", "--modle"], 2, "No such option ... --modle"),
        (["evaluate", "none.keras", "--data", "digits"], 2, "there is no file 'none.keras'"),
        (["sample", "no_such_name", "--output", "a.gif"], 2, "must end in .png"),
        (["playground", "--port", "99999"], 2, "65535"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_needs_no_model_does_not_wait_for_keras(arguments, code, said, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")  # the shell is named, not the test's parent
    program = "import sys; sys.modules['keras'] = None; import pixel_zoo_cli; pixel_zoo_cli.app()"  # None: can't import
    done = in_a_fresh_process(["-c", program], *arguments)
    assert done.returncode == code
    for part in said.split(" ... "):  # what stands between them differs among versions of Click
        assert part in done.stdout + done.stderr, done.stderr


def test_completion_offers_pretrained_models_and_recipes():
    from pixel_zoo_cli.installed import pretrained_names, recipe_names

    assert pretrained_names() == pz.pretrained_names()
    assert "mnist" in recipe_names()


TWO_COMMANDS = """
import sys
from pixel_zoo_cli import app
bad, good = sys.argv[1].split(), sys.argv[2:]
for arguments in (bad, good):
    try:
        app(arguments)
    except SystemExit as end:
        print(end.code)
"""


@pytest.mark.slow
def test_tensorflow_adds_no_notes_of_its_own(folder, tmp_path):
    """Bad input is one line of a fresh process too, and a command that works writes nothing but its result."""
    command = ["sample", str(folder / "run" / "best.keras"), "--num-images", "1", "--output", str(tmp_path / "a.png")]
    done = in_a_fresh_process(["-c", TWO_COMMANDS], "evaluate no_such_name --data digits", *command)
    assert (done.returncode, done.stdout) == (0, f"2\n{tmp_path / 'a.png'}\n0\n"), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("pixel-zoo: name") and "'no_such_name'" in line
