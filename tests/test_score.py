"""`pixel-zoo score`: a table of the likelihoods of many images."""

import csv
import functools
import itertools
import json

import keras
import numpy as np
import pytest
from command_line import call, refused
from PIL import Image

import pixel_zoo as pz
from pixel_zoo import models
from pixel_zoo_cli import score_table
from pixel_zoo_cli.loading import load
from pixel_zoo_cli.score_run import ScoreRun
from pixel_zoo_cli.score_source import Source

LOAD = functools.cache(load)
SMALL = {"filters": 4, "num_blocks": 1, "head_filters": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with three models and, in pictures/, the first eight test digits as PNG files."""
    folder = tmp_path_factory.mktemp("score")
    for seed, (name, options) in enumerate({"plain": {}, "other": {}, "labelled": {"num_classes": 10}}.items()):
        keras.utils.set_random_seed(seed)
        models.PixelCNN((8, 8, 1), 17, **SMALL, **options).save(folder / f"{name}.keras")
    (folder / "pictures" / "more").mkdir(parents=True)
    for index, digit in enumerate(pz.data.arrays("digits", "test")[:8]):
        where = folder / "pictures" / ("more" if index % 2 else "") / f"{index}.png"
        Image.fromarray(np.ceil(digit[..., 0] * (255 / 16)).astype("uint8")).save(where)
    return folder


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch):
    """Load each model once, not once for each command."""
    monkeypatch.setattr("pixel_zoo_cli.scores.load", LOAD)


@pytest.fixture
def quick(monkeypatch):
    """Replace the likelihood by a sum of the values and of 1000 times the label; returns the sizes of the batches."""

    def log_likelihood(self, images, labels=None, batch_size=None):
        sizes.append(len(images))
        return -(images.astype("float32").sum(axis=(1, 2, 3)) + (0 if labels is None else 1000 * labels)) / 3

    sizes = []
    monkeypatch.setattr(models.PixelModel, "log_likelihood", log_likelihood)
    return sizes


def rows(path):
    """The rows of a CSV file, and its columns as arrays by name."""
    with open(path, newline="") as file:
        table = list(csv.DictReader(file))
    return table, {name: np.array([row[name] for row in table]) for name in table[0]}


def test_every_image_of_a_split_is_scored(folder, tmp_path, capsys):
    assert call("score", folder / "plain.keras", "--data", "digits", "--output", tmp_path / "scores.csv") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "scores.csv")
    _, columns = rows(tmp_path / "scores.csv")
    model, images = keras.models.load_model(folder / "plain.keras"), pz.data.arrays("digits", "test")
    assert list(columns) == ["index", "label", "nats", "bits_per_dim"]
    assert (columns["index"].astype(int) == np.arange(300)).all()
    assert (columns["label"].astype(int) == pz.data.labels("digits", "test")).all()
    nats = -model.log_likelihood(images, batch_size=64)
    assert (columns["nats"].astype("float32") == nats).all()  # to the last bit
    np.testing.assert_allclose(columns["bits_per_dim"].astype("float32"), model.bits_per_dim(images), rtol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.csv"]


def test_picture_files_are_scored_as_the_images_that_they_hold(folder, tmp_path, quick):
    files = [folder / "pictures", folder / "pictures" / "0.png"]
    assert call("score", folder / "plain.keras", *files, "--output", tmp_path / "scores.csv", "--batch-size", 4) == 0
    table, columns = rows(tmp_path / "scores.csv")
    in_order = [0, 2, 4, 6, 1, 3, 5, 7, 0]
    names = [str(folder / "pictures" / ("more" if index % 2 else "") / f"{index}.png") for index in in_order]
    assert [row["file"] for row in table] == names and list(columns) == ["file", "nats", "bits_per_dim"]
    images = pz.data.arrays("digits", "test")[in_order]
    np.testing.assert_allclose(columns["nats"].astype(float), images.sum(axis=(1, 2, 3)) / 3, rtol=1e-6)
    assert quick == [4, 4, 1]


def test_the_forms_of_a_table_hold_the_same(folder, tmp_path, quick, capsys, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    score = ["score", folder / "plain.keras", folder / "pictures", "--label", 3, "--output"]
    assert "labels: the model takes none" in refused(capsys, *score, tmp_path / "a.csv")
    score = [*score[:3], "--output"]
    monkeypatch.setattr("pixel_zoo_cli.score_run.ROWS", 3)  # several chunks
    for suffix in score_table.SUFFIXES:
        assert call(*score, tmp_path / f"scores{suffix}") == 0
    _, columns = rows(tmp_path / "scores.csv")
    parquet = pyarrow.read_table(tmp_path / "scores.parquet").to_pydict()
    with np.load(tmp_path / "scores.npz") as arrays:
        assert list(columns) == list(parquet) == list(arrays) and len(arrays["nats"]) == 8
        for name, array in arrays.items():
            assert (columns[name].astype(array.dtype) == array).all()
            assert (np.array(parquet[name], array.dtype) == array).all()
    monkeypatch.setattr(score_table.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'pixel-zoo[parquet]'" in refused(capsys, *score, tmp_path / "more.parquet")


def test_an_interrupted_run_resumes_to_the_same_file(folder, tmp_path, quick, capsys, monkeypatch):
    score = ["score", folder / "plain.keras", "--data", "digits", "--batch-size", 32, "--output"]
    assert call(*score, tmp_path / "whole.csv") == 0
    log_likelihood = models.PixelModel.log_likelihood

    def interrupted(self, *arguments, **options):
        if len(quick) == 4:
            raise KeyboardInterrupt
        return log_likelihood(self, *arguments, **options)

    quick.clear()
    with monkeypatch.context() as patch:
        patch.setattr(models.PixelModel, "log_likelihood", interrupted)
        assert call(*score, tmp_path / "scores.csv") == 130
    partial = tmp_path / "scores.csv.partial"
    assert "--resume continues" in capsys.readouterr().err and not (tmp_path / "scores.csv").exists()
    assert (partial / "scores.bin").stat().st_size == 4 * 4 * 32
    assert "continue it with --resume, or delete it" in refused(capsys, *score, tmp_path / "scores.csv")
    other = ["score", folder / "other.keras", *score[2:], tmp_path / "scores.csv", "--resume"]
    assert "holds scores of another run: its model is" in refused(capsys, *other)
    smaller = [*score, tmp_path / "scores.csv", "--resume", "--batch-size", 16]
    assert "its batch size is 32, not 16" in refused(capsys, *smaller)
    with open(partial / "scores.bin", "ab") as file:
        file.write(b"torn")  # of a batch that was not written whole
    quick.clear()
    assert call(*score, tmp_path / "scores.csv", "--resume") == 0
    assert quick == [32] * 5 + [300 - 9 * 32]
    assert (tmp_path / "scores.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not partial.exists()
    assert "exists already" in refused(capsys, *score, tmp_path / "scores.csv", "--resume")


def test_the_parts_of_a_split_make_up_the_whole(folder, tmp_path, quick, capsys):
    score = ["score", folder / "plain.keras", "--data", "digits", "--batch-size", 64, "--output"]
    for number in (1, 2, 3):
        assert call(*score, tmp_path / f"{number}.csv", "--shard", f"{number}/3") == 0
    assert quick == [64, 64, 64, 64, 44]
    assert call(*score, tmp_path / "whole.csv") == 0
    parts = [rows(tmp_path / f"{number}.csv")[0] for number in (1, 2, 3)]
    assert [len(part) for part in parts] == [64, 128, 108]
    assert list(itertools.chain(*parts)) == rows(tmp_path / "whole.csv")[0]
    assert "part 1 of 6 has no images" in refused(capsys, *score, tmp_path / "no.csv", "--shard", "1/6")
    for bad in ("0/3", "4/3", "1", "a/b", "1/2/3"):
        assert f"shard must be K/N, the K-th of N parts, such as 1/4, got '{bad}'" in refused(
            capsys, *score, tmp_path / "no.csv", "--shard", bad
        )


def test_a_class_conditional_model_is_given_the_labels(folder, tmp_path, quick, capsys):
    data = ["score", folder / "labelled.keras", "--data", "digits", "--output"]
    files = ["score", folder / "labelled.keras", folder / "pictures", "--output"]
    images, labels = pz.data.arrays("digits", "test"), pz.data.labels("digits", "test")
    assert call(*data, tmp_path / "data.csv") == 0
    assert call(*data, tmp_path / "seven.csv", "--label", 7) == 0
    own = [option for label in range(8) for option in ("--label", label)]
    assert call(*files, tmp_path / "files.csv", *own) == 0
    sums = images.sum(axis=(1, 2, 3), dtype=int)
    expected = {
        "data": (sums, labels),
        "seven": (sums, np.full(300, 7)),
        "files": (sums[[0, 2, 4, 6, 1, 3, 5, 7]], np.arange(8)),
    }
    for name, (of_images, given) in expected.items():
        _, columns = rows(tmp_path / f"{name}.csv")
        assert (columns["label"].astype(int) == given).all()
        np.testing.assert_allclose(columns["nats"].astype(float), (of_images + 1000 * given) / 3, rtol=1e-6)
    for arguments, said in [
        (files, "labels must be given: 0..9"),
        ([*files[:3], "--label", 10, "--output"], "labels must be 0..9, got 10..10"),
        ([*files[:3], "--label", 1, "--label", 2, "--output"], "labels must be an integer or an array of shape (8,)"),
    ]:
        assert said in refused(capsys, *arguments, tmp_path / "no.csv")
    assert not (tmp_path / "no.csv.partial").exists()


def test_columns_of_scores_are_those_of_pz_anomaly(folder, tmp_path, monkeypatch):
    nats = {True: np.arange(300, dtype="float32"), False: np.linspace(50, 70, 300, dtype="float32")}

    def log_likelihood(self, images, labels=None, batch_size=None):
        return -next(batches[labels is None])

    batches = {key: iter(np.split(value, [128, 256])) for key, value in nats.items()}
    monkeypatch.setattr(models.PixelModel, "log_likelihood", log_likelihood)
    more = ["--background", folder / "labelled.keras", "--complexity", "--batch-size", 128]
    assert call("score", folder / "plain.keras", "--data", "digits", "--output", tmp_path / "scores.npz", *more) == 0
    with np.load(tmp_path / "scores.npz") as arrays:
        assert list(arrays) == ["index", "label", "nats", "bits_per_dim", "likelihood_ratio", "complexity_corrected"]
        assert (arrays["nats"] == nats[True]).all()
        expected = pz.anomaly.likelihood_ratio(nats[True], nats[False])
        np.testing.assert_allclose(arrays["likelihood_ratio"], expected, rtol=1e-6)
        bits = pz.anomaly.png_bits(pz.data.arrays("digits", "test"))
        expected = pz.anomaly.complexity_corrected(nats[True], bits)
        np.testing.assert_allclose(arrays["complexity_corrected"], expected, rtol=1e-6)


def test_images_are_read_a_batch_ahead_and_no_more(folder, tmp_path, quick):
    """So memory does not grow with the number of images."""

    def read(first, last):
        asked.append((first, last, len(quick)))
        return np.zeros((last - first, 8, 8, 1), "uint8")

    asked = []
    run = ScoreRun(keras.models.load_model(folder / "plain.keras"), Source({}, 1000, read), batch_size=100)
    run.score(tmp_path / "scores.bin")
    assert [(first, last) for first, last, _ in asked] == [(start, start + 100) for start in range(0, 1000, 100)]
    assert all(first // 100 <= scored + 1 for first, _, scored in asked) and quick == [100] * 10


def test_bad_input_is_refused_in_one_line(folder, tmp_path, capsys, monkeypatch):
    def no_score(*_, **__):
        raise AssertionError("nothing may be computed")

    monkeypatch.setattr(models.PixelModel, "log_likelihood", no_score)
    (tmp_path / "empty").mkdir()
    models.PixelCNN((8, 8, 1), 300, **SMALL).save(tmp_path / "deep.keras")
    models.PixelCNN((8, 8, 1), 16, **SMALL).save(tmp_path / "sixteen.keras")
    models.PixelCNN((8, 8, 1), 17, conditioning_dim=2, **SMALL).save(tmp_path / "vector.keras")
    good = folder / "pictures" / "0.png"
    for arguments, said in [
        ([], "files: name picture files or folders, or else a data set (--data)"),
        ([good, "--data", "digits"], "files: name picture files or folders, or else a data set (--data)"),
        ([tmp_path / "none.png"], "files: there is no file or folder"),
        ([tmp_path / "empty"], "files: no file in"),
        ([good, "--shard", "2/1"], "shard must be K/N"),
        ([good, "--batch-size", 0], "batch_size must be an integer of at least 1, got 0"),
        (
            [good, "--background", tmp_path / "sixteen.keras"],
            "background: takes images of shape (8, 8, 1) and 16 levels",
        ),
        (["--data", "binarized_mnist"], "data: the images of 'binarized_mnist' have shape (28, 28, 1) and 2 levels"),
    ]:
        assert said in refused(capsys, "score", folder / "plain.keras", *arguments, "--output", tmp_path / "no.csv")
    for output, said in [
        ("scores.txt", "must end in .csv, .npz or .parquet"),
        ("scores", "must end in .csv, .npz or .parquet"),
        ("nowhere/scores.csv", "is not a directory that can be written"),
    ]:
        assert said in refused(capsys, "score", folder / "plain.keras", good, "--output", tmp_path / output)
    for model, said in [
        ("deep", "files: a picture has 1 or 3 colours and up to 256 levels, the model 1 and 300"),
        ("vector", "vectors must be given: 2 numbers each"),
    ]:
        assert said in refused(capsys, "score", tmp_path / f"{model}.keras", good, "--output", tmp_path / "no.csv")
    assert not (tmp_path / "no.csv.partial").exists()


def test_a_picture_cut_short_or_a_nan_is_named_and_scores_are_kept(folder, tmp_path, quick, capsys, monkeypatch):
    for index in range(6):
        Image.new("L", (8, 8), 16 * index).save(tmp_path / f"{index}.png")
    whole = (tmp_path / "5.png").read_bytes()
    (tmp_path / "5.png").write_bytes(whole[:50])
    score = ["score", folder / "plain.keras", tmp_path, "--output", tmp_path / "scores.csv", "--batch-size", 2]
    assert "5.png' cannot be read" in refused(capsys, *score)
    (tmp_path / "5.png").write_bytes(whole)
    begun = json.loads((tmp_path / "scores.csv.partial" / "run.json").read_text())
    assert begun["batch size"] == 2 and quick == [2, 2]
    assert call(*score, "--resume") == 0 and quick == [2, 2, 2]
    monkeypatch.setattr(models.PixelModel, "log_likelihood", lambda *_, **__: np.array([1, np.nan], "float32"))
    said = refused(capsys, *score[:4], tmp_path / "no.csv", *score[5:])
    assert "model: the log-likelihood of" in said and "1.png' is NaN" in said
