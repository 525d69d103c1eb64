"""Verifying pretrained models: whatever differs from the card is found."""

import pathlib
import shutil

import keras
import numpy as np
import pytest
from command_line import call, refused

import pixel_zoo as pz
from pixel_zoo.zoo import index, verify

EXPORTED = pathlib.Path(__file__).parents[1] / "exported"
NAME = "digits_pixel_cnn"
PROBES_ELSEWHERE = verify._probes_elsewhere


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="looks at both backends, whichever it starts from")
@pytest.mark.compiled  # all of a test split, by larger models
def test_digits_are_what_their_cards_say(capsys):
    assert call("verify", EXPORTED, "--data", "digits") == 0
    out = capsys.readouterr().out
    count = sum(entry["recipe"]["data"] == "digits" for entry in index.read_index().values())
    assert count >= 1 and f"{count} verified, 0 not verified, 0 failed" in out, out


@pytest.fixture(scope="module")
def measured():
    """What the file of the model gives: its probe, and its figures."""
    model = pz.load(NAME)
    return verify.probe(model), verify.evaluate(model, "digits", "test")


@pytest.fixture
def directory(tmp_path, monkeypatch, measured):
    """A directory that holds one model, of an index that knows it alone; and that index, which may be changed."""
    probed, figures = measured
    entries = {NAME: index.read_index()[NAME]}
    shutil.copy(EXPORTED / f"{NAME}.keras", tmp_path)
    monkeypatch.setattr(verify, "read_index", lambda: entries)
    monkeypatch.setattr(verify, "probe", lambda model: probed)
    monkeypatch.setattr(verify, "evaluate", lambda *_, **__: figures)
    monkeypatch.setattr(verify, "_probes_elsewhere", lambda paths: [probed for _ in paths])
    return tmp_path, entries


def finding(directory):
    (found,) = verify.verify(directory)
    return found.verdict, found.words


def test_a_wrong_figure_is_found(directory, capsys):
    directory, entries = directory
    entries[NAME] = entries[NAME] | {"nats": entries[NAME]["nats"] + 0.01}
    assert call("verify", directory) == 1
    out = capsys.readouterr().out
    assert f"{NAME}: failed: " in out and "on the card" in out and "0 verified, 0 not verified, 1 failed" in out


@pytest.mark.parametrize("figure", ["images", "standard_error", "bits_per_dim"])
@pytest.mark.parametrize("factor", [1.01, np.nan])
def test_a_wrong_other_figure_is_found(figure, factor, directory):
    directory, entries = directory
    entries[NAME] = entries[NAME] | {figure: entries[NAME][figure] * factor}
    verdict, words = finding(directory)
    assert verdict == "failed" and figure in words.partition("differs in ")[2]


def test_a_changed_file_is_found(directory):
    directory, _ = directory
    with open(directory / f"{NAME}.keras", "ab") as file:
        file.write(b"more")
    verdict, words = finding(directory)
    assert verdict == "failed" and "SHA-256" in words


def test_backends_that_differ_are_found(directory, monkeypatch):
    directory, _ = directory
    monkeypatch.setattr(verify, "_probes_elsewhere", lambda paths: [[1.0, 2.0, 3.0, 4.0]])
    assert "differ" in finding(directory)[1]
    monkeypatch.setattr(verify, "_probes_elsewhere", lambda paths: ["does not load on jax: KeyError: 'head'"])
    assert finding(directory) == ("failed", "does not load on jax: KeyError: 'head'")


def test_what_is_not_there_is_not_verified(directory, monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError("digits is not prepared")

    directory, _ = directory
    monkeypatch.setattr(verify, "evaluate", absent)
    verdict, words = finding(directory)
    assert verdict == "not verified" and "no data: digits is not prepared" in words
    (directory / f"{NAME}.keras").unlink()
    assert finding(directory) == ("not verified", "there is no such file")


def test_without_the_other_backend_the_rest_is_compared(directory, monkeypatch):
    directory, entries = directory
    monkeypatch.setattr(verify, "_probes_elsewhere", PROBES_ELSEWHERE)
    monkeypatch.setattr(verify.importlib.util, "find_spec", lambda name: None)
    verdict, words = finding(directory)
    assert verdict == "not verified" and "on the card" in words and words.endswith("is not installed")
    entries[NAME] = entries[NAME] | {"nats": 1.0}
    assert finding(directory)[0] == "failed"


def test_nothing_verified_is_no_success(directory, capsys):
    directory, _ = directory
    (directory / f"{NAME}.keras").unlink()
    assert call("verify", directory) == 1
    assert "0 verified, 1 not verified, 0 failed" in capsys.readouterr().out


def test_a_file_that_does_not_load_is_said_so(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    assert verify._probe_or_reason(tmp_path / "broken.keras").startswith(
        f"does not load on {keras.backend.backend()}: "
    )


def test_bad_input_of_verify_is_one_line(tmp_path, capsys):
    assert "is not a directory" in refused(capsys, "verify", tmp_path / "none")
    assert "no model of 'no_such_data'" in refused(capsys, "verify", EXPORTED, "--data", "no_such_data")
