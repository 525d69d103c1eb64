"""What compiles and computes a training step on a CPU."""

import os
import platform

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import pixel_zoo_cli.runs
from pixel_zoo import backend, models
from pixel_zoo_cli import app

on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX compiles it")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is turned on for x86")
@pytest.mark.parametrize(("variable", "expected"), [(None, "1"), ("0", "0")])
def test_train_turns_onednn_on_before_keras_is_imported(variable, expected, monkeypatch, tmp_path):
    seen = []

    def import_keras():
        seen.append(os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
        raise KeyboardInterrupt

    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", variable or "")
    if variable is None:
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    monkeypatch.setattr(pixel_zoo_cli.runs, "import_keras", import_keras)
    CliRunner().invoke(app, ["train", "digits:pixel_cnn", "--output", str(tmp_path / "run")])
    assert seen == [expected]


@on_jax
def test_single_steps_train_as_those_that_keras_compiles():
    images = np.random.default_rng(0).integers(0, 2, (8, 6, 6, 1))
    weights = []
    for steps in (1, 2):  # Keras compiles two steps at a time itself
        keras.utils.set_random_seed(0)
        model = models.PixelCNN((6, 6, 1), filters=4, num_blocks=1, head_filters=4)
        model.compile(steps_per_execution=steps)
        model.fit(images, batch_size=4, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for ours, kerass in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, kerass, rtol=1e-4, atol=1e-6)


@on_jax
def test_a_step_compiles_without_ynnpack_where_xla_knows_the_option(monkeypatch):
    import jax

    if jax.default_backend() != "cpu":
        pytest.skip("an accelerator has no YNNPACK")
    jit, options = jax.jit, []
    monkeypatch.setattr(jax, "jit", lambda function, **given: options.append(given) or jit(function, **given))
    model = models.PixelCNN((6, 6, 1), filters=4, num_blocks=1, head_filters=4)
    model.compile()
    model.train_on_batch(np.zeros((2, 6, 6, 1), "uint8"))
    steps = [given for given in options if given.get("donate_argnums") == 0]
    without_ynnpack = backend._options_without_ynnpack()
    assert without_ynnpack is not None or jax.__version_info__ < (0, 10)
    assert [given["compiler_options"] for given in steps] == [without_ynnpack]

    def jit_of_another_version(function, compiler_options=None, **given):
        return jit(function, compiler_options=compiler_options and {"xla_cpu_no_such_option": ""}, **given)

    monkeypatch.setattr(jax, "jit", jit_of_another_version)
    assert backend._options_without_ynnpack.__wrapped__() is None
