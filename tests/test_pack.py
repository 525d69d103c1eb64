"""What tools/pack.py packs can be trained from, and files come back whole."""

import doctest
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from pixel_zoo import data
from pixel_zoo.training import Recipe, load_recipes

ROOT = pathlib.Path(__file__).parents[1]
sys.path.append(str(ROOT / "tools"))

import pack  # noqa: E402
import pieces  # noqa: E402

EPOCH = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
import run
run.install_wheels = lambda: None  # they are installed here
run.PIECE, run.PIECES_A_CALL = 2**14, 5
run.main()
"""


def test_the_example_runs():
    assert doctest.testmod(pieces) == (0, 6)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 100])
def test_a_file_comes_whole_out_of_its_pieces(size, tmp_path):
    content = np.random.default_rng(size).bytes(size)
    (tmp_path / "file").write_bytes(content)
    written = pieces.split(tmp_path / "file", tmp_path / "pieces", size=10)
    assert [piece.name for piece in written] == pieces.names(tmp_path / "file", 10)
    assert max(piece.stat().st_size for piece in written) <= 10
    pieces.join(tmp_path / "pieces", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


def test_a_piece_that_is_missing_is_named_and_nothing_is_written(tmp_path):
    (tmp_path / "file").write_bytes(bytes(25))
    pieces.split(tmp_path / "file", tmp_path / "pieces", size=10)
    (tmp_path / "pieces" / "2-of-3").unlink()
    with pytest.raises(FileNotFoundError, match="lacks 2-of-3"):
        pieces.join(tmp_path / "pieces", tmp_path / "again")
    (tmp_path / "pieces" / "1-of-2").touch()
    with pytest.raises(ValueError, match="holds those of several files"):
        pieces.join(tmp_path / "pieces", tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "packed"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(pack, "_download_wheels", lambda folder, python: None)
        monkeypatch.setattr(pack, "PIECE", 2**14)
        changes = ["epochs=1", "batch_size=128", "model_options.filters=4", "model_options.num_blocks=1"]
        pack.pack(ROOT / "recipes" / "digits.py", folder, "pixel_cnn", changes, "3.12")
    return folder


def test_a_packed_folder_holds_recipe_and_images(packed, tmp_path):
    recipe = Recipe(**json.loads((packed / "recipe.json").read_text()))
    assert (recipe.epochs, recipe.target) == (1, load_recipes(ROOT / "recipes" / "digits.py")["pixel_cnn"].target)
    assert len(list((packed / "data" / "digits-train.npy").iterdir())) == 6
    pieces.join(packed / "data" / "digits-validation.npy", tmp_path / "array.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "array.npy"), data.arrays("digits", "validation"))


def test_a_packed_folder_trains_by_itself_and_gives_its_results_in_pieces(packed, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-c", EPOCH.format(folder=str(packed)), *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "pieces more: python " in run("--minutes", "5", "--output", "first")
    run("--after", "5", "--output", "second")
    first, second = (sorted((tmp_path / name).rglob("*-of-*")) for name in ("first", "second"))
    assert len(first) == 5 and second
    for piece in second:
        piece.rename(tmp_path / "first" / piece.parent.name / piece.name)
    pack.pieces.join(tmp_path / "first" / "log.csv", tmp_path / "log.csv")
    assert (tmp_path / "log.csv").read_text() == (packed / "run" / "log.csv").read_text()


def test_sets_that_users_bring_are_not_packed(tmp_path):
    with pytest.raises(ValueError, match=r"only a fixed set can be packed, one of .*; the recipe has 'images'"):
        pack.pack(ROOT / "recipes" / "images.py", tmp_path / "packed", "pixel_cnn", [], "3.12")
    assert not (tmp_path / "packed").exists()
