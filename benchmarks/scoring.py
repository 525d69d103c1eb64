"""What scoring images costs beyond the bare forward pass of the model.

    python benchmarks/scoring.py                # a few minutes on two cores; the machine must be quiet
    python benchmarks/scoring.py --ways log_likelihood --images 10000 --model binarized_mnist_row_lstm --repeats 3

The same images are scored in one process, in turns: by the bare compiled forward pass, which computes the logits of one
batch after the other and drops them; by `log_likelihood`; as `pixel-zoo score --data` does, written to a file; and from
PNG files. Medians are printed. The limit for the ratios is 1.1. Memory must not grow after the first round.
"""

import argparse
import dataclasses
import pathlib
import resource
import statistics
import tempfile
import time

from keras import ops
from PIL import Image
from turns import Table

import pixel_zoo as pz
from pixel_zoo import backend
from pixel_zoo.zoo.codecs import codec_of
from pixel_zoo_cli.picture_files import picture_paths
from pixel_zoo_cli.score_run import ScoreRun
from pixel_zoo_cli.score_source import source_of_data, source_of_files

WAYS = ("log_likelihood", "score --data", "score FILES")


def bare(model, images, batch_size):
    """A function that computes the logits of all images."""
    forward = backend.compiled(lambda images: model(images, training=False), model.variables)

    def run():
        for start in range(0, len(images), batch_size):
            logits = forward(images[start : start + batch_size].astype("int32"))
            ops.convert_to_numpy(logits[:1, 0, 0, 0])  # waits for the result

    return run


def scored(model, source, batch_size, folder):
    """A function that scores all images of a source into a new file."""
    run = ScoreRun(model, source, batch_size)

    def score():
        partial = folder / "scores.bin"
        partial.unlink(missing_ok=True)
        run.score(partial)

    return score


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="binarized_mnist_pixel_cnn")
    parser.add_argument("--data", default="binarized_mnist")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    model = pz.load(options.model)
    codec = codec_of(options.model, model)
    split = pz.data.arrays(options.data, "test")[: options.images]
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        values = (split.astype("int32") * (255 // (model.levels - 1))).astype("uint8")
        for index, image in enumerate(values):
            picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
            picture.save(folder / f"{index:06}.png")
        of_data = source_of_data(model, codec, options.data, "test", [], None)
        of_data = dataclasses.replace(of_data, count=len(split), labels=None)
        of_files = source_of_files(model, codec, picture_paths([folder]), None)
        functions = {
            "bare forward pass": bare(model, split, options.batch_size),
            "log_likelihood": lambda: model.log_likelihood(split, batch_size=options.batch_size),
            "score --data": scored(model, of_data, options.batch_size, folder),
            "score FILES": scored(model, of_files, options.batch_size, folder),
        }
        seconds = {name: [] for name in ("bare forward pass", *options.ways)}
        for repeat in range(options.repeats + 1):
            for name, own in seconds.items():
                begin = time.perf_counter()
                functions[name]()
                if repeat:  # the first one compiles
                    own.append(time.perf_counter() - begin)
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    table = Table("", "images/s", "time, to the bare forward pass")
    alone = statistics.median(seconds["bare forward pass"])
    for name, own in seconds.items():
        median = statistics.median(own)
        table.row(name, f"{len(split) / median:.0f}", f"{median / alone:.3f}")
    print(f"\nPeak memory after the first round {peaks[0]:.0f} MiB, after all {peaks[-1]:.0f} MiB")


if __name__ == "__main__":
    main()
