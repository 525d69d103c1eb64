"""`make demo`: three architectures learn digits, and one of them is served.

Writes `demo/`, replacing an earlier one. Needs no download, and less than six minutes on two cores.
"""

import math
import os
import pathlib
import shutil
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

import pixel_zoo as pz
from pixel_zoo import data, pictures
from pixel_zoo.training import evaluate, load_recipes, train

ARCHITECTURES = ("pixel_cnn", "row_lstm", "diagonal_bilstm")
ROOT = pathlib.Path(__file__).parents[1]
OUTPUT = ROOT / "demo"
MARGIN = 0.10  # the margin by which every model must beat the histogram

console = Console()


def histogram_bits(levels):
    """Test bits/dim of one histogram per pixel: counts of the training split, plus half a count for each level."""
    training, test = data.arrays("digits", "train"), data.arrays("digits", "test")
    counts = (training[..., None] == np.arange(levels)).sum(axis=0) + 0.5
    bits = -np.log2(counts / counts.sum(axis=-1, keepdims=True))
    return np.take_along_axis(bits[None], test[..., None].astype(int), axis=-1).mean()


def served(directory, images, known):
    """Call the signatures `sample` and `complete` as a server does: with TensorFlow, from the SavedModel alone."""
    signatures = tf.saved_model.load(str(directory)).signatures
    count = len(images)
    options = {"seed": tf.range(count, dtype=tf.int64), "temperature": tf.ones(count)}
    inputs = {"image": tf.constant(images), "known": tf.constant(np.broadcast_to(known, images.shape[:3]))}
    sampled = signatures["sample"](**options)["image"]
    completed = signatures["complete"](**inputs, **options)["image"]
    return sampled.numpy(), completed.numpy()


def main():
    if OUTPUT.exists():
        console.print(f"Replacing {OUTPUT}/, which an earlier demo wrote.")
        shutil.rmtree(OUTPUT)
    start = time.perf_counter()
    levels = data.info("digits").levels
    histogram = histogram_bits(levels)
    table = Table("model", "parameters", "bits/dim", "to histogram", "trained in", title="digits, test split")
    table.add_row("uniform", "", f"{math.log2(levels):.3f}", "", "")
    table.add_row("histogram a pixel", "", f"{histogram:.3f}", "", "")

    trained, gains = {}, {}
    recipes = load_recipes(ROOT / "recipes" / "digits.py")
    for name in ARCHITECTURES:
        console.rule(name)
        began = time.perf_counter()
        model = trained[name] = train(recipes[name], OUTPUT / name, verbose=2)
        seconds = time.perf_counter() - began
        bits = evaluate(model, "digits", "test")["bits_per_dim"]
        gains[name] = 1 - bits / histogram
        table.add_row(name, f"{model.count_params():,}", f"{bits:.3f}", f"-{gains[name]:.1%}", f"{seconds:.0f} s")

    model = trained["diagonal_bilstm"]  # 16 images at a time throughout: what `train` has compiled already
    images = data.arrays("digits", "test")[:16]
    known = np.indices(images.shape[1:3])[0] < images.shape[1] // 2
    completed = model.complete(images[:4].repeat(4, axis=0), known, seed=0).reshape(4, 4, *images.shape[1:])
    drawn = model.generate(len(images), seed=0)
    pictures.save(pictures.grid(drawn, columns=4, levels=levels), OUTPUT / "samples.png")
    pictures.save(pictures.completions(images[:4], known, completed, levels), OUTPUT / "completions.png")
    shutil.copy(OUTPUT / "diagonal_bilstm" / "loss.png", OUTPUT / "loss.png")

    directory = pz.export(model, OUTPUT / "served")
    sampled, filled = served(directory, images, known)
    assert (sampled == drawn).all(), "the served signature draws other images"
    assert (filled[:, known] == images[:, known]).all(), "the served signature changes known pixels"

    console.print(table)
    console.print(f"Pictures in {OUTPUT}/: samples.png, completions.png, loss.png.")
    console.print(f"{directory}: its signatures `sample` and `complete` answered in plain TensorFlow.")
    console.print(f"{time.perf_counter() - start:.0f} s in all.")
    if min(gains.values()) < MARGIN:
        sys.exit(f"A model is less than {MARGIN:.0%} below the histogram.")


if __name__ == "__main__":
    main()
