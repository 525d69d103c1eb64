"""The pretrained prior over codes: its encoder and decoder, the data set of its codes, and what is shown of it."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from command_line import call, refused

import pixel_zoo as pz
from pixel_zoo import data, models
from pixel_zoo.zoo import card, index, release, saved_model, verify

EXPORTED = pathlib.Path(__file__).parents[1] / "exported"
NAME = "mnist_vq"


@pytest.fixture(scope="module")
def pictures():
    """Strokes, uint8 (4, 28, 28, 1)."""
    images = np.zeros((4, 28, 28, 1), "uint8")
    for number, image in enumerate(images):
        image[4:24, 8 + 3 * number : 11 + 3 * number] = 255
    return images


def test_the_parts_lead_from_pictures_to_codes_and_back(pictures):
    model, encoder, decoder = pz.load(NAME), pz.load(f"{NAME}.encoder"), pz.load(f"{NAME}.decoder")
    codes = encoder.predict(pictures, verbose=0)
    assert codes.shape == (4, *model.image_shape) and codes.min() >= 0 and codes.max() < model.levels
    decoded = decoder.predict(codes, verbose=0)
    assert decoded.dtype == np.uint8
    errors, variance = (decoded.astype(float) - pictures) ** 2, pictures.astype(float).var()
    assert errors.mean() < 0.25 * variance
    # Strokes are more probable than noise.
    noise = np.random.default_rng(0).integers(0, model.levels, codes.shape)
    assert model.log_likelihood(codes, 1).min() > model.log_likelihood(noise, 1).max()


def test_what_is_no_prior_is_named(capsys):
    assert "'mnist_vq.encoder' holds a Functional, which is not a model" in refused(
        capsys, "sample", f"{NAME}.encoder", "--output", "codes.png"
    )
    with pytest.raises(ValueError, match=r"name: mnist_vq has the parts encoder, decoder, got 'mnist_vq\.prior'"):
        pz.load("mnist_vq.prior")


def test_the_data_set_is_the_pictures_encoded(pictures, tmp_path, monkeypatch):
    np.save(tmp_path / "mnist-test.npy", pictures)
    monkeypatch.setenv("PIXEL_ZOO_DATA", str(tmp_path))
    codes = data.info(NAME).read("test")
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, pz.load(f"{NAME}.encoder").predict(pictures, verbose=0))


def test_the_card_names_the_parts_and_draws_pictures():
    entry = index.read_index()[NAME]
    for on_hub in (False, True):
        text = card.card(NAME, entry, on_hub)
        assert "mnist_vq.decoder" in text and "shown as the decoder decodes them" in text
        assert all(facts["sha256"] in text for facts in entry["parts"].values())


def test_a_run_is_released_with_the_parts_that_are_there(tmp_path, monkeypatch):
    """The files lie beside the model; nothing is trained or drawn here."""
    for part in index.PARTS:
        shutil.copy(EXPORTED / f"{NAME}.{part}.keras", tmp_path)
    entry, run = index.read_index()[NAME], tmp_path / "run"
    run.mkdir()
    shutil.copy(EXPORTED / f"{NAME}.keras", run / "best.keras")
    header = "epoch,nats,val_nats,loss,val_loss,bits_per_dim,val_bits_per_dim,seconds"
    (run / "log.csv").write_text(f"{header}\n0,1,1,1,1,1,1,1\n")
    (run / "config.json").write_text(json.dumps({"machine": "", **entry}))
    figures = {name: entry[name] for name in ("images", "likelihood", "nats", "standard_error", "bits_per_dim")}
    monkeypatch.setattr(release, "evaluate", lambda *_, **__: figures)
    monkeypatch.setattr(release, "write_pages", lambda entries, _: entries)
    seen = []
    monkeypatch.setattr(
        release, "samples_and_completions", lambda _, __, codec: seen.append(codec) or np.zeros((2, 2, 3), "uint8")
    )
    released = release.release(run, NAME, tmp_path, EXPORTED.parent / "recipes")
    assert released["parts"] == entry["parts"]
    assert seen[0].of_codes and seen[0].image_shape == (28, 28, 1)


def test_its_saved_model_has_the_parts(tmp_path, monkeypatch):
    exported_with = {}

    def export(model, path, version, **parts):
        exported_with.update(parts)
        (path / str(version)).mkdir(parents=True)

    monkeypatch.setattr(saved_model, "export", export)
    (tmp_path / "models.config").write_text("model_config_list {}\n")
    saved_model.write_saved_model(NAME, tmp_path)
    assert {name: part.name for name, part in exported_with.items()} == {"encoder": "encoder", "decoder": "decoder"}


def test_a_damaged_part_is_found(tmp_path):
    for file in EXPORTED.glob(f"{NAME}.*keras"):
        shutil.copy(file, tmp_path)
    (tmp_path / f"{NAME}.decoder.keras").write_bytes(b"damaged")
    verdict, words = verify._verdict(tmp_path / f"{NAME}.keras", index.read_index()[NAME], [0.0])
    assert verdict == "failed" and words.startswith("mnist_vq.decoder.keras is missing, or its SHA-256 is not")


def test_the_command_line_shows_pictures_and_stores_codes(tmp_path, monkeypatch):
    drawn = np.arange(2 * 49, dtype="uint8").reshape(2, 7, 7, 1)
    monkeypatch.setattr(models.PixelModel, "generate", lambda self, count, **_: drawn[:count])
    assert call("sample", NAME, "--output", tmp_path / "codes.npz", "--num-images", 2, "--label", 3) == 0
    with np.load(tmp_path / "codes.npz") as stored:
        np.testing.assert_array_equal(stored["images"], drawn)
    assert call("sample", NAME, "--output", tmp_path / "pictures", "--num-images", 2, "--label", 3) == 0
    from PIL import Image

    shown = [np.asarray(Image.open(file)) for file in sorted((tmp_path / "pictures").iterdir())]
    decoded = pz.load(f"{NAME}.decoder").predict(drawn, verbose=0)[..., 0]
    np.testing.assert_array_equal(shown, decoded)
