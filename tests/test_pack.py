"""A recipe packed by tools/pack.py can be trained, and its files are restored whole."""

import doctest
import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from pixel_zoo import data
from pixel_zoo.models import PixelCNN, PixelRNN
from pixel_zoo.training import Recipe, load_recipes

ROOT = pathlib.Path(__file__).parents[1]
sys.path.append(str(ROOT / "tools"))

import pack  # noqa: E402
import packed_images  # noqa: E402
import pieces  # noqa: E402

on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="what is packed trains on JAX")

RUN = """
import sys
sys.path.insert(0, {folder!r})
import run
run.install_wheels = lambda: None  # they are installed here
run.PIECE, run.PIECES_A_CALL = 2**14, 5
run.main()
"""


@pytest.mark.parametrize("module, examples", [(pieces, 6), (packed_images, 5)])
def test_the_examples_run(module, examples):
    assert doctest.testmod(module) == (0, examples)


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
    """Folders of 1 MiB at most, apart from the first one, which holds the package."""
    folder = tmp_path_factory.mktemp("packed") / "packed"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(pack, "_download_wheels", lambda folder, python: None)
        monkeypatch.setattr(packed_images, "IMAGES_A_BLOCK", 500)
        monkeypatch.chdir(tmp_path_factory.mktemp("models"))
        os.mkdir("large")
        small = {"image_shape": (8, 8, 1), "levels": 17, "num_blocks": 1, "head_filters": 64}
        PixelCNN(filters=4, **small).save("before.keras")
        PixelRNN(units=4, **small).save("large/teacher.keras")
        changes = ["epochs=1", "batch_size=128", "model_options.filters=4", "model_options.num_blocks=1"]
        changes += ["initial_weights=before.keras", "teacher=large/teacher.keras"]
        pack.pack(ROOT / "recipes" / "digits.py", folder, "pixel_cnn", changes, "3.12", limit=0.001)
    return folder


@pytest.fixture(scope="module")
def stage(packed, tmp_path_factory):
    """The folder of a machine that has received all transfers."""
    folder = tmp_path_factory.mktemp("there") / "stage"
    for transfer in packed.iterdir():
        shutil.copytree(transfer, folder, dirs_exist_ok=True)
    return folder


def run(stage, directory, *arguments):
    command = [sys.executable, "-c", RUN.format(folder=str(stage)), "--on-cpu", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, capture_output=True, text=True, cwd=directory, env=environment)


def test_images_are_spread_over_the_transfers_and_come_back_whole(packed, stage):
    recipe = Recipe(**json.loads((packed / "1" / "recipe.json").read_text()))
    assert (recipe.epochs, recipe.target) == (1, load_recipes(ROOT / "recipes" / "digits.py")["pixel_cnn"].target)
    assert len(list(packed.iterdir())) == len(list(stage.rglob("*.xz"))) + 1  # none fits beside another one
    for split in ("train", "validation"):
        images = packed_images.unpack_images(stage / "data" / f"digits-{split}")
        np.testing.assert_array_equal(images, data.arrays("digits", split))


def test_colour_images_come_back_whole(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3), "uint8")
    packed_images.pack_images(images, tmp_path / "images")
    np.testing.assert_array_equal(packed_images.unpack_images(tmp_path / "images"), images)


def test_missing_and_other_images_are_refused(stage, tmp_path):
    folder = shutil.copytree(stage / "data" / "digits-train", tmp_path / "digits-train")
    (folder / "2-of-3.xz").rename(tmp_path / "2-of-3.xz")
    with pytest.raises(FileNotFoundError, match=r"digits-train: 1 of 3 blocks are missing, such as 2-of-3.xz"):
        packed_images.unpack_images(folder)
    shutil.copy(folder / "1-of-3.xz", folder / "2-of-3.xz")
    with pytest.raises(ValueError, match=r"digits-train: packed \[.*unpacked \["):
        packed_images.unpack_images(folder)


