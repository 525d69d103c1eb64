"""The examples of docs/extending.md run, in order, in one folder; and what can go wrong with additions."""

import dataclasses
import functools
import json
import pathlib
import re
import shlex
import sys

import keras
import numpy as np
import pytest

import pixel_zoo as pz
from pixel_zoo import data, models
from pixel_zoo.checks import did_you_mean, one_of
from pixel_zoo.training import Recipe, load_recipes, override, train
from pixel_zoo.training.set_up import build_model
from pixel_zoo.zoo import card
from pixel_zoo.zoo.command import training_command
from pixel_zoo_cli import app

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "extending.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder, the current one; its modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.mark.slow
def test_the_page_runs(folder):
    sys.path.insert(0, str(folder))  # as for `python FILE`
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 8
    for kind, text in blocks:
        name = re.match(r"# (my_\w+\.py)\n", text)
        if name:
            (folder / name[1]).write_text(text)
        elif kind == "python":
            if "tensorflow" not in text or keras.backend.backend() == "tensorflow":
                exec(compile(text, "docs/extending.md", "exec"), {})
        else:
            for command in text.splitlines():
                program, *arguments = shlex.split(command)
                assert program == "pixel-zoo"
                with pytest.raises(SystemExit) as stop:
                    app(arguments)
                assert stop.value.code == 0, command
    recipe = json.loads((folder / "runs" / "narrow" / "config.json").read_text())["recipe"]
    assert (recipe["model"], recipe["data"]) == ("my_nets:weight_normalized_net", "my_data:stripes")
    assert recipe["data_options"] == {"period": 2}


# --- objects in a recipe ---


def net(image_shape, levels, filters=2):
    """An architecture of a user's."""
    return models.PixelCNN(image_shape, levels, filters=filters, num_blocks=1, head_filters=2)


class Net(models.PixelCNN):
    """An architecture that is a class."""


DOTS = data.DataSet(
    name="dots",
    image_shape=(8, 8, 1),
    levels=3,
    splits={"train": 20, "validation": 4, "test": 4},
    description="Random dots.",
    source="nobody",
    read=lambda split: np.random.RandomState(0).randint(3, size=(DOTS.splits[split], 8, 8, 1)).astype("uint8"),
    classes=2,
    read_labels=lambda split: np.arange(DOTS.splits[split]) % 2,
)
TINY = Recipe(data=DOTS, model=net, batch_size=4, epochs=1)


def test_a_run_of_objects_is_recorded_by_name_and_resumed(tmp_path):
    train(TINY, tmp_path, samples=False, verbose=0)
    recorded = json.loads((tmp_path / "config.json").read_text())["recipe"]
    assert (recorded["data"], recorded["model"]) == ("dots", f"{__name__}:net")
    assert f"{__name__}:net ()" in (tmp_path / "report.md").read_text()
    train(TINY, tmp_path, resume=True, samples=False, verbose=0)
    for change in ({"model": "PixelCNN"}, {"data": dataclasses.replace(DOTS, name="spots")}):
        with pytest.raises(ValueError, match="resume: the run was started with"):
            train(dataclasses.replace(TINY, **change), tmp_path, resume=True, samples=False, verbose=0)


@pytest.mark.parametrize(
    "model, name",
    [(models.PixelCNN, "PixelCNN"), ("PixelCNN", "PixelCNN"), (Net, f"{__name__}:Net"), (f"{__name__}:Net",) * 2],
)
def test_a_model_is_a_name_a_class_or_text(model, name):
    options = {"filters": 2, "num_blocks": 1, "head_filters": 2, "num_classes": 2}
    recipe = dataclasses.replace(TINY, model=model, model_options=options)
    assert recipe.to_dict()["model"] == name
    assert isinstance(build_model(recipe), models.PixelCNN)


def test_numbers_of_numpy_are_recorded_as_numbers():
    recipe = dataclasses.replace(TINY, learning_rate=np.float32(0.5), model_options={"filters": np.int64(3)})
    assert (recipe.to_dict()["learning_rate"], recipe.to_dict()["model_options"]) == (0.5, {"filters": 3})


def no_levels(image_shape, width):
    return None


def no_model(image_shape, levels):
    return keras.Sequential()


def wrong_shape(image_shape, levels):
    return net((4, 4, 1), levels)


