"""What conditioning costs sampling: with a label, and given a small image, against the same model of images alone.

    python benchmarks/conditional_sampling.py       # some minutes on two cores

All three draw the same number of 28x28 binary images in one process, where they take turns; medians are printed. The
model given a small image is the last stage of a multi-scale model, which copies the 49 pixels that it is given.
"""

import argparse

import numpy as np
from turns import Table, medians

import pixel_zoo as pz

MODELS = {
    "PixelCNN 7x32": (pz.models.PixelCNN, {}),
    "Gated PixelCNN 7x32": (pz.models.GatedPixelCNN, {}),
    "Row LSTM 7x16": (pz.models.PixelRNN, {"recurrence": "row"}),
    "Diagonal BiLSTM 7x16": (pz.models.PixelRNN, {"recurrence": "diagonal"}),
}
SMALL = (7, 7)


def runs(model_class, options, batch, jit_compile):
    """Functions that draw a batch: alone, with a label, given a small image."""
    drawing = {"batch_size": batch, "jit_compile": jit_compile, "progress": False}
    alone = model_class(**options)
    labelled = model_class(**options, num_classes=10)
    stage = model_class(**options, small_shape=SMALL, copy_known=True)
    small = np.random.default_rng(0).integers(0, 2, (batch, *SMALL, 1)).astype("uint8")
    return (
        lambda: alone.generate(batch, **drawing),
        lambda: labelled.generate(batch, labels=3, **drawing),
        lambda: stage.generate(batch, conditioning=[small], **drawing),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    columns = ["alone, s", "with a label, s", "ratio", "given 7x7, s", "ratio"]
    table = Table("model", "compiled", "batch", *columns)
    for name in options.models:
        for xla in (False, True):
            alone, label, small = medians(runs(*MODELS[name], options.batch, xla), options.repeats)
            cells = f"{alone:.3f}", f"{label:.3f}", f"{label / alone:.2f}", f"{small:.3f}", f"{small / alone:.2f}"
            table.row(name, "with XLA" if xla else "without", options.batch, *cells)


if __name__ == "__main__":
    main()
