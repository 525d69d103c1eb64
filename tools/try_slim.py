"""Use an installed wheel of pixel-zoo-slim as a new user would, and fail if something is missing. Needs no network.

FRESH/bin/python try_slim.py client     # FRESH has pixel_zoo_slim-*.whl[client]: no Keras, no TensorFlow
FRESH/bin/python try_slim.py jax        # FRESH has pixel_zoo_slim-*.whl[jax]: JAX, no TensorFlow
"""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "jax"
os.environ.pop("PIXEL_ZOO_URL", None)


def refusal(function, *arguments, **options):
    """The message of the error that a call raises."""
    try:
        function(*arguments, **options)
    except Exception as error:
        return str(error)
    raise AssertionError(f"{function} must fail")


def pixel_zoo(*words):
    """Run the command line in a process of its own."""
    print("pixel-zoo", *words, flush=True)
    program = pathlib.Path(sys.executable).with_name("pixel-zoo")
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)


def lacks(*packages):
    found = [package for package in packages if importlib.util.find_spec(package)]
    assert not found, f"{found} are installed"


def try_client():
    lacks("keras", "tensorflow", "jax")
    import numpy as np

    import pixel_zoo as pz
    from pixel_zoo.serving import AsyncClient, Client

    assert AsyncClient and pathlib.Path(pz.__file__).is_relative_to(sys.prefix), f"{pz.__file__} is not of the wheel"
    for address in ("127.0.0.1:9", "http://127.0.0.1:9"):
        with Client(address, "digits", timeout=0.5) as client:
            said = refusal(client.score, np.zeros((1, 8, 8, 1), "uint8"))
        print(said, flush=True)
        assert "127.0.0.1:9" in said
    for said in (refusal(getattr, pz, "load"), pixel_zoo("list").stderr):
        print(said, flush=True)
        assert "pip install" in said


def try_jax():
    lacks("tensorflow", "tensorflow_datasets")
    import keras
    import numpy as np

    import pixel_zoo as pz

    assert pathlib.Path(pz.__file__).is_relative_to(sys.prefix), f"{pz.__file__} is not of the wheel"
    model, images = pz.load("digits_gated"), pz.data.arrays("digits", "test")
    nats = -model.log_likelihood(images).mean()
    print(f"digits_gated has {nats:.3f} nats", flush=True)
    assert abs(nats - 79.058) < 0.01
    completed = model.complete(images[:2], np.arange(8)[:, None].repeat(8, axis=1) < 4)
    assert (completed[:, :4] == images[:2, :4]).all() and model.generate(4).shape == (4, 8, 8, 1)
    for said, named in (
        (refusal(pz.export, model, "served"), "KERAS_BACKEND=tensorflow"),
        (refusal(pz.data.arrays, "mnist", "test"), "pip install"),
    ):
        print(said, flush=True)
        assert named in said
    done = pixel_zoo("train", "digits:pixel_cnn", "--epochs", "1", "--no-samples", "--output", "run")
    assert done.returncode == 0, done.stderr
    assert keras.models.load_model("run/best.keras").levels == 17


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        {"client": try_client, "jax": try_jax}[sys.argv[1]]()
