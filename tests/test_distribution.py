"""Runs on several devices and processes end with the weights of a run on one device."""

import csv
import importlib
import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

from pixel_zoo import models
from pixel_zoo.training import Recipe, train
from pixel_zoo.training.distribution import OneDevice
from pixel_zoo.training.state import load_state

BACKEND = keras.backend.backend()
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.distribute")
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="Keras's distribution on JAX")

RUN = """
import json, os, sys, time
import keras
import numpy as np
from pixel_zoo import models
from pixel_zoo.training import Recipe, train

recipe, output, distribute, devices = json.loads(sys.argv[1])
if devices > 1:
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
if distribute == "data_parallel":
    import functools, jax
    jax.distributed.initialize = functools.partial(jax.distributed.initialize, shutdown_timeout_seconds=5)

def generate(self, num_images, seed):
    time.sleep(int(os.environ.get("SECONDS_TO_DRAW", 0)))
    return np.zeros((num_images, 8, 8, 1), "uint8")

models.PixelModel.generate = generate
train(Recipe(**recipe), output, distribute=distribute, resume=True, checkpoint_steps=5, verbose=0)
"""
RECIPE = {
    "data": "digits",
    "model": "PixelCNN",
    "model_options": {"filters": 4, "num_blocks": 1, "head_filters": 4},
    "learning_rate": 1e-4,
    "clip_norm": 1.0,
    "ema_momentum": 0.9,
    "batch_size": 128,
    "epochs": 2,
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def run(recipe, output, distribute=None, environments=({},), devices=1):
    """Train in as many processes as there are environments, and wait for them."""
    arguments = json.dumps([recipe, str(output), distribute, devices])
    command = [sys.executable, "-c", RUN, arguments]
    processes = [subprocess.Popen(command, env=os.environ | environment) for environment in environments]
    assert [process.wait(timeout=240) for process in processes] == [0] * len(processes)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """The recipe with a teacher, whose predictions are far from even."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.keras"
    teacher = models.PixelRNN((8, 8, 1), levels=17, units=3, num_blocks=1, head_filters=4)
    teacher.set_weights([np.random.default_rng(0).normal(0, 0.5, weight.shape) for weight in teacher.get_weights()])
    teacher.save(path)
    return RECIPE | {"teacher": str(path)}


@pytest.fixture(scope="module")
def one_process(taught, tmp_path_factory):
    """A run on one device, in this process."""
    output = tmp_path_factory.mktemp("one") / "run"
    train(Recipe(**taught), output, samples=False, verbose=0)
    return output


def assert_same(output, one_process):
    (progress, arrays), (expected_progress, expected) = (load_state(o / "state.npz") for o in (output, one_process))
    assert (progress["epoch"], progress["steps"]) == (expected_progress["epoch"], expected_progress["steps"]) == (1, 10)
    for array, other in zip(arrays, expected, strict=True):
        largest = abs(other).max(initial=0)
        differs = abs(array - other) > 1e-5 * max(largest, 1e-3)
        # Adam makes of a rounding error in a gradient near 0 one of up to a whole step: one entry may differ by that.
        assert differs.sum() <= max(1, 0.01 * other.size)
        np.testing.assert_allclose(array, other, rtol=1e-5, atol=min(RECIPE["learning_rate"], max(0.1 * largest, 1e-8)))
    logs, other = (list(csv.DictReader((o / "log.csv").open())) for o in (output, one_process))
    assert len(logs) == 2
    for row, expected in zip(logs, other, strict=True):
        for name in ("epoch", "loss", "nats", "val_nats"):
            assert float(row[name]) == pytest.approx(float(expected[name]), rel=1e-5)


@pytest.mark.slow
@on_tensorflow
def test_two_workers_of_tensorflow_train_as_one(taught, one_process, tmp_path):
    workers = [f"localhost:{free_port()}" for _ in range(2)]
    environments = [
        {"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})}
        for index in range(2)
    ]
    run(taught, tmp_path / "run", "multiworker", environments)
    assert_same(tmp_path / "run", one_process)


@pytest.mark.slow
@on_tensorflow
def test_two_devices_of_tensorflow_train_as_one(taught, one_process, tmp_path):
    run(taught, tmp_path / "run", "mirrored", devices=2)
    assert_same(tmp_path / "run", one_process)


@pytest.mark.slow
@on_jax
def test_two_processes_of_jax_train_as_one(taught, one_process, tmp_path):
    shared = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": f"localhost:{free_port()}", "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    environments = [shared | {"KERAS_DISTRIBUTION_PROCESS_ID": str(index)} for index in range(2)]
    run(taught, tmp_path / "run", "data_parallel", environments)
    assert_same(tmp_path / "run", one_process)

    # Taken up again after its best epoch: only the first process has a file of the best weights.
    state = dict(np.load(tmp_path / "run" / "state.npz"))
    progress = json.loads(state["progress"].item())
    progress["history"][0]["val_nats"] = 0.0
    np.savez(tmp_path / "run" / "state.npz", **state | {"progress": np.array(json.dumps(progress))})
    (tmp_path / "run" / "samples.png").unlink()
    # It draws for longer than JAX lets the other one, which has ended, wait for it.
    run(taught, tmp_path / "run", "data_parallel", [environments[0] | {"SECONDS_TO_DRAW": "10"}, environments[1]])
    assert (tmp_path / "run" / "samples.png").exists()


def test_a_batch_that_devices_cannot_share_is_refused(tmp_path, monkeypatch):
    two_devices = OneDevice()
    two_devices.replicas = 2
    monkeypatch.setattr(importlib.import_module("pixel_zoo.training.run"), "distribution", lambda name: two_devices)
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 2 devices, got 9"):
        train(Recipe(**RECIPE | {"batch_size": 9}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_several_processes_are_not_ended_by_their_clocks(tmp_path, monkeypatch):
    one_of_two = OneDevice()
    one_of_two.share = (1, 2)
    monkeypatch.setattr(importlib.import_module("pixel_zoo.training.run"), "distribution", lambda name: one_of_two)
    with pytest.raises(ValueError, match=r"minutes: several processes must end at the same step, .* got 5"):
        train(Recipe(data="digits", model="PixelCNN"), tmp_path / "run", minutes=5)


@pytest.mark.parametrize("name", ["mirrored", "multiworker", "data_parallel", "horovod"])
def test_what_the_backend_does_not_have_is_refused_with_what_it_has(name, tmp_path):
    right = {"tensorflow": ("mirrored", "multiworker"), "jax": ("data_parallel",)}[BACKEND]
    if name in right:
        pytest.skip("is there")
    message = "distribute must be one of mirrored, multiworker, data_parallel, got 'horovod'"
    if name != "horovod":
        message = f"distribute='{name}' needs KERAS_BACKEND=.*, got '{BACKEND}', which has {', '.join(right)}"
    with pytest.raises(ValueError, match=message):
        train(Recipe(data="digits", model="PixelCNN"), tmp_path / "run", distribute=name)
    assert not (tmp_path / "run").exists()