@pytest.mark.slow
@on_jax
def test_a_stage_trains_by_itself_and_gives_its_results_in_pieces(stage, tmp_path):
    checked = run(stage, tmp_path, "--check", "--steps", "2")
    assert checked.returncode == 0, checked.stderr
    assert "digits-train: (1297, 8, 8, 1), hash as packed" in checked.stdout
    assert "the teacher predicts all images in about" in checked.stdout
    assert "images/s" in checked.stdout and not (stage / "run").exists()

    trained = run(stage, tmp_path, "--minutes", "5", "--output", "first", "--steps", "4")
    assert trained.returncode == 0, trained.stderr
    assert "pieces more: python " in trained.stdout
    assert run(stage, tmp_path, "--after", "5", "--output", "second").returncode == 0
    first, second = (sorted((tmp_path / name).rglob("*-of-*")) for name in ("first", "second"))
    assert len(first) == 5 and second
    for name in ("log.csv", "best.keras"):
        for piece in (tmp_path / "second" / name).glob("*-of-*"):
            piece.rename(tmp_path / "first" / name / piece.name)
        pieces.join(tmp_path / "first" / name, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (stage / "run" / name).read_bytes()

    # Another machine continues from the pieces, and has the compiled programs before it compiles any.
    another = tmp_path / "another"
    shutil.copytree(stage, another, ignore=shutil.ignore_patterns("run", "compiled*", "pieces"))
    pieces.split(stage / "compiled.zip", another / "before" / "compiled.zip", 2**20)
    assert run(another, tmp_path, "--check", "--steps", "2").returncode == 0
    programs, others = ({path.name for path in (each / "compiled").glob("*-cache")} for each in (stage, another))
    assert programs == others and not (another / "run").exists()
    for result in ("log.csv", "config.json", "best.keras", "state.npz"):
        pieces.split(stage / "run" / result, another / "before" / result, 2**20)
    continued = run(another, tmp_path, "--minutes", "5", "--output", "third", "--steps", "4")
    assert continued.returncode == 0, continued.stderr
    assert (another / "run" / "state.npz").read_bytes() == (stage / "run" / "state.npz").read_bytes()

    # Pieces that have not all arrived make no run, and a damaged archive costs no more than the time to compile.
    shutil.rmtree(another / "run")
    shutil.rmtree(another / "before" / "state.npz")
    (another / "before" / "compiled.zip" / "1-of-1").write_bytes(b"damaged")
    refused = run(another, tmp_path, "--minutes", "5", "--output", "fourth")
    assert refused.returncode == 1 and not (another / "run").exists()
    assert "before holds config.json and no state.npz" in refused.stderr
    assert "compiled.zip is not used, JAX compiles again" in refused.stdout


@on_jax
def test_a_machine_without_an_accelerator_is_refused_in_one_line(stage, tmp_path):
    command = [sys.executable, "-c", RUN.format(folder=str(stage)), "--minutes", "1", "--output", "output"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "run: JAX finds no accelerator; --on-cpu trains without one"


@pytest.mark.parametrize(
    "path, error, words",
    [
        ("none.keras", FileNotFoundError, "there is no file 'none.keras'"),
        ("../best.keras", ValueError, r"must be a path below the current folder, .* got '../best.keras'"),
        ("/best.keras", ValueError, "must be a path below the current folder"),
        ("run/best.keras", ValueError, "must be a path .* not in a folder named .*, run, .* got 'run/best.keras'"),
    ],
)
def test_models_that_cannot_travel_are_refused(path, error, words, tmp_path):
    for field in ("teacher", "initial_weights"):
        with pytest.raises(error, match=f"{field}:? {words}"):
            pack.pack(ROOT / "recipes" / "digits.py", tmp_path / "packed", "pixel_cnn", [f"{field}={path}"], "3.12", 50)
    assert not (tmp_path / "packed").exists()


def test_sets_that_users_bring_are_not_packed(tmp_path):
    with pytest.raises(ValueError, match=r"only a fixed set can be packed, one of .*; the recipe has 'images'"):
        pack.pack(ROOT / "recipes" / "images.py", tmp_path / "packed", "pixel_cnn", [], "3.12", limit=50)
    assert not (tmp_path / "packed").exists()
