"""Use an installed wheel as a new user would, and fail if something is missing. Needs no network, and no checkout.

FRESH/bin/python try_wheel.py      # in an empty directory; FRESH is an environment that has the wheel alone
"""

import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("PIXEL_ZOO_URL", None)

PROGRAM = pathlib.Path(sys.executable).with_name("pixel-zoo")


def pixel_zoo(*words):
    """Run the command line: its output."""
    print("pixel-zoo", *words, flush=True)
    return subprocess.run([PROGRAM, *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def try_command_line():
    assert "mnist:diagonal_bilstm" in pixel_zoo("recipes")
    pixel_zoo("recipes", "--copy", "mnist", ".")
    assert pathlib.Path("mnist.py").is_file()
    pixel_zoo("sample", "binarized_mnist_diagonal_bilstm", "--num-images", "4", "--output", "samples.png")
    pixel_zoo("train", "digits:pixel_cnn", "--epochs", "1", "--no-samples", "--output", "run")
    print(pixel_zoo("evaluate", "run/best.keras", "--data", "digits"))
    print(pixel_zoo("evaluate", "digits_gated", "--data", "digits"))
    pixel_zoo("export", "digits_gated", "served")


def try_library():
    import keras
    import numpy as np
    import tensorflow as tf

    import pixel_zoo as pz

    assert pathlib.Path(pz.__file__).is_relative_to(sys.prefix), f"{pz.__file__} is not of the wheel"
    shape = pz.load("binarized_mnist_diagonal_bilstm").generate(4).shape
    assert shape == (4, 28, 28, 1), shape
    for name in pz.pretrained_names():
        print(name, f"{keras.models.load_model(pz.path(name)).count_params():,} parameters")
    served = tf.saved_model.load("served/1").signatures["sample"]
    images = served(seed=tf.range(2, dtype=tf.int64), temperature=tf.ones(2))["image"].numpy()
    assert np.array_equal(images, pz.load("digits_gated").generate(2, seed=0))
    print("The served signature draws the images that Python draws.")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        try_command_line()
        try_library()
