"""What importing the package imports, each time in a fresh process."""

import importlib
import os
import subprocess
import sys

import pytest

import pixel_zoo as pz
from pixel_zoo import quiet

CHECK = """
import keras
import pixel_zoo
for name in ("PixelCNN", "MultiScalePixelRNN", "RowLSTM", "BitsPerDim"):
    assert keras.saving.get_registered_object(f"pixel_zoo>{name}") is not None, name
for name in pixel_zoo.__all__:
    getattr(pixel_zoo, name)
"""
TRAIN = """
import numpy as np
model = pixel_zoo.models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)
model.compile()
model.fit(np.zeros((4, 4, 4, 1), "uint8"), verbose=0)
"""


def run(program, **more):
    """Run Python where nothing asks TensorFlow to be silent; returns what it wrote to stderr."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"} | more
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, env=environment, stderr=subprocess.PIPE, text=True)
    return done.stderr


def test_the_client_imports_numpy_and_nothing_large():
    """Keras and TensorFlow take seconds; a module that imports one of them by accident shows here."""
    run("""
import sys
before = set(sys.modules)  # what the start of the interpreter imports
from pixel_zoo.sampler import Sampler
from pixel_zoo.serving import Client
packages = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
assert packages == {"numpy", "pixel_zoo", "wrapt"}, packages
""")


def test_without_keras_or_its_engine_it_is_said_how_to_install_them():
    run("""
import sys
sys.modules["keras"] = None
import pixel_zoo as pz
try:
    pz.load
except ModuleNotFoundError as error:
    assert "pixel_zoo.load needs keras, which is not installed: pip install pixel-zoo; or" in str(error), error
else:
    raise AssertionError
""")


@pytest.mark.slow
def test_keras_knows_the_classes_and_tensorflow_is_silent():
    assert run(f"import pixel_zoo\n{CHECK}\n{TRAIN}") == ""  # Keras comes later


@pytest.mark.slow
def test_a_module_may_be_imported_first_and_tensorflow_and_what_clients_need_be_absent():
    absent = dict.fromkeys(["grpc", "httpx", "tensorflow", "tensorflow_serving"])
    first = f"import sys; sys.modules.update({absent})\nfrom pixel_zoo.likelihoods import bits_per_dim"
    assert run(f"{first}\n{CHECK}", KERAS_BACKEND="jax") == ""  # Keras comes in the middle of an import of ours


def test_errors_that_tensorflow_logs_are_shown(monkeypatch, capfd):
    """The level drops what is below it, from the libraries that ignore it too, and nothing else."""

    def load():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")
        os.write(2, b"I0000 00:00:17957 1 cudart_stub.cc:31] Could not find cuda drivers\n")
        os.write(2, b"E0000 00:00:17957 1 cuda_platform.cc:52] failed call to cuInit\nF0000 00:00:17957 1 a.cc:1] No\n")
        os.write(2, b"Segmentation fault\n")
        raise ImportError("libtensorflow_cc.so.2")

    shown = {}
    for level in "023":
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
        with pytest.raises(ImportError, match="libtensorflow"):
            quiet._without_messages(load)()
        shown[level] = [line.split()[0] for line in capfd.readouterr().err.splitlines()]
    assert shown["0"] == ["WARNING:", "I0000", "E0000", "F0000", "Segmentation"]
    assert shown["2"] == ["E0000", "F0000", "Segmentation"]
    assert shown["3"] == ["F0000", "Segmentation"]


def test_a_level_that_the_user_has_chosen_stays(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    quiet.quieten_tensorflow()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1"
    monkeypatch.setattr(quiet, "GPUS", [os.devnull])  # as on a machine with a GPU
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    quiet.quieten_tensorflow()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2"


def test_public_names_are_found_and_others_are_not():
    assert set(pz.__all__) <= set(dir(pz))
    assert pz.export.__name__ == "export" and pz.models.PixelCNN is not None
    with pytest.raises(AttributeError, match="'pixel_zoo' has no attribute 'nothing'"):
        pz.nothing  # noqa: B018


def test_the_program_without_typer_says_what_to_install(monkeypatch):
    """The extra `client` brings the client of a server alone."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("pixel_zoo_cli", "typer")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match="needs typer, which is not installed: pip install pixel-zoo"):
        importlib.import_module("pixel_zoo_cli").app()
    sys.modules.pop("pixel_zoo_cli")
