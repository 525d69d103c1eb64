"""How long sampling takes, against one forward pass of the same batch and against the obvious, slow way.

    python benchmarks/sampling.py --plot docs/performance.png       # the tables and the figure of docs/performance.md
    python benchmarks/sampling.py --models pixel_cnn --batches 64   # a minute or two
    python benchmarks/sampling.py --models pixel_cnn_cifar10 --modes plain xla served

Every model has a separate process. First it times the first call of `generate`, for one image by default. Then, for
each batch, everything runs once to compile, the candidates take turns, and medians are printed. The forward pass is
the faster of those with and without XLA. The slow way, a forward pass for each value, is timed on a few values and
scaled.
"""

import argparse
import multiprocessing
import pathlib
import resource
import statistics
import tempfile
import time

from turns import Table

MODELS = {
    "pixel_cnn": "PixelCNN 7x32, 28x28 binary",
    "gated": "GatedPixelCNN 7x32, 28x28 binary",
    "row_lstm": "PixelRNN row 7x16, 28x28 binary",
    "diagonal_bilstm": "PixelRNN diagonal 7x16, 28x28 binary",
    "pixel_cnn_cifar10": "PixelCNN 15x128, 32x32x3, 256 levels",
    "diagonal_bilstm_cifar10": "PixelRNN diagonal 12x128, 32x32x3, 256 levels",
}
DEFAULT_MODELS = list(MODELS)[:5]  # the last one takes as long as all others
BATCHES, BATCHES_OF_COLOUR = (1, 4, 16, 64, 256), (16,)
MODES = {"plain": "generate", "xla": "generate, XLA", "served": "SavedModel"}
SLOW_VALUES = 2


def make(name):
    """An untrained model of the table: speed does not depend on the weights."""
    import pixel_zoo as pz

    cifar10 = {"image_shape": (32, 32, 3), "levels": 256, "head_filters": 1024}
    return {
        "pixel_cnn": lambda: pz.models.PixelCNN(),
        "gated": lambda: pz.models.GatedPixelCNN(),
        "row_lstm": lambda: pz.models.PixelRNN(recurrence="row"),
        "diagonal_bilstm": lambda: pz.models.PixelRNN(),
        "pixel_cnn_cifar10": lambda: pz.models.PixelCNN(filters=128, num_blocks=15, **cifar10),
        "diagonal_bilstm_cifar10": lambda: pz.models.PixelRNN(units=128, num_blocks=12, **cifar10),
    }[name]()


def generator(model, batch, mode):
    """A function that draws a batch in one of the modes."""
    if mode != "served":
        return lambda: model.generate(batch, batch_size=batch, jit_compile=mode == "xla", progress=False)
    import numpy as np
    import tensorflow as tf

    import pixel_zoo as pz

    with tempfile.TemporaryDirectory() as folder:
        served = tf.saved_model.load(str(pz.export(model, pathlib.Path(folder) / "model")))
    seeds, temperatures = tf.range(batch, dtype=tf.int64), tf.ones(batch)
    return lambda served=served: np.asarray(served.signatures["sample"](seed=seeds, temperature=temperatures)["image"])


def forward_pass(model, batch, xla):
    """A function that computes the logits of a batch."""
    import numpy as np

    from pixel_zoo import backend

    run = backend.compiled(lambda images: model(images, training=False), model.variables, xla=xla)
    images = np.zeros((batch, *model.image_shape), "int32")
    return lambda: np.asarray(run(images))


def slow_steps(model, forward):
    """A function that draws a few values the obvious way: the whole network for each."""
    import numpy as np

    from pixel_zoo.likelihoods import likelihood_of_logits
    from pixel_zoo.sampling import Sampler

    likelihood, sampler = likelihood_of_logits(model.outputs[0].shape), Sampler()

    def run():
        for _ in range(SLOW_VALUES):
            logits = forward()[:, 0, 0, 0]
            noise = np.full(len(logits), 0.5, "float32")
            np.asarray(sampler(likelihood.class_logits(logits), noise))

    return run


def peak_memory(model, batch):
    """The peak memory of the process after `generate` without XLA, in MiB; of ascending batches before all else."""
    generator(model, batch, "plain")()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(model, batch, modes, repeats):
    """Median seconds of everything for one batch."""
    runs = {mode: generator(model, batch, mode) for mode in modes}
    forward = {xla: forward_pass(model, batch, xla) for xla in (False, True)}
    runs |= {f"forward {xla}": run for xla, run in forward.items()} | {"slow": slow_steps(model, forward[False])}
    for run in runs.values():
        run()
    seconds = {label: [] for label in runs}
    for _ in range(repeats):
        for label, run in runs.items():
            begin = time.perf_counter()
            run()
            seconds[label].append(time.perf_counter() - begin)
    medians = {label: statistics.median(times) for label, times in seconds.items()}
    height, width, colours = model.image_shape
    slow = medians.pop("slow") * height * width * colours / SLOW_VALUES
    forward = min(medians.pop(f"forward {xla}") for xla in (False, True))
    return {"batch": batch, "forward": forward, "slow": slow, "generate": medians}


def measure_model(name, batches, modes, repeats, table):
    """Print the rows of a model: (seconds of the first call of `generate`, list of what `measure` returns)."""
    model = make(name)
    begin = time.perf_counter()
    model.generate(1)
    first_call = time.perf_counter() - begin
    batches = sorted(batches or (BATCHES_OF_COLOUR if model.image_shape[-1] > 1 else BATCHES))
    memory, results = {batch: peak_memory(model, batch) for batch in batches}, []
    for batch in batches:
        results.append({**measure(model, batch, modes, repeats), "memory": memory[batch]})
        table.row(*cells(MODELS[name], modes, results[-1]))
    return first_call, results


def headings(modes):
    """The headings of the table."""
    of_modes = [heading for mode in modes for heading in (f"{MODES[mode]}, s", "ratio")]
    slow = f"slow way, s (scaled from {SLOW_VALUES} values)"
    return ["model", "batch", "forward pass, s", *of_modes, slow, "speed-up", "peak memory, MiB"]


def cells(model, modes, result):
    """A row of the table."""
    of_mode = [result["generate"][mode] for mode in modes]
    of_modes = [cell for seconds in of_mode for cell in (f"{seconds:.4f}", f"{seconds / result['forward']:.2f}")]
    slow = f"{result['slow']:.0f}", f"{result['slow'] / min(of_mode):.0f}x"
    return [model, result["batch"], f"{result['forward']:.4f}", *of_modes, *slow, round(result["memory"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=DEFAULT_MODELS, metavar="NAME", help=str([*MODELS])
    )
    parser.add_argument("--batches", nargs="+", type=int, help="default: 1 4 16 64 256, of colour images 16")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=["plain", "xla"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", metavar="FILE", help="draw the time an image of binary models against the batch")
    options = parser.parse_args()
    table, first_calls, results = Table(*headings(options.modes)), {}, {}
    for name in options.models:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            arguments = name, options.batches, options.modes, options.repeats, table
            first_calls[name], results[name] = pool.apply(measure_model, arguments)
    print(flush=True)
    table = Table("model", "first call of generate, one image, s")
    for name, seconds in first_calls.items():
        table.row(MODELS[name], f"{seconds:.2f}")
    if options.plot:
        from sampling_figure import draw

        draw({MODELS[name]: rows for name, rows in results.items() if len(rows) > 1}, options.plot)


if __name__ == "__main__":
    main()
