"""How fast models train: images/s, share of the machine's matrix-product peak, memory; and how that scales.

    python benchmarks/training.py                    # all tables: an hour or more on two cores
    python benchmarks/training.py --tables speed     # one of: speed, size, depth, head, input, steady, loop

Every row is a separate process, which trains inside `fit` on a constant batch; warm, they take turns, and medians
are printed. FLOP/s count the operations that the model needs, forwards and backwards (without masked weights and
recomputation); the peak is that of a 2048 x 2048 float32 product of the same backend, measured in the same process.
"""

import argparse
import json
import os
import pathlib
import sys

from turns import Table, Worker, take_turns

MODELS = {
    "PixelCNN 7x32": ("PixelCNN", {"filters": 32, "num_blocks": 7}),
    "Gated PixelCNN 7x32": ("GatedPixelCNN", {"filters": 32, "num_blocks": 7}),
    "Row LSTM 7x16": ("PixelRNN", {"recurrence": "row", "units": 16, "num_blocks": 7}),
    "Diagonal BiLSTM 7x16": ("PixelRNN", {"recurrence": "diagonal", "units": 16, "num_blocks": 7}),
}
ENGINES = {"TensorFlow": ("tensorflow", False), "TensorFlow, XLA": ("tensorflow", True), "JAX": ("jax", True)}
SIZES = (16, 32, 64)
PIXELS = 32 * 32 * 32  # of a batch, for all image sizes
DEPTHS = (2, 7, 15)
BATCHES = (16, 64)


def worker(name, engine, batch, task=None, **options):
    """Start training a model on an engine; `options` replace the model's, `task` adds keys for `train_worker.py`."""
    model, defaults = MODELS[name]
    backend, xla = ENGINES[engine]
    task = {"model": model, "options": defaults | options, "batch": batch, "xla": xla} | (task or {})
    script = pathlib.Path(__file__).with_name("train_worker.py")
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1")  # as `pixel-zoo train` sets it
    return Worker(sys.executable, script, json.dumps(task), KERAS_BACKEND=backend, TF_ENABLE_ONEDNN_OPTS=onednn)


def speed(engines):
    """Images/s, FLOP/s and memory of each model, batch and engine."""
    table = Table("model", "engine", "batch", "images/s", "GFLOP/s", "of the peak", "peak memory, MiB")
    for batch in BATCHES:
        for name in MODELS:
            workers = [worker(name, engine, batch) for engine in engines]
            take_turns(workers)
            for engine, done in zip(engines, workers, strict=True):
                flops = done.facts["flop"] / done.median
                share = flops / done.facts["matrix_peak"]
                speeds = round(batch / done.median), f"{flops / 1e9:.0f}", f"{share:.0%}"
                table.row(name, engine, batch, *speeds, round(done.peak))


def size(engines):
    """Time for each pixel over the size of images, the pixels of a batch being the same."""
    batches = [PIXELS // side**2 for side in SIZES]
    columns = [f"{side}x{side}, batch {batch}: µs a pixel" for side, batch in zip(SIZES, batches, strict=True)]
    table = Table("model", "engine", *columns, f"{SIZES[-1]} against {SIZES[0]}")
    for name in MODELS:
        for engine in engines:
            shapes = [{"image_shape": (side, side, 1)} for side in SIZES]
            workers = [worker(name, engine, batch, **shape) for batch, shape in zip(batches, shapes, strict=True)]
            take_turns(workers)
            times = [done.median / PIXELS * 1e6 for done in workers]
            table.row(name, engine, *(f"{time:.2f}" for time in times), f"{times[-1] / times[0]:.2f}")


def depth(engines):
    """Time for each block over their number, of 32 images 28x28."""
    columns = [f"{blocks} blocks: ms a block" for blocks in DEPTHS]
    table = Table("model", "engine", *columns, f"{DEPTHS[-1]} against {DEPTHS[0]}")
    for name in MODELS:
        for engine in engines:
            workers = [worker(name, engine, 32, num_blocks=blocks) for blocks in DEPTHS]
            take_turns(workers)
            times = [done.median / blocks * 1e3 for done, blocks in zip(workers, DEPTHS, strict=True)]
            table.row(name, engine, *(f"{time:.1f}" for time in times), f"{times[-1] / times[0]:.2f}")


def head(engines):
    """The cost of the 256-way likelihood, compared with a loss that only sums the logits."""
    shape = {"image_shape": (32, 32, 3), "levels": 256, "head_filters": 192}
    batch = 16
    logits = batch * 32 * 32 * 3 * 256 * 4 / 2**20
    print(f"PixelCNN 7x32, 32x32x3, 256 levels, batch {batch}: logits are {logits:.0f} MiB")
    table = Table("engine", "s a step", "without the likelihood", "ratio", "peak memory, MiB", "without")
    for engine in engines:
        with_it, without = (worker("PixelCNN 7x32", engine, batch, task, **shape) for task in ({}, {"loss": "sum"}))
        take_turns([with_it, without], rounds=4, steps=3)
        seconds = f"{with_it.median:.2f}", f"{without.median:.2f}", f"{with_it.median / without.median:.2f}"
        table.row(engine, *seconds, round(with_it.peak), round(without.peak))


def input_(engines):
    """A step with images from TFDS against one on a constant batch, and what `fit` does after its last step."""
    sources = ("constant", "binarized_mnist", "array")
    table = Table("engine", "images from", "ms a step", "s after the last step")
    for engine in (engine for engine in engines if engine.startswith("TensorFlow")):
        tasks = [{"source": source, "measure": measure} for source in sources for measure in ("step", "idle")]
        workers = [worker("PixelCNN 7x32", engine, 32, task) for task in tasks]
        take_turns(workers, rounds=4, steps=15)
        for source, step, idle in zip(sources, workers[::2], workers[1::2], strict=True):
            table.row(engine, source, f"{step.median * 1e3:.0f}", f"{idle.median:.3f}")


def steady(engines):
    """Peak memory after 100 steps, after 1,000 and after 2,000, of 8 images each."""
    table = Table("model", "engine", "peak memory after 100 steps, MiB", "after 1,000", "after 2,000")
    for name in MODELS:
        for engine in engines:
            training = worker(name, engine, 8)
            peaks = []
            for steps in (100, 900, 1000):
                training.turn(steps)
                peaks.append(round(training.peak))
            training.close()
            table.row(name, engine, *peaks)


def loop(engines):
    """Steps in a loop on the device, as `train` takes them on an accelerator, against single steps of `fit` (JAX)."""
    table = Table("model", "batch", "fit, images/s", "loop, images/s", "ratio")
    for batch in BATCHES:
        for name in MODELS:
            single, looped = (worker(name, "JAX", batch, {"loop": looped}) for looped in (False, True))
            take_turns([single, looped])
            speeds = [round(batch / done.median) for done in (single, looped)]
            table.row(name, batch, *speeds, f"{single.median / looped.median:.2f}")


TABLES = {"speed": speed, "size": size, "depth": depth, "head": head, "input": input_, "steady": steady, "loop": loop}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    options = parser.parse_args()
    for table in options.tables:
        TABLES[table](options.engines)
        print(flush=True)


if __name__ == "__main__":
    main()
