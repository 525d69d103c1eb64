"""Recipes by name: found, listed, copied."""

import re
from dataclasses import replace

import pytest
from command_line import call, refused

from pixel_zoo import training
from pixel_zoo.shipped import shipped
from pixel_zoo.training import find_recipe, load_recipes
from pixel_zoo.training.set_up import build_model
from pixel_zoo.zoo.card import duration
from pixel_zoo.zoo.index import read_index
from pixel_zoo.zoo.recipe_facts import recipe_facts
from pixel_zoo.zoo.recipe_sizes import recipe_size

MINE = """
from pixel_zoo.training import Recipe

only = Recipe(data="digits", model="PixelCNN", epochs=7)
"""


def test_a_recipe_is_found_by_its_name():
    expected = load_recipes(shipped("recipes") / "mnist.py")["diagonal_bilstm"]
    assert find_recipe("mnist:diagonal_bilstm") == find_recipe("mnist", "diagonal_bilstm") == expected
    assert find_recipe(f"{shipped('recipes')}/mnist.py:diagonal_bilstm") == expected


def test_the_names_are_of_all_recipes_of_all_files():
    names = training.recipe_names()
    assert len(names) == sum(len(load_recipes(file)) for file in shipped("recipes").glob("*.py"))
    assert {"digits:gated", "multiscale:mnist", "imagenet64:row_lstm"} <= set(names)
    for name in names:
        assert find_recipe(name).source


def test_a_file_and_a_module_of_a_user_are_found(tmp_path, monkeypatch):
    (tmp_path / "my_own_recipes.py").write_text(MINE)
    (tmp_path / "mnist.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "recipes.py").write_text(MINE)
    for name in ("my_own_recipes.py", "mnist.py", "./mnist.py", "mnist.py:only", "my_package.recipes:only"):
        assert find_recipe(name).epochs == 7, name
    with pytest.raises(TypeError, match=r"'my_package.recipes:Recipe' must be a Recipe, got <class"):
        find_recipe("my_package.recipes:Recipe")


@pytest.mark.parametrize(
    "name, model, kind, said",
    [
        ("minst", None, ValueError, "did you mean 'mnist'.* must be one of cifar10, .* the path of a Python file"),
        ("digits-gated", None, ValueError, "did you mean 'digits:gated'. It must be one of cifar10, .*, or the path"),
        ("diagonal_bilstm", None, ValueError, "did you mean '.*:diagonal_bilstm'"),
        ("mnist", None, ValueError, "'mnist' holds several recipes; name one of mnist:pixel_cnn, mnist:gated, "),
        ("mnist:gatd", None, ValueError, "did you mean 'gated'.* must be one of pixel_cnn, gated, .*, got 'gatd'"),
        ("mnist:gated", "row_lstm", ValueError, "'mnist:gated' names a recipe already, got 'row_lstm' too"),
        ("recipes_elsewhere/mnist.py", None, FileNotFoundError, "no file .*did you mean the recipe 'mnist'"),
        ("none.py", None, FileNotFoundError, "there is no file 'none.py'"),
        ("no_such.module:tiny", None, ValueError, "there is no module 'no_such'"),
    ],
)
def test_what_is_no_recipe_is_answered_with_what_there_is(name, model, kind, said):
    with pytest.raises(kind, match=said):
        find_recipe(name, model)


def test_train_takes_a_name(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(training, "train", lambda recipe, output, **_: trained.append(recipe))
    assert call("train", "mnist:diagonal_bilstm", "--output", tmp_path / "run") == 0
    assert call("train", "mnist", "--model", "gated", "--epochs", 3, "--output", tmp_path / "run") == 0
    by_name, changed = trained
    assert by_name == find_recipe("mnist:diagonal_bilstm")
    assert (changed.model, changed.epochs) == ("GatedPixelCNN", 3)


def test_recipes_are_listed_with_what_was_trained_by_them(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    assert call("recipes") == 0
    rows = {
        row[1]: row for row in (re.split(r"\s*│\s*", line) for line in capsys.readouterr().out.splitlines()) if row[1:]
    }
    assert set(training.recipe_names()) <= set(rows)
    entry = read_index()["binarized_mnist_diagonal_bilstm"]
    assert rows["mnist:diagonal_bilstm"][2:6] == [
        "binarized_mnist",
        "Diagonal BiLSTM 7x16",
        f"{entry['parameters']:,}",
        "79.20 nats, fixed binarisation, test split",
    ]
    length = f"{entry['epochs']} of 30 epochs in {duration(entry['seconds'])}"
    assert f"{entry['parameters']:,} parameters: {length}" in rows["mnist:diagonal_bilstm"][6]
    assert rows["imagenet64:row_lstm"][4] == "44,936,960" and rows["imagenet64:row_lstm"][6] == "none"
    assert rows["codes:pixel_cnn"][4] == "by your data"


def test_the_sizes_of_recipes_are_those_of_the_models_that_they_name():
    """All were counted for the recipe as it is now; a small model is counted again."""
    for name in training.recipe_names():
        recipe = find_recipe(name)
        unknown = recipe_size(name, recipe) is None
        assert unknown == ("path" in recipe.data_options), f"{name}: run `python tools/zoo.py recipe-sizes`"
    recipe = find_recipe("digits:gated")
    assert recipe_size("digits:gated", recipe) == build_model(recipe).count_params()
    assert recipe_size("digits:gated", replace(recipe, model_options={"num_blocks": 1})) is None


def test_every_trained_model_is_of_a_recipe_of_the_list():
    index = {name: entry for name, entry in read_index().items() if "members" not in entry}
    costs = "\n".join(recipe_facts(name, index)[4] for name in training.recipe_names())
    assert costs.count(" parameters: ") >= len(index)
    for entry in index.values():
        assert f"{entry['parameters']:,} parameters" in costs


def test_a_recipe_is_copied_to_be_changed(tmp_path, monkeypatch, capsys):
    assert call("recipes", "--copy", "mnist", tmp_path / "mine") == 0
    copy = tmp_path / "mine" / "mnist.py"
    assert capsys.readouterr().out == f"{copy}\n"
    assert copy.read_text() == (shipped("recipes") / "mnist.py").read_text()
    assert find_recipe(f"{copy}:gated") == find_recipe("mnist:gated")
    copy.write_text("precious")
    assert "mnist.py' exists already" in refused(capsys, "recipes", "--copy", "mnist", tmp_path / "mine")
    assert copy.read_text() == "precious"