def with_vector(image_shape, levels, length):
    return models.PixelCNN(image_shape, levels, filters=2, num_blocks=1, head_filters=2, conditioning_dim=length)


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"model": "my_nowhere:Net"}, ValueError, "model: there is no module 'my_nowhere', .* got 'my_nowhere:Net'"),
        ({"model": f"{__name__}:nett"}, ValueError, r"model: did you mean 'net'\? .* has no 'nett'"),
        ({"model": "keras:layers:x"}, ValueError, "model must read 'package.module:name', got 'keras:layers:x'"),
        ({"model": "keras:__version__"}, TypeError, "model must be a name, a class or a function, got '3."),
        ({"model": 3}, TypeError, "model must be a name, a class or a function, got 3"),
        ({"model": functools.partial(net)}, TypeError, "model must be a class or a function that has a name"),
        ({"model": no_levels}, ValueError, "no_levels must take image_shape and levels, but has no levels"),
        ({"model": with_vector}, ValueError, "model_options: .*:with_vector needs length"),
        ({"model_options": {"filter": 3}}, ValueError, r"did you mean 'filters'\? .*:net takes filters, got 'filter'"),
        ({"model_options": {"filters": print}}, TypeError, "model_options must hold values that JSON can hold"),
        ({"data": dataclasses.replace(DOTS, name="mnist")}, ValueError, "'mnist' is a data set of the package"),
        ({"data": 3}, TypeError, "data must be a name, a DataSet, or a function that returns one, got 3"),
        ({"data": "keras:__version__"}, TypeError, "data must be a name, a DataSet, or a function"),
    ],
)
def test_bad_additions_are_named_when_the_recipe_is_made(change, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(TINY, **change)


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"model": no_model}, TypeError, "no_model must return a model of pixel_zoo.models, got Sequential"),
        (
            {"model": wrong_shape},
            ValueError,
            r"wrong_shape must be of images \(8, 8, 1\) with 3 levels, .* got \(4, 4, 1\)",
        ),
        (
            {"model": with_vector, "model_options": {"length": 2}},
            ValueError,
            "with_vector takes 'vector' with each image, but no data set has it",
        ),
        (
            {"data": dataclasses.replace(DOTS, splits={"train": 20, "validation": 0, "test": 4})},
            ValueError,
            "the validation split of dots is empty, as nobody holds too few images",
        ),
        (
            {"accumulation_steps": 6},
            ValueError,
            "accumulation_steps must be at most 5, .* got 6",
        ),
        (
            {"data": lambda: DOTS, "model_options": {"num_classes": 3}, "model": "PixelCNN"},
            ValueError,
            "model_options: dots has 2 classes, got num_classes=3",
        ),
    ],
)
def test_what_cannot_be_trained_is_named_before_a_folder_is_written(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        train(dataclasses.replace(TINY, **change), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_a_module_that_fails_is_named(folder):
    (folder / "my_broken.py").write_text("import my_missing\n")
    with pytest.raises(ValueError, match="'my_broken' fails when imported: ModuleNotFoundError: No module named 'my_m"):
        override(TINY, "model=my_broken:Net")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"image_shape": (8, 8)}, r"image_shape must be \(height, width, channels\), got \(8, 8\)"),
        ({"image_shape": (8, 8, 0)}, "each size in image_shape must be an integer of at least 1, got 0"),
        ({"levels": 1}, "levels must be at least 2, got 1"),
        ({"splits": {"train": 3}}, "splits must count the images of train, validation, test, got {'train': 3}"),
        ({"classes": None}, "classes and read_labels belong together"),
    ],
)
def test_a_data_set_names_what_is_wrong_with_it(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(DOTS, **change)


def test_values_and_labels_of_a_data_set_are_checked_when_they_are_read():
    many = dataclasses.replace(DOTS, levels=300, read=lambda split: np.full((4, 8, 8, 1), -1, "int32"))
    with pytest.raises(ValueError, match=r"must be int32 .* of values 0 to 299, got int32 .* of values -1 to -1"):
        data.arrays(many, "test")
    for labels in ([0, 1, 2, 1], [0, -1, 1, 1], [0, 1], [0.0, 1.0, 1.0, 1.0]):
        with pytest.raises(ValueError, match="the labels of dots must be 4 integers 0 to 1 in the test split, got "):
            data.labels(dataclasses.replace(DOTS, read_labels=lambda split, labels=labels: labels), "test")


def test_an_array_of_a_user_can_still_be_written():
    stored = np.zeros((4, 8, 8, 1), "uint8")
    read = data.arrays(dataclasses.replace(DOTS, read=lambda split: stored), "test")
    stored[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        read[0] = 1


# --- cards and commands ---


def test_the_command_of_an_outsider_s_run_is_found_and_its_card_can_be_written(folder):
    (folder / "my_net.py").write_text("from pixel_zoo.models import PixelCNN\n\nclass MyNet(PixelCNN):\n    pass\n")
    (folder / "my_recipes.py").write_text(
        "from my_net import MyNet\nfrom pixel_zoo.training import Recipe\nmine = Recipe(data='digits', model=MyNet)\n"
    )
    recorded = load_recipes(folder / "my_recipes.py")["mine"].to_dict() | {"epochs": 3}
    command, _ = training_command(Recipe(**recorded), folder, "runs/a")  # my_net.py holds no recipe
    assert command.endswith("my_recipes.py --model mine --set epochs=3 --output runs/a")
    assert card.architecture({"recipe": recorded}) == "MyNet"
    assert card.architecture({"recipe": recorded | {"model": "my_absent:Other"}}) == "Other"


def test_a_recipe_file_that_exits_is_an_error(folder):
    (folder / "my_exit.py").write_text("import sys\n\nsys.exit(0)\n")
    with pytest.raises(ValueError, match=r"my_exit.py' fails in line 3: SystemExit"):
        load_recipes(folder / "my_exit.py")


# --- suggestions ---


def test_the_closest_name_is_suggested_whatever_its_case():
    assert did_you_mean("pixelcnn", ["GatedPixelCNN", "PixelCNN"]) == "did you mean 'PixelCNN'? "
    assert did_you_mean("zebra", ["GatedPixelCNN", "PixelCNN"]) == did_you_mean(3, ["3"]) == ""
    assert one_of("x", 3, [3, 4]) == 3


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda: override(TINY, "epohcs=3"), r"set: did you mean 'epochs'\? a recipe has no field 'epohcs'"),
        (
            lambda: override(TINY, "model_option.filters=3"),
            r"set: did you mean 'model_options'\? .*'model_option.filters'",
        ),
        (lambda: override(TINY, "model=PixelCNM"), r"model: did you mean 'PixelCNN'\? It must be one of"),
        (lambda: override(TINY, "optimizer=adamm"), r"optimizer: did you mean 'adam'\?"),
        (lambda: data.arrays("digits", "tran"), r"split of digits: did you mean 'train'\?"),
        (lambda: pz.load("digits_gate"), r"name: did you mean 'digits_gated'\? It must be one of"),
    ],
)
def test_misspelt_names_are_corrected_first(ask, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        ask()
