"""A mixture of pretrained models becomes a pretrained model, with a card that lists its members."""

import keras
import numpy as np
import pytest

import pixel_zoo as pz
from pixel_zoo.zoo import card, index, release_mixture

MEMBERS = ["digits_pixel_cnn", "digits_gated"]


@pytest.mark.slow
def test_a_mixture_of_pretrained_models_is_released(tmp_path, monkeypatch):
    """Pictures show blank images here: drawing them takes longest."""
    index_before = index.read_index()
    known = {name: index_before[name] for name in MEMBERS}
    monkeypatch.setattr(index, "PATH", tmp_path / "index.json")
    monkeypatch.setattr(index, "read_index", lambda: known)
    blank = np.zeros((1, 8, 8, 1), "uint8")
    monkeypatch.setattr(pz.models.PixelModel, "generate", lambda self, count, **_: blank.repeat(count, 0))
    monkeypatch.setattr(pz.models.PixelModel, "complete", lambda self, images, known, **_: images)
    entry = release_mixture.release_mixture("mix", MEMBERS, [3, 1], tmp_path, "9.00 nats, test split", "a table")

    model = keras.models.load_model(tmp_path / "mix.keras")
    images = pz.data.arrays("digits", "test")
    members = [np.exp(pz.load(name).log_probabilities(images[:2])) for name in MEMBERS]
    mixed = np.exp(model.log_probabilities(images[:2]))
    np.testing.assert_allclose(mixed, 0.75 * members[0] + 0.25 * members[1], rtol=1e-4, atol=1e-7)
    assert entry["nats"] == pytest.approx(-model.log_likelihood(images).mean(), abs=1e-3)
    assert entry["nats"] < known["digits_gated"]["nats"] + 0.5
    assert [one["weight"] for one in entry["members"].values()] == [0.75, 0.25]

    words = (tmp_path / "mix.md").read_text()
    assert words == card.card("mix", entry)
    assert f"| **{card.likelihood(entry)}**, 300 images" in words and "missed by" in words
    assert "0.75 of [digits_pixel_cnn](digits_pixel_cnn.md) (PixelCNN 3x32, 80.072 ± 0.685 nats" in words
    assert "tools/zoo.py mixture mix digits_pixel_cnn digits_gated --weight 3 --weight 1`" in words
    row = "| [mix](mix.md) | mixture of PixelCNN 3x32 and Gated PixelCNN 3x32 |"
    assert row in (tmp_path / "README.md").read_text()
    assert {"mix.png", "mix.members.png"} <= {path.name for path in tmp_path.iterdir()}


def test_members_of_different_data_are_refused(tmp_path):
    members = ["digits_gated", "binarized_mnist_row_lstm"]
    with pytest.raises(ValueError, match="members must be of one data set, got digits_gated: digits, binarized_mnist_"):
        release_mixture.release_mixture("mix", members, None, tmp_path)
    assert not list(tmp_path.iterdir())
