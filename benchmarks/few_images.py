"""Three ways to draw few binary images, of which `generate` chooses one by the size of the batch.

    python benchmarks/few_images.py             # some minutes on two cores
    python benchmarks/few_images.py --xla --batches 1 16

`row by row` calls a compiled function for each row, `one call` runs all rows in one graph, and `by iteration` is one
call too, in which a row is drawn by fixed-point iteration. How many passes that takes depends on the weights, so the
models are pretrained. All ways take turns in one process; medians are printed. They must draw the same images.
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
    "Row LSTM 7x32": "binarized_mnist_row_lstm_wide",
}
WAYS = {"row by row": (False, 0), "one call": (True, 0), "by iteration": (True, 10**6)}


def draw(model, batch, xla, in_one_call, most_iterated):
    """Draw a batch in one of the ways. A graph is traced in the first call, and stays as it was then."""
    one_call = mock.patch.object(Drawing, "_is_quick", lambda *_: in_one_call)
    with one_call, mock.patch.object(Walker, "_few_images", lambda _: most_iterated):
        return model.generate(batch, jit_compile=xla, progress=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--xla", action="store_true", help="compile with XLA, which takes minutes more")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each way")
    arguments = parser.parse_args()
    table = Table("model", "batch", "forward pass, ms", *(f"{way}, ms" for way in WAYS))
    for name, file in MODELS.items():
        models = {way: pz.load(file) for way in WAYS}
        for batch in arguments.batches:
            ways = [
                functools.partial(draw, models[way], batch, arguments.xla, *options) for way, options in WAYS.items()
            ]
            drawn = [way() for way in ways]
            assert all(np.array_equal(images, drawn[0]) for images in drawn), f"{name}: other images at batch {batch}"
            seconds = medians([forward_pass(models["one call"], batch, arguments.xla), *ways], arguments.repeats)
            table.row(name, batch, *(f"{1000 * each:.0f}" for each in seconds))


if __name__ == "__main__":
    main()
