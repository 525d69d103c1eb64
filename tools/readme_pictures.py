"""Draw the pictures of the README and the site: docs/hero.png, and docs/thumbnails/NAME.png of each pretrained model.

python tools/readme_pictures.py         # all; needs binarised MNIST and CIFAR-10; takes a few minutes on two cores
python tools/readme_pictures.py NAME    # the thumbnail of a new model alone
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import pixel_zoo as pz
from pixel_zoo import pictures
from pixel_zoo.zoo.codecs import codec_of
from pixel_zoo.zoo.index import read_index

DOCS = pathlib.Path(__file__).parents[1] / "docs"
ROWS, GAP, TILE = 4, 3, 84  # images in a column, pixels between them, pixels of an image
DIGITS, PHOTOGRAPHS = "binarized_mnist_mixture", "cifar10_pixel_cnn"
SEEN = {DIGITS: (3, 2, 1, 18), PHOTOGRAPHS: (1, 8, 3, 6)}  # test images whose upper half is completed


def sheet(columns, levels, tile=TILE):
    """Columns of images (ROWS, height, width, colours) side by side, on white; -1 is an unknown value."""
    images = np.stack(columns, axis=1)  # (row, column, height, width, colours)
    unknown = (images < 0).any(axis=-1, keepdims=True)
    colours = pictures.to_colours(np.maximum(images, 0).reshape(-1, *images.shape[2:]), levels)
    colours = np.where(unknown, np.array(pictures.UNKNOWN, "uint8"), colours.reshape(*images.shape[:4], 3))
    zoom = tile // images.shape[2]
    colours = colours.repeat(zoom, axis=2).repeat(zoom, axis=3)
    framed = np.pad(colours, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255)
    rows, count, height, width, _ = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * height, count * width, 3)[:-GAP, :-GAP]


def completed(name, model, count):
    """Columns: what is known of some test images, and `count` completions of each."""
    images = pz.data.arrays(read_index()[name]["recipe"]["data"], "test")[list(SEEN[name])]
    known = np.arange(model.image_shape[0]) < model.image_shape[0] // 2
    known = np.repeat(known[:, None], model.image_shape[1], axis=1)
    drawn = [model.complete(images, known, seed=ROWS * number) for number in range(count)]
    return [np.where(known[..., None], images.astype(int), -1), *drawn]


def draw_thumbnail(name):
    """Four samples of a model in a row."""
    model = pz.load(name)
    labels = None if model.num_classes is None else range(4)
    codec = codec_of(name, model)
    samples = codec.decode(model.generate(4, seed=0, labels=labels))
    (DOCS / "thumbnails").mkdir(exist_ok=True)
    pictures.save(sheet(samples[:, None], codec.levels, tile=64), DOCS / "thumbnails" / f"{name}.png")


def draw_hero():
    digits, photographs = pz.load(DIGITS), pz.load(PHOTOGRAPHS)
    samples = digits.generate(6 * ROWS, seed=0).reshape(6, ROWS, *digits.image_shape)
    panels = {
        "samples": sheet(samples, digits.levels),
        "completions, given the upper half": sheet(completed(DIGITS, digits, 5), digits.levels),
        "completions of photographs": sheet(completed(PHOTOGRAPHS, photographs, 4), photographs.levels),
    }
    widths = [panel.shape[1] / panel.shape[0] for panel in panels.values()]  # so that all have the same height
    figure, axes = plt.subplots(1, 3, figsize=(16, 4.2), width_ratios=widths, layout="constrained")
    for axis, (title, panel) in zip(axes, panels.items(), strict=True):
        axis.imshow(panel, interpolation="nearest")
        axis.set_title(title, fontsize=15)
        axis.set_axis_off()
    figure.savefig(DOCS / "hero.png", dpi=120)


def main(names):
    for name in names or pz.pretrained_names():
        draw_thumbnail(name)
    if not names:
        draw_hero()


if __name__ == "__main__":
    main(sys.argv[1:])
