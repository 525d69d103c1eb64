"""Interrupted runs are resumed, with the results of an uninterrupted run."""

import dataclasses
import errno
import io
import itertools
import json
import os
import shutil
import signal
import types

import keras
import numpy as np
import pytest
from backends import few_are_quick, tensorflow_alone
from interrupted_runs import RECIPE, STEPS_PER_EPOCH, Killed, assert_same_run, kill, train_until

from pixel_zoo import models
from pixel_zoo.files import sole_writer
from pixel_zoo.training import train
from pixel_zoo.training.callbacks.patience import Patience
from pixel_zoo.training.callbacks.resumable import Resumable
from pixel_zoo.training.state import load_state, restore, save_state


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed")
    train(RECIPE, output, samples=False, verbose=0)
    return output


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("steps", few_are_quick([(18,), (8, 10, 29)], [(18,)]), ids=str)
def test_a_run_that_is_killed_and_resumed_is_the_same_run(undisturbed, tmp_path, monkeypatch, steps):
    for step in steps:  # between two saves, and the first and the last one of an epoch
        with pytest.raises(Killed):
            train_until(tmp_path, step, kill, monkeypatch, checkpoint_steps=5)
    train(RECIPE, tmp_path, resume=True, samples=False, verbose=0)
    assert_same_run(tmp_path, undisturbed)


@tensorflow_alone
def test_a_signal_saves_the_step_first(tmp_path, monkeypatch):
    def default(number, frame):
        raise Killed

    interrupt, before = signal.getsignal(signal.SIGINT), signal.signal(signal.SIGTERM, default)
    try:
        with pytest.raises(Killed):
            train_until(tmp_path, 7, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch)
        assert signal.getsignal(signal.SIGTERM) is default
        assert signal.getsignal(signal.SIGINT) is interrupt
    finally:
        signal.signal(signal.SIGTERM, before)
    progress, _ = load_state(tmp_path / "state.npz")
    assert (progress["epoch"], progress["steps"], progress["history"]) == (0, 8, [])


@tensorflow_alone
def test_a_run_tells_how_many_cores_it_may_use(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3}, raising=False)
    with pytest.raises(Killed):
        train_until(tmp_path, 0, kill, monkeypatch)
    assert json.loads((tmp_path / "config.json").read_text())["machine"].startswith("1 core of ")


@pytest.mark.slow
@tensorflow_alone
def test_a_run_that_ran_out_of_time_goes_on(undisturbed, tmp_path, monkeypatch):
    seconds = itertools.count(step=15)  # a step takes 15 seconds by this clock
    with monkeypatch.context() as patch:
        patch.setattr(
            "pixel_zoo.training.callbacks.stop_after.time", types.SimpleNamespace(monotonic=lambda: next(seconds))
        )
        train(RECIPE, tmp_path, minutes=4, samples=False, verbose=0)
    assert load_state(tmp_path / "state.npz")[0]["epoch"] == 1
    for _ in ("what is left", "nothing is left to do"):
        train(RECIPE, tmp_path, resume=True, samples=False, verbose=0)
        assert_same_run(tmp_path, undisturbed)


@tensorflow_alone
def test_the_time_that_a_run_takes_goes_on_from_what_was_saved(undisturbed, monkeypatch):
    progress, _ = load_state(undisturbed / "state.npz")
    stopwatch = Resumable(undisturbed / "state.npz", STEPS_PER_EPOCH).stopwatch
    assert stopwatch.seconds == progress["seconds"] > progress["history"][-1]["seconds"]
    clock, logs = iter([100.0, 107.0]), {}
    monkeypatch.setattr(
        "pixel_zoo.training.callbacks.stopwatch.time", types.SimpleNamespace(monotonic=lambda: next(clock))
    )
    stopwatch.on_train_begin()
    stopwatch.on_epoch_end(3, logs)
    assert logs == {"seconds": progress["seconds"] + 7.0}


@pytest.mark.slow
@tensorflow_alone
def test_a_full_disk_is_reported_and_the_state_before_stays(tmp_path, monkeypatch):
    def fill(file, **arrays):
        if calls.append(1) or len(calls) == 1:
            return savez(file, **arrays)
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    savez, calls = np.savez, []
    monkeypatch.setattr(np, "savez", fill)
    with pytest.raises(OSError, match=r"output: .*state.npz' can't be written \(No space left on device\)"):
        train(RECIPE, tmp_path, checkpoint_steps=5, samples=False, verbose=0)
    assert load_state(tmp_path / "state.npz")[0]["steps"] == 5
    assert not list(tmp_path.glob(".unfinished*"))


