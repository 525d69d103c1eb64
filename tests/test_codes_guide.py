"""The guide of docs/codes.md, at a small size: digits in place of MNIST."""

import pathlib
import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import pixel_zoo as pz
from pixel_zoo import data
from pixel_zoo.training import load_recipes, override, train

ROOT = pathlib.Path(__file__).parent.parent
SMALL = ["filters=4", "num_blocks=1", "head_filters=4", "embedding_dim=2"]


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """The variables of the guide's Python code after it has run."""
    sys.path.insert(0, str(ROOT / "tools"))
    import vq_vae

    sys.path.remove(str(ROOT / "tools"))
    folder = tmp_path_factory.mktemp("guide")
    code = "\n".join(re.findall(r"^ *```python\n(.*?)^ *```", (ROOT / "docs" / "codes.md").read_text(), re.S | re.M))
    code = re.sub(r"^   ", "", code, flags=re.M).replace('("mnist"', '("digits"')
    recipe = load_recipes(ROOT / "recipes" / "vq.py")["mnist"]
    changes = [*(f"model_options.{option}" for option in SMALL), "data_options.levels=16", "epochs=1", "warmup_steps=0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        vq_vae.train("digits", "runs/mnist_vq", num_codes=16, epochs=12, batch_size=32, filters=16, features=4)
        train(override(recipe, *changes), "runs/mnist_prior", samples=False, verbose=0)
        variables = {}
        exec(code, variables)
    return variables


@pytest.mark.slow
def test_codes_become_pictures(guide):
    for name in ("drawn", "completed"):
        assert guide[name].shape == (10, 8, 8, 1) and guide[name].dtype == np.uint8 and guide[name].max() <= 16
    # Reconstructions are closer to their pictures than the mean picture is.
    pictures = data.arrays("digits", "test").astype("float32")
    decoded = guide["decoder"].predict(guide["encoder"].predict(pictures, verbose=0), verbose=0)
    assert np.mean((decoded - pictures) ** 2) < np.mean((pictures.mean(axis=0) - pictures) ** 2)


def test_the_prior_is_given_labels_and_embeds_the_codes(guide):
    prior = guide["prior"]
    assert (prior.image_shape, prior.levels, prior.num_classes) == ((2, 2, 1), 16, 10)
    assert prior.get_layer("embedding").levels == 16


def test_one_saved_model_goes_from_pictures_to_pictures(guide):
    np.testing.assert_array_equal(guide["served"], guide["drawn"])
    np.testing.assert_array_equal(guide["codes"], guide["encoder"].predict(guide["pictures"], verbose=0))
    codes = guide["codes"]
    decoded = guide["signatures"]["decode"](image=codes)["picture"]
    np.testing.assert_array_equal(decoded, guide["decoder"].predict(np.array(codes), verbose=0))


def test_png_files_hold_pictures(guide):
    signatures, label = guide["signatures"], tf.range(10, dtype=tf.int64)
    request = {"seed": label, "label": label, "temperature": tf.ones(10)}
    files = signatures["sample_png"](**request)["image_bytes"]
    np.testing.assert_array_equal(tf.map_fn(tf.io.decode_png, files, tf.uint8), guide["drawn"])

    pictures = np.array(guide["pictures"], "uint8")
    opaque = np.repeat((np.arange(8) < 5)[:, None, None], 8, axis=1) * np.ones((10, 1, 1, 1), bool)  # one row too many
    written = tf.map_fn(tf.io.encode_png, np.concatenate([pictures, 255 * opaque], -1).astype("uint8"), tf.string)
    completed = signatures["complete_png"](image_bytes=written, **request)["image_bytes"]
    codes = guide["encoder"].predict(pictures * opaque, verbose=0)
    known = np.array([[True, True], [False, False]])
    expected = guide["prior"].complete(codes, known, seed=0, labels=label.numpy())
    expected = guide["decoder"].predict(expected, verbose=0)
    np.testing.assert_array_equal(tf.map_fn(tf.io.decode_png, completed, tf.uint8), expected)

    of_png = signatures["score_png"](image_bytes=tf.map_fn(tf.io.encode_png, pictures, tf.string), label=label)
    nats = guide["prior"].log_likelihood(guide["encoder"].predict(pictures, verbose=0), label.numpy())
    np.testing.assert_allclose(of_png["log_likelihood"], nats, rtol=1e-4)


@pytest.mark.parametrize(
    "codec, error, message",
    [
        ({"decoder": "decoder.keras"}, TypeError, "decoder must be a functional Keras model, got str"),
        (
            {"decoder": ((3, 3, 1), (8, 8, 1), "int32")},
            ValueError,
            r"decoder must take the model's images, integers \(ba",
        ),
        (
            {"encoder": ((8, 8, 1), (2, 2, 1), "float32")},
            ValueError,
            r"encoder must return .* got float32 \(None, 2, 2",
        ),
    ],
)
def test_what_does_not_fit_the_prior_is_refused_before_any_work(guide, tmp_path, codec, error, message):
    def model(shape, output_shape, dtype):
        x = keras.Input(shape)
        y = keras.layers.Dense(int(np.prod(output_shape)))(keras.layers.Flatten()(x))
        return keras.Model(x, keras.ops.cast(keras.layers.Reshape(output_shape)(y), dtype))

    codec = {name: value if isinstance(value, str) else model(*value) for name, value in codec.items()}
    with pytest.raises(error, match=message):
        pz.export(guide["prior"], tmp_path / "model", **codec)
    assert not (tmp_path / "model").exists()
