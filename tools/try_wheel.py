"""Use an installed wheel as a new user would, and fail if something is missing. Needs no network, and no checkout.

FRESH/bin/python try_wheel.py      # FRESH is an environment that has the wheel alone

`c_session.py` and `saved_models.py` of the tests must lie beside this file: they run a SavedModel without Python.
"""

import contextlib
import io
import os
import pathlib
import sys
import tempfile

import c_session
import saved_models

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("PIXEL_ZOO_URL", None)


def pixel_zoo(*words):
    """Run the command line in this process, since each import of Keras takes seconds: its output."""
    from pixel_zoo_cli import app

    print("pixel-zoo", *words, flush=True)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        app(words, standalone_mode=False)
    return output.getvalue()


def try_recipes_and_training():
    assert "mnist:diagonal_bilstm" in pixel_zoo("recipes")
    pixel_zoo("recipes", "--copy", "mnist", ".")
    assert pathlib.Path("mnist.py").is_file()
    pixel_zoo("train", "digits:pixel_cnn", "--epochs", "1", "--no-samples", "--output", "run")
    print(pixel_zoo("evaluate", "run/best.keras", "--data", "digits"), flush=True)


def try_models():
    import keras
    import numpy as np
    import tensorflow as tf

    import pixel_zoo as pz
    from pixel_zoo.zoo.index import read_index

    assert pathlib.Path(pz.__file__).is_relative_to(sys.prefix), f"{pz.__file__} is not of the wheel"
    parts = [f"{name}.{part}" for name, entry in read_index().items() for part in entry.get("parts", ())]
    for name in [*pz.pretrained_names(), *parts]:
        print(pz.path(name).relative_to(sys.prefix), flush=True)  # compares its SHA-256 with the index
    images = pz.load("binarized_mnist_diagonal_bilstm").generate(4)
    print("binarized_mnist_diagonal_bilstm draws", images.shape, flush=True)
    assert images.shape == (4, 28, 28, 1)
    evaluated = pixel_zoo("evaluate", "digits_gated", "--data", "digits")
    print(evaluated, flush=True)
    assert "79.058" in evaluated
    pixel_zoo("sample", "digits_gated", "--num-images", "2", "--output", "samples")
    pixel_zoo("score", "digits_gated", "samples", "--output", "scores.csv")
    assert len(pathlib.Path("scores.csv").read_text().splitlines()) == 3
    pixel_zoo("export", "digits_gated", "served")
    served = tf.saved_model.load("served/1").signatures["sample"]
    images = served(seed=tf.range(2, dtype=tf.int64), temperature=tf.ones(2))["image"].numpy()
    assert np.array_equal(images, keras.models.load_model(pz.path("digits_gated")).generate(2, seed=0))
    session = c_session.CSession(*saved_models.session_arguments("served/1"))
    served = session.run("sample", {"seed": np.arange(2), "temperature": np.ones(2, "float32")})
    assert np.array_equal(images, served["image"])
    print("The served signature draws the images that Python draws, by TensorFlow's C library too.", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        try_recipes_and_training()
        try_models()
