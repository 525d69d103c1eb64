"""How long sampling takes, against one forward pass of the same batch and against the obvious, slow way.

    python benchmarks/sampling.py                                   # everything: hours on two cores
    python benchmarks/sampling.py --models pixel_cnn --batches 64   # two minutes

Every model and batch runs in a separate process. After a first run that compiles, the candidates take turns in it,
and medians are printed. The forward pass is the faster of those with and without XLA. The slow way, a forward pass for
each value, is timed on a few values and scaled.
"""

import argparse
import multiprocessing
import pathlib
import resource
import statistics
import tempfile
import time

MODELS = {
    "pixel_cnn": "PixelCNN 7x32, 28x28 binary",
    "gated": "GatedPixelCNN 7x32, 28x28 binary",
    "row_lstm": "PixelRNN row 7x16, 28x28 binary",
    "diagonal_bilstm": "PixelRNN diagonal 7x16, 28x28 binary",
    "pixel_cnn_cifar10": "PixelCNN 15x128, 32x32x3, 256 levels",
    "diagonal_bilstm_cifar10": "PixelRNN diagonal 12x128, 32x32x3, 256 levels",
}
MODES = {"xla": "generate, XLA", "plain": "generate", "served": "SavedModel"}
SLOW_VALUES = 4


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


def measure(name, batch, modes, repeats):
    """One row of the table: seconds of everything, and the peak memory of each mode, in MiB."""
    model = make(name)
    runs, memory = {}, {}
    for mode in sorted(modes, key=["plain", "served", "xla"].index):  # what takes most memory, the compiler, is last
        runs[mode] = generator(model, batch, mode)
        runs[mode]()
        memory[mode] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
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
    return {"forward": forward, "slow": slow, "generate": medians, "memory": memory}


def table_row(name, batch, modes, result):
    cells = [MODELS[name], batch, f"{result['forward']:.3f}"]
    for mode in modes:
        seconds = result["generate"][mode]
        cells += [f"{seconds:.3f}", f"{seconds / result['forward']:.2f}"]
    fastest = min(result["generate"].values())
    cells += [f"{result['slow']:.0f}", f"{result['slow'] / fastest:.0f}x"]
    cells += [f"{result['memory'][mode]:.0f}" for mode in modes if mode == "plain"]
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME", help=str([*MODELS])
    )
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16, 64, 256])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    headings = ["model", "batch", "forward pass, s"]
    for mode in options.modes:
        headings += [f"{MODES[mode]}, s", "ratio"]
    headings += [f"slow way, s (scaled from {SLOW_VALUES} values)", "speed-up"]
    headings += ["peak memory, MiB (generate)"] if "plain" in options.modes else []
    print("| " + " | ".join(headings) + " |")
    print("|" + "---|" * len(headings), flush=True)
    for name in options.models:
        for batch in options.batches:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                result = pool.apply(measure, (name, batch, options.modes, options.repeats))
            print(table_row(name, batch, options.modes, result), flush=True)


if __name__ == "__main__":
    main()
