"""Models at the edges: the smallest images, half precision, unsupported backends, several models at once."""

import logging
import os
import subprocess
import sys
import warnings

import c_session
import keras
import numpy as np
import pytest
import saved_models
from backends import fewer_on_jax, tensorflow_alone
from catalogue import image_input, scrambled

import pixel_zoo as pz
from pixel_zoo import backend

EXPORTED = ("diagonal", (1, 3, 2))
TINY = {"num_blocks": 1, "head_filters": 2}
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


SMALLEST = [(recurrence, size) for recurrence in ("row", "diagonal") for size in ((1, 1, 1), (1, 3, 2), (3, 1, 1))]
OF_ONE_LANE = [("row", (3, 1, 1)), ("diagonal", (1, 3, 2))]


@pytest.mark.slow
@pytest.mark.parametrize("smallest", fewer_on_jax(SMALLEST, OF_ONE_LANE), ids=str)
def test_the_smallest_images_train_score_and_sample(smallest, tmp_path):
    recurrence, image_shape = smallest
    model = scrambled(pz.models.PixelRNN(image_shape, 3, recurrence, units=2, **TINY))
    check_everything(model, tmp_path if smallest == EXPORTED else None)


@tensorflow_alone
def test_a_multi_scale_model_may_begin_with_one_pixel():
    options = {"units": 2, "recurrence": "row", **TINY}
    check_everything(scrambled(pz.models.MultiScalePixelRNN((2, 2, 1), 3, ((1, 1),), options=options)))


def check_everything(model, folder=None):
    """Score, sample, complete, train; and export to a folder, which takes longer than all the rest."""
    images, nats = model.generate(3, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(images), rtol=1e-4)
    known = np.zeros(images.shape[1:3], bool)
    known[0] = True
    assert (model.complete(images, known)[:, 0] == images[:, 0]).all()
    if folder and ON_TENSORFLOW:
        served = saved_models.session_arguments(pz.export(model, folder / "model"), optimize=False)
        session = c_session.CSession(*served)
        np.testing.assert_allclose(session.run("score", {"image": images})["log_likelihood"], nats, rtol=1e-4)
        drawn = session.run("sample", {"seed": np.arange(3), "temperature": np.ones(3, "float32")})
        assert (drawn["image"] == images).all()
    model.compile()
    assert np.isfinite(model.train_on_batch(images)).all()


@pytest.mark.slow
@pytest.mark.skipif(not ON_TENSORFLOW, reason="JAX always compiles with XLA")
@pytest.mark.xla
def test_images_of_one_lane_score_and_train_under_xla():
    """Each layer alone: see test_lstm_scan.py."""
    model = scrambled(pz.models.PixelRNN((1, 4, 1), 2, "diagonal", units=2, **TINY))
    images = np.zeros((1, 1, 4, 1), "uint8")
    nats = -model.log_likelihood(images)[0]
    model.compile(jit_compile=True)
    metrics = model.train_on_batch(images, return_dict=True)
    np.testing.assert_allclose([metrics["nats"], nats], keras.ops.convert_to_numpy(metrics["loss"]), rtol=1e-4)


def test_a_model_with_nan_weights_draws_nothing():
    model = pz.models.PixelCNN((2, 2, 1), filters=2, **TINY)
    model.get_layer("head1").bias.assign([np.nan, 0])
    with pytest.raises(ValueError, match="log-likelihood of 2 of 2 drawn images is NaN"):
        model.generate(2)
    with pytest.raises(ValueError, match="log-likelihood of 3 of 3 drawn images is NaN"):
        model.complete(np.zeros((3, 2, 2, 1), int), np.eye(2, dtype=bool), progress=True)


@pytest.mark.parametrize("policy", fewer_on_jax(["mixed_bfloat16", "mixed_float16", "bfloat16"], ["mixed_bfloat16"]))
@pytest.mark.parametrize("levels", fewer_on_jax([256, 8192], [8192]))
def test_half_precision_tells_all_levels_apart(policy, levels):
    """What reads the image's values computes in float32."""
    for architecture in (pz.models.PixelCNN, pz.models.GatedPixelCNN):
        model = architecture((64, levels // 64, 1), levels, filters=2, small_shape=(64, 1), dtype=policy, **TINY)
        for name, image in (("scale", "image"), ("small_scale", "small")):
            scale = model.get_layer(name)
            assert len(np.unique(keras.ops.convert_to_numpy(scale(np.arange(levels)[None])))) == levels, image
            readers = [node.operation for node in scale.output._keras_history.operation._outbound_nodes]
            assert {reader.compute_dtype for reader in readers} == {"float32"}


@pytest.mark.parametrize(
    ("dtype", "levels", "warns"), [("mixed_bfloat16", 256, 1), ("bfloat16", 17, 0), ("float32", 256, 0)]
)
def test_a_layer_that_reads_the_image_in_half_precision_is_named(dtype, levels, warns):
    image = keras.Input((2, 2, 1), dtype="int32", name="image")
    x = keras.layers.Rescaling(2 / (levels - 1), -1.0, dtype=dtype, name="scaling")(image)
    logits = pz.layers.Logits(levels)(pz.layers.MaskedConv2D(2, 3, "A")(x))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pz.models.PixelModel(image, logits)
    assert [str(one.message)[:36] for one in caught] == ["'scaling' reads the image in bfloat16"[:36]] * warns


def test_half_precision_samples_what_it_scores():
    """Layers of different dtypes: the walker casts between them as Keras does."""
    images, x = image_input(3, 3, 2)
    above = pz.layers.VerticalConv2D(4, 3, "A")(x)
    above = pz.layers.VerticalConv2D(4, 3, "B", dtype="mixed_bfloat16")(above)
    x = pz.layers.MaskedConv2D(4, 3, "A", colours=2)(x)
    x = pz.layers.GatedConv2D(4, 3, "B", colours=2, dtype="mixed_bfloat16")(x)
    x = pz.layers.RowLSTM(4, colours=2)(x)
    x = pz.layers.MaskedConv2D(4, 3, "B", colours=2, dtype="mixed_bfloat16")(x, bias=above)
    model = scrambled(pz.models.PixelModel(images, pz.layers.Logits(3, colours=2)(x)))
    drawn, nats = model.generate(4, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(drawn), rtol=0.02)


@pytest.mark.slow
@tensorflow_alone
def test_an_unsupported_backend_is_named_at_import():
    done = subprocess.run(
        [sys.executable, "-c", "import pixel_zoo, keras"],
        env={**os.environ, "KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "runs on the Keras backends 'tensorflow' and 'jax', got 'numpy'" in done.stderr.splitlines()[-1]


@pytest.mark.compiled
@pytest.mark.skipif(not ON_TENSORFLOW, reason="JAX does not warn")
def test_several_models_do_not_make_tensorflow_warn(caplog):
    image, x = image_input(1, 1, 1)
    with caplog.at_level(logging.WARNING, "tensorflow"):
        for factor in range(7):
            assert float(backend.compiled(lambda y, factor=factor: y * factor, [])(np.float32(1))) == factor
            model = pz.models.PixelModel(image, pz.layers.Logits(2)(pz.layers.MaskedConv2D(1, 3, "A")(x)))
            model.compile()
            model.evaluate(np.zeros((1, 1, 1, 1), "uint8"), verbose=0)
    assert "retracing" not in caplog.text