def test_a_state_that_is_not_finite_is_not_saved(tmp_path):
    model = models.PixelCNN((4, 4, 1), filters=2, num_blocks=1, head_filters=2)
    model.compile()
    assert save_state(tmp_path / "state.npz", model, {"good": True})
    model.get_layer("head1").bias.assign([1.0, float("nan")])
    assert not save_state(tmp_path / "state.npz", model, {"good": False})
    assert load_state(tmp_path / "state.npz")[0] == {"good": True}


def test_a_state_of_bfloat16_is_given_back(tmp_path):
    def build():
        model = models.PixelCNN((4, 4, 1), filters=2, num_blocks=1, head_filters=2, dtype="bfloat16")
        model.compile(keras.optimizers.Adam())
        return model

    saved, other = build(), build()
    save_state(tmp_path / "state.npz", saved, {})
    restore(other, load_state(tmp_path / "state.npz")[1])
    dtypes = {variable.dtype for variable in other.variables}
    assert "bfloat16" in dtypes
    for variable, wanted in zip(other.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(variable, wanted)


@tensorflow_alone
@pytest.mark.parametrize(
    "change, message",
    [
        ({"learning_rate": 1e-3}, "resume: the run was started with learning_rate=0.01, got 0.001"),
        ({"model_options": {"filters": 5}}, "resume: the run was started with model_options="),
    ],
)
def test_another_recipe_does_not_go_on_with_a_run(change, message, undisturbed):
    with pytest.raises(ValueError, match=message):
        train(dataclasses.replace(RECIPE, **change), undisturbed, resume=True, samples=False, verbose=0)


def state(progress):
    """The bytes of a state of no arrays."""
    file = io.BytesIO()
    np.savez(file, progress=np.array(progress))
    return file.getvalue()


@tensorflow_alone
@pytest.mark.parametrize(
    "name, content, message",
    [
        ("config.json", b"{}", "resume: .*config.json' is not the configuration of a run; name another output"),
        ("config.json", b'{"recipe": 3}', "resume: .*config.json' is not the configuration of a run"),
        ("config.json", b"[", "resume: .*config.json' is not the configuration of a run"),
        ("state.npz", b"", "resume: .*state.npz' is not a whole state of a run .*; train into a new directory"),
        ("state.npz", b"PK half", "resume: .*state.npz' is not a whole state of a run"),
        ("state.npz", state("{}"), "resume: .*state.npz' is not the state of a run: .*epoch, .*, got {}; train into"),
        ("state.npz", state("3"), "resume: .*state.npz' is not the state of a run: .* got 3; train into"),
        ("state.npz", state('{"epoch": "x"}'), "resume: .*state.npz' is not the state of a run: .* got {'epoch': 'x'}"),
    ],
)
def test_damaged_files_are_named_in_one_line(name, content, message, undisturbed, tmp_path):
    for file in ("config.json", "state.npz"):
        shutil.copy(undisturbed / file, tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        train(RECIPE, tmp_path, resume=True, samples=False, verbose=0)
    assert (tmp_path / name).read_bytes() == content


@tensorflow_alone
def test_a_second_process_does_not_write_into_a_run(undisturbed):
    with sole_writer(undisturbed), pytest.raises(BlockingIOError, match="is being written by process"):
        train(RECIPE, undisturbed, resume=True, samples=False, verbose=0)


@tensorflow_alone
def test_other_images_do_not_go_on_with_a_run(undisturbed, tmp_path):
    configuration = json.loads((undisturbed / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(configuration | {"training_images_sha256": "0"}))
    with pytest.raises(ValueError, match="resume: the run was started with training_images_sha256='0'"):
        train(RECIPE, tmp_path, resume=True, samples=False, verbose=0)


@tensorflow_alone
def test_a_directory_with_other_files_is_not_resumed(tmp_path):
    (tmp_path / "precious").write_text("weights")
    with pytest.raises(FileExistsError, match="name a new or empty directory"):
        train(RECIPE, tmp_path, resume=True, samples=False, verbose=0)


@pytest.mark.parametrize("history, epochs", [([], 3), ([1.0], 2), ([1.0, 2.0], 1)])
def test_patience_counts_the_epochs_before_the_run_was_resumed(history, epochs):
    patience = Patience(2, [{"val_nats": nats} for nats in history])
    patience.set_model(types.SimpleNamespace(stop_training=False))
    patience.on_train_begin()
    for epoch, nats in enumerate([1.0, 2.0, 3.0][len(history) :], start=1):
        assert not patience.model.stop_training
        patience.on_epoch_end(len(history) + epoch - 1, {"val_nats": nats})
    assert patience.model.stop_training and epoch == epochs
