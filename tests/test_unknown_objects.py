"""Model files that hold a layer, loss or metric that is not known where they are loaded: one line, or none at all."""

import keras
import pytest
from command_line import refused

import pixel_zoo as pz
from pixel_zoo_cli.loading import load


def one_line(error):
    """An exception's message, which must be short."""
    message = str(error.value)
    assert "\n" not in message and len(message) < 250, message
    return message


def test_an_unknown_layer_is_named(tmp_path, capsys):
    class Mine(pz.layers.MaskedConv2D):  # inside a function, where Keras finds no class
        pass

    image = keras.Input((4, 4, 1), dtype="int32", name="image")
    hidden = Mine(4, 3, "A")(keras.layers.Rescaling(1.0)(image))
    model = pz.models.PixelModel(image, pz.layers.Logits(2)(keras.layers.ReLU()(hidden)))
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"holds the class 'Mine'.* import the module that defines it") as error:
        keras.models.load_model(tmp_path / "model.keras")
    one_line(error)
    refusal = refused(capsys, "sample", tmp_path / "model.keras", "--output", tmp_path / "a.png")
    assert "model.keras' cannot be loaded: the file holds the class 'Mine'" in refusal


@pytest.mark.parametrize("part", ["loss", "metrics"])
def test_an_unknown_loss_or_metric_is_named_and_the_command_line_does_without(tmp_path, part):
    def mine(images, logits):
        return keras.ops.mean(logits)

    model = pz.models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)
    model.compile(**{part: mine if part == "loss" else [mine]})
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"holds the function 'mine'.* or load the model with compile=False") as error:
        keras.models.load_model(tmp_path / "model.keras")
    one_line(error)
    assert not load(str(tmp_path / "model.keras")).compiled
