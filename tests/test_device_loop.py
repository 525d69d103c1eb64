"""Many training steps in one call on the device: those of `fit`, also after an interruption."""

import dataclasses
import types

import keras
import numpy as np
import pytest
from interrupted_runs import RECIPE, Killed, assert_same_run, kill, log_and_seconds, train_until

from pixel_zoo import data
from pixel_zoo.training import train
from pixel_zoo.training.device_loop import DeviceLoop
from pixel_zoo.training.set_up import build_model, compile_model
from pixel_zoo.training.speed_trial import trial
from pixel_zoo.training.state import load_state

ON_JAX = keras.backend.backend() == "jax"
pytestmark = pytest.mark.skipif(not ON_JAX, reason="the loop is JAX's")


def train_by(steps_per_call, output, recipe=RECIPE, **options):
    train(recipe, output, steps_per_call=steps_per_call, samples=False, verbose=0, **options)
    return load_state(output / "state.npz")


@pytest.fixture(scope="module")
def by_fours(tmp_path_factory):
    """Ten steps an epoch in calls of four: the last call of an epoch takes two."""
    output = tmp_path_factory.mktemp("by_fours")
    train_by(4, output)
    return output


def test_a_loop_takes_the_steps_of_fit(by_fours, tmp_path):
    progress, arrays = load_state(by_fours / "state.npz")
    _, expected = train_by(1, tmp_path)
    assert (progress["epoch"], progress["steps"]) == (2, 10)
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)
    (rows, _), (expected_rows, _) = log_and_seconds(by_fours), log_and_seconds(tmp_path)
    for row, other in zip(rows, expected_rows, strict=True):
        assert {name: float(value) for name, value in row.items()} == pytest.approx(
            {name: float(value) for name, value in other.items()}, rel=1e-5
        )


@pytest.mark.slow
def test_the_length_of_a_call_changes_no_bit(by_fours, tmp_path):
    _, arrays = train_by(100, tmp_path)  # more than an epoch has
    for array, other in zip(arrays, load_state(by_fours / "state.npz")[1], strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.mark.slow
def test_a_loop_that_is_killed_and_resumed_gives_the_same_run(by_fours, tmp_path, monkeypatch):
    for call in (1, 6):  # within the first epoch, and at the start of the third, of three calls each
        with pytest.raises(Killed):
            train_until(tmp_path, call, kill, monkeypatch, steps_per_call=4, checkpoint_steps=4)
    train(RECIPE, tmp_path, resume=True, steps_per_call=4, samples=False, verbose=0)
    assert_same_run(tmp_path, by_fours)


def test_a_run_is_not_resumed_by_another_engine(by_fours):
    with pytest.raises(ValueError, match="resume: the run was started with steps_per_call=4, got 5"):
        train(RECIPE, by_fours, resume=True, steps_per_call=5, verbose=0)


@pytest.mark.slow
def test_labels_reach_the_loop(tmp_path):
    recipe = dataclasses.replace(RECIPE, model_options=RECIPE.model_options | {"num_classes": 10}, epochs=1)
    looped, plain = (train_by(steps, tmp_path / str(steps), recipe)[1] for steps in (10, 1))
    for array, other in zip(looped, plain, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)


def test_images_that_do_not_fit_are_refused_with_both_sizes(monkeypatch):
    device = types.SimpleNamespace(memory_stats=lambda: {"bytes_limit": 2**21, "bytes_in_use": 2**20})
    import jax

    monkeypatch.setattr(jax, "devices", lambda: [device])
    model = build_model(RECIPE)
    compile_model(model, RECIPE, steps_per_epoch=10)
    with pytest.raises(MemoryError, match=r"training data take 2 MiB, and the device has 1 MiB free; steps_per_call=1"):
        DeviceLoop(model, np.zeros((2**15, 8, 8, 1), "uint8"))


@pytest.mark.slow
def test_mixed_precision_trains_and_saves_float32(by_fours, tmp_path):
    recipe = dataclasses.replace(RECIPE, mixed_precision=True)
    train_by(4, tmp_path, recipe)
    best = keras.models.load_model(tmp_path / "best.keras")
    assert {layer.compute_dtype for layer in best.layers} <= {"float32", "int32"}
    rows, expected = log_and_seconds(tmp_path)[0], log_and_seconds(by_fours)[0]
    figures = [float(row["val_nats"]) for row in rows]
    assert figures == pytest.approx([float(row["val_nats"]) for row in expected], rel=1e-2)
    images = data.arrays("digits", "validation")
    assert -best.log_likelihood(images).mean() == pytest.approx(min(figures), rel=1e-3)


@pytest.mark.slow_on_jax
def test_a_trial_times_the_loop_and_trains_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = trial(RECIPE, data.arrays("digits", "train"), steps_per_call=2)
    assert result.compile_seconds > result.step_seconds > 0
    assert 0 < result.loss < 64 * np.log(17) * 1.5
    assert not list(tmp_path.iterdir())
