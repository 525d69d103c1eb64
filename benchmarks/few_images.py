"""The ways to draw few images, of which `generate` chooses one by the model and the size of the batch.

    python benchmarks/few_images.py             # some minutes on two cores
    python benchmarks/few_images.py --xla --batches 1 16

`row by row` calls a compiled function for each row. The others run all rows in one graph: pixel by pixel from `left to
right`, each row by fixed-point `iteration`, or along a `wavefront`. How many passes an iteration takes depends on the
weights, so the models are pretrained. All ways take turns in one process; medians are printed. They must draw the same
images.
"""

import argparse
import functools
from unittest import mock

import numpy as np
from sampling import forward_pass
from turns import Table, medians

import pixel_zoo as pz
from pixel_zoo.sampling.drawing import Drawing
from pixel_zoo.sampling.walker import Walker

MODELS = {
    "PixelCNN 15x64": "binarized_mnist_pixel_cnn",
    "Gated PixelCNN 15x64": "binarized_mnist_gated",
    "Row LSTM 7x16": "binarized_mnist_row_lstm",
    "PixelCNN 6x32, CIFAR-10": "cifar10_pixel_cnn_small",
}
WAYS = ("row by row", "left to right", "iteration", "wavefront")


def draw(model, batch, xla, way):
    """Draw a batch in one of the ways. A graph is traced in the first call, and stays as it was then."""
    with (
        mock.patch.object(Drawing, "_is_quick", lambda *_: way != "row by row"),
        mock.patch.object(Walker, "_few_images", lambda _: 10**6 if way == "iteration" else 0),
        mock.patch.object(Walker, "draws_along_wavefront", lambda *_: way == "wavefront"),
    ):
        return model.generate(batch, jit_compile=xla, progress=False)


def possible_ways(model, xla):
    """The ways that a model can be drawn in."""
    walker = Walker(model)
    possible = {"iteration": walker.may_iterate, "wavefront": walker.wavefront is not None and not xla}
    return [way for way in WAYS if possible.get(way, True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--xla", action="store_true", help="compile with XLA, which takes minutes more")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each way")
    arguments = parser.parse_args()
    table = Table("model", "batch", "forward pass, ms", *(f"{way}, ms" for way in WAYS))
    for name, file in MODELS.items():
        models = {way: pz.load(file) for way in possible_ways(pz.load(file), arguments.xla)}
        for batch in arguments.batches:
            ways = [functools.partial(draw, models[way], batch, arguments.xla, way) for way in models]
            drawn = [way() for way in ways]
            assert all(np.array_equal(images, drawn[0]) for images in drawn), f"{name}: other images at batch {batch}"
            forward, *seconds = medians([forward_pass(models[WAYS[0]], batch, arguments.xla), *ways], arguments.repeats)
            of_way = dict(zip(models, seconds, strict=True))
            cells = [f"{1000 * of_way[way]:.0f}" if way in of_way else "-" for way in WAYS]
            table.row(name, batch, f"{1000 * forward:.0f}", *cells)


if __name__ == "__main__":
    main()
