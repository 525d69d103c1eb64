"""The command line as a user meets it: what it writes, and one line for whatever is wrong."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from pixel_zoo import data, models, training
from pixel_zoo_cli import Known, app, known_pixels

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
    blank = np.zeros((16, 8, 8, 1), "uint8")
    folder = tmp_path_factory.mktemp("cli")
    (folder / "recipes.py").write_text(RECIPE)
    changes = ["--epochs", 1, "--set", "model_options.filters=3", "--set", "learning_rate=1e-2"]
    with pytest.MonkeyPatch.context() as patch:  # compiling the sampling takes longer than training
        patch.setattr(models.PixelModel, "generate", lambda self, num_images, seed, labels: blank)
        assert call("train", folder / "recipes.py", "--model", "tiny", *changes, "--output", folder / "run") == 0
    return folder


def call(*arguments):
    """Run the command line in this process; returns its exit code."""
    with pytest.raises(SystemExit) as stop:
        app([str(argument) for argument in arguments])
    return stop.value.code


def refused(capsys, *arguments):
    """Run a command that must be refused; returns its one line."""
    capsys.readouterr()
    assert call(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("pixel-zoo: "), error
    return error


def test_train_runs_the_recipe_with_its_changes(folder):
    model = keras.models.load_model(folder / "run" / "best.keras")
    assert (type(model).__name__, model.get_config()["filters"]) == ("PixelCNN", 3)
    assert len((folder / "run" / "log.csv").read_text().splitlines()) == 2
    assert json.loads((folder / "run" / "config.json").read_text())["recipe"]["learning_rate"] == 1e-2


def test_evaluate_prints_figures(folder, capsys):
    assert call("evaluate", folder / "run" / "best.keras", "--data", "digits", "--split", "test") == 0
    assert "bits/dim" in capsys.readouterr().out


def test_sample_draws_a_picture(folder, tmp_path):
    options = ["--num-images", 4, "--seed", 3, "--top-k", 5, "--top-p", 0.9, "--temperature", 0.8]
    assert call("sample", folder / "run" / "best.keras", "--output", tmp_path / "a.png", *options) == 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (134, 134)


def test_complete_shows_the_known_half_to_the_model(folder, tmp_path, monkeypatch):
    def complete(self, images, known, **options):
        asked.update(options, count=len(images), known=known)
        return images * known[..., None]

    asked = {}
    monkeypatch.setattr(models.PixelModel, "complete", complete)
    options = ["--data", "digits", "--known", "left", "--num-completions", 2, "--temperature", 0.5, "--seed", 9]
    assert call("complete", folder / "run" / "best.keras", "--output", tmp_path / "a.png", *options) == 0
    assert (asked["count"], asked["temperature"], asked["seed"]) == (12, 0.5, 9)
    assert (asked["known"] == known_pixels(Known.left, 8, 8)).all()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (4 * 66 + 2, 6 * 66 + 2)


def test_inspect_shows_the_pixel_asked_for(folder, tmp_path, capsys, monkeypatch):
    def inspect(model, images, output, pixel, seed):
        asked.append((len(images), pixel, seed))
        output.mkdir()
        (output / "a.png").touch()

    asked = []
    monkeypatch.setattr(training, "inspect", inspect)
    options = ["--data", "digits", "--pixel", "3,4", "--seed", 2]
    assert call("inspect", folder / "run" / "best.keras", "--output", tmp_path / "new", *options) == 0
    assert asked == [(6, (3, 4), 2)]
    assert str(tmp_path / "new" / "a.png") in capsys.readouterr().out


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


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is written by TensorFlow")
def test_export_writes_a_version(folder, tmp_path, capsys):
    assert call("export", folder / "run" / "best.keras", tmp_path / "served", "--version", 3) == 0
    assert (tmp_path / "served" / "3" / "saved_model.pb").exists()
    assert str(tmp_path / "served" / "3") in refused(
        capsys, "export", folder / "run" / "best.keras", tmp_path / "served", "--version", 3
    )


def test_list_names_data_sets_and_architectures(capsys):
    assert call("list") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("digits", "binarized_mnist", "PixelCNN", "PixelRNN"))


def test_bad_input_is_one_line(folder, tmp_path, capsys):
    recipes, model = folder / "recipes.py", folder / "run" / "best.keras"
    new = tmp_path / "new"
    png = tmp_path / "new.png"

    assert "no file" in refused(capsys, "train", tmp_path / "none.py", "--output", new)
    assert "holds tiny, other, got 'huge'" in refused(capsys, "train", recipes, "--model", "huge", "--output", new)
    assert "holds tiny, other, got None" in refused(capsys, "train", recipes, "--output", new)
    wrong = ["--model", "tiny", "--output", new, "--set"]
    assert "no field 'lr'" in refused(capsys, "train", recipes, *wrong, "lr=3")
    assert "digitz" in refused(capsys, "train", recipes, *wrong, "data=digitz")
    assert "'filters'" not in refused(capsys, "train", recipes, *wrong, "model_options.filters=0")
    assert "minutes" in refused(capsys, "train", recipes, "--model", "tiny", "--output", new, "--minutes", 0)
    assert not new.exists()

    def files():
        return {path: path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file()}

    before = files()
    assert "already holds files" in refused(capsys, "train", recipes, "--model", "tiny", "--output", folder / "run")
    assert files() == before

    cut = tmp_path / "cut.keras"
    cut.write_bytes(model.read_bytes()[:2000])
    assert "cut short" in refused(capsys, "sample", cut, "--output", png)
    assert "no file" in refused(capsys, "sample", tmp_path / "none.keras", "--output", png)
    assert "no_such_name" in refused(capsys, "sample", "no_such_name", "--output", png)
    assert "no_such_data" in refused(capsys, "evaluate", model, "--data", "no_such_data")
    assert "no_such_split" in refused(capsys, "evaluate", model, "--data", "digits", "--split", "no_such_split")
    assert "temperature" in refused(capsys, "sample", model, "--output", png, "--temperature", -1)
    assert "top_p" in refused(capsys, "sample", model, "--output", png, "--top-p", 2)
    assert "num_images" in refused(capsys, "sample", model, "--output", png, "--num-images", 0)
    assert "must end in .png" in refused(capsys, "sample", model, "--output", tmp_path / "new.gif")
    assert "no directory" in refused(capsys, "sample", model, "--output", tmp_path / "none" / "new.png")
    assert not png.exists()

    png.write_text("precious")
    assert "exists already" in refused(capsys, "sample", model, "--output", png)
    assert png.read_text() == "precious"


def test_bad_input_of_inspect_is_one_line(folder, tmp_path, capsys):
    new = tmp_path / "new"
    inspect = ["inspect", folder / "run" / "best.keras", "--data", "digits", "--output"]
    assert "whole numbers with commas" in refused(capsys, *inspect, new, "--pixel", "3;4")
    assert "in 0..7, 0..7, 0..0, got (9, 9)" in refused(capsys, *inspect, new, "--pixel", "9,9")
    assert "already holds files" in refused(capsys, *inspect, folder / "run")
    assert "no_such_split" in refused(capsys, *inspect, new, "--split", "no_such_split")
    assert not new.exists()


def test_a_damaged_model_is_one_line(folder, tmp_path, capsys):
    damaged = tmp_path / "damaged.keras"
    content = bytearray((folder / "run" / "best.keras").read_bytes())
    content[200:400] = bytes(200)
    damaged.write_bytes(content)
    assert "damaged.keras" in refused(capsys, "evaluate", damaged, "--data", "digits")


def in_a_fresh_process(program, *arguments):
    """Run Python as a user's shell does, where nothing asks TensorFlow to be silent; returns what it did."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, *program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_bad_input_is_one_line_of_a_fresh_process_too():
    """TensorFlow, which is loaded by then, adds no notes of its own."""
    done = in_a_fresh_process(["-m", "pixel_zoo_cli"], "evaluate", "no_such_name", "--data", "digits")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("pixel-zoo: name must be one of ") and "'no_such_name'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, "evaluate"),
        (["evaluate", "--help"], 0, "--split"),
        (["evaluate", "--modle"], 2, "No such option: --modle"),
        (["evaluate", "none.keras", "--data", "digits"], 2, "there is no file 'none.keras'"),
        (["sample", "no_such_name", "--output", "a.gif"], 2, "must end in .png"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_needs_no_model_does_not_wait_for_keras(arguments, code, said):
    program = "import sys; sys.modules['keras'] = None; import pixel_zoo_cli; pixel_zoo_cli.app()"  # None: can't import
    done = in_a_fresh_process(["-c", program], *arguments)
    assert done.returncode == code and said in done.stdout + done.stderr, done.stderr
