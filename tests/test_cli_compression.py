"""`pixel-zoo compress` and `pixel-zoo decompress`."""

import subprocess
import sys

import numpy as np
import pytest
from command_line import call, refused
from PIL import Image

import pixel_zoo as pz


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with own.keras, of 3 levels, and a.png and b.png of its images."""
    folder = tmp_path_factory.mktemp("compression")
    model = pz.models.PixelCNN((2, 3, 1), levels=3, filters=2, num_blocks=1, head_filters=2)
    model.save(folder / "own.keras")
    for name, shift in (("a", 0), ("b", 1)):
        levels = (np.arange(6).reshape(2, 3) + shift) % 3
        Image.fromarray((levels * 127.5 + 0.5).astype("uint8")).save(folder / f"{name}.png")
    return folder


def test_a_split_is_compressed_and_the_file_names_the_model(tmp_path, capsys):
    file = tmp_path / "digits.pz"
    options = ["--data", "digits", "--num-images", 8, "--block-size", 4]
    assert call("compress", "digits_class_conditional", *options, "--output", file) == 0
    size = file.stat().st_size
    assert f"images: 8, bytes: {size}, bytes an image: {size / 8:.2f}, bits/dim: " in capsys.readouterr().out
    assert call("decompress", file, "--output", tmp_path / "some.npz", "--start", 2, "--stop", 7) == 0
    with np.load(tmp_path / "some.npz") as arrays:
        assert (arrays["images"] == pz.data.arrays("digits", "test")[2:7]).all() and arrays["levels"] == 17
        assert (arrays["labels"] == pz.data.labels("digits", "test")[2:7]).all()


@pytest.mark.slow
def test_picture_files_come_back_as_they_were(folder, tmp_path, capsys):
    file = tmp_path / "own.pz"
    assert call("compress", folder / "own.keras", folder / "a.png", folder / "b.png", "--output", file) == 0
    said = refused(capsys, "decompress", file, "--output", tmp_path / "many")
    assert "names no model; give its .keras file (--model)" in said
    # In another process, as after a restart.
    command = ["decompress", file, "--model", folder / "own.keras", "--output", tmp_path / "many"]
    subprocess.run([sys.executable, "-m", "pixel_zoo_cli", *map(str, command)], check=True)
    for name, number in (("a", "0000"), ("b", "0001")):
        with Image.open(folder / f"{name}.png") as before, Image.open(tmp_path / "many" / f"{number}.png") as after:
            assert (np.asarray(before) == np.asarray(after)).all()
    said = refused(capsys, "decompress", file, "--model", "digits_pixel_cnn", "--output", tmp_path / "other")
    assert "have shape (2, 3, 1) and 3 levels, the model takes (8, 8, 1) and 17" in said


def test_bad_input_is_one_line(folder, tmp_path, capsys):
    compress, decompress = ["compress", folder / "own.keras"], ["decompress", tmp_path / "broken.pz"]
    (tmp_path / "broken.pz").write_bytes(b"PZIM and no more")
    for command, said in (
        (
            [*compress, "--output", tmp_path / "a.pz"],
            "files: name picture files or folders, or else a data set (--data)",
        ),
        ([*compress, folder / "a.png", "--data", "digits", "--output", tmp_path / "a.pz"], "or else a data set"),
        ([*compress, folder / "a.png", "--output", folder / "b.png"], "exists already"),
        ([*decompress, "--output", tmp_path / "a.png"], "must end in .npz, or be the name of a new folder"),
        ([*decompress, "--output", tmp_path / "a.npz"], "data: "),
        (["decompress", tmp_path / "none.pz", "--output", tmp_path / "a.npz"], "file: there is no file"),
    ):
        assert said in refused(capsys, *command)
