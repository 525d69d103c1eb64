"""What particles and sweeps do for completions whose known pixels come late.

    TFDS_DATA_DIR=... python benchmarks/completion.py --images 100      # needs scikit-learn, binarized_mnist and mnist
    python benchmarks/completion.py --model digits_pixel_cnn --data digits --images 100                 # needs no data

Of each test image, a half is given: the lower one, or the right one. For each number of particles and sweeps, the table
shows the mean estimate of log p(known pixels), the median effective sample size, the mean log p of the whole completed
images, the share of completions that a classifier gives the label of the original, and seconds. One particle, the
first row, ignores all known pixels that come later. The classifier, a forest of randomised trees, is trained on the
training split; for binarised MNIST, which has no labels, on images of MNIST's, binarised. An image of binarised MNIST
has the label of the MNIST image that it was most probably drawn from.

`--picture FILE.png` also draws some completions side by side.
"""

import argparse
import time

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from turns import Table

import pixel_zoo as pz
from pixel_zoo import pictures

HALVES = ("bottom", "right")
SHOWN = 6


def known_half(half, image_shape):
    """The mask of the lower or the right half."""
    axis = HALVES.index(half)
    return np.indices(image_shape[:2])[axis] >= image_shape[axis] // 2


def probabilities(images):
    """MNIST's grey values as the probabilities of 1 that binarised MNIST was drawn with, (n, 784)."""
    return images.reshape(len(images), -1) / 255.0


def labels_of(binarised):
    """The label of the MNIST test image that gives each binarised image the largest probability."""
    grey = np.clip(probabilities(pz.data.arrays("mnist", "test")), 0.002, 0.998)
    flat = binarised.reshape(len(binarised), -1).astype("float64")
    nats = flat @ np.log(grey).T + (1 - flat) @ np.log(1 - grey).T
    return pz.data.labels("mnist", "test")[nats.argmax(axis=1)]


def trained_classifier(data, count):
    """A classifier of a data set's images, trained on so many of its training split."""
    labelled = "mnist" if data == "binarized_mnist" else data
    images, labels = pz.data.arrays(labelled, "train")[:count], pz.data.labels(labelled, "train")[:count]
    if data == "binarized_mnist":
        images = np.random.default_rng(0).random((len(images), 784)) < probabilities(images)
    return ExtraTreesClassifier(200, random_state=0, n_jobs=-1).fit(images.reshape(len(images), -1), labels)


def settings(texts):
    """Pairs of numbers of particles and of sweeps, of texts such as "64" and "64+8"."""
    return [tuple(int(number) for number in (*text.split("+"), 0)[:2]) for text in texts]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="binarized_mnist_pixel_cnn", help="name of a pretrained model")
    parser.add_argument("--data", default="binarized_mnist", help="name of its data set, with labels")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--halves", nargs="+", choices=HALVES, default=list(HALVES))
    parser.add_argument("--settings", nargs="+", default=["1", "16", "64", "16+4", "64+4"], metavar="PARTICLES+SWEEPS")
    parser.add_argument("--batch-size", type=int, default=512, help="images times particles")
    parser.add_argument("--jit-compile", action="store_true", help="compile with XLA")
    parser.add_argument("--classifier-images", type=int, default=20000)
    parser.add_argument("--picture", help="a PNG file to write: originals, known halves, completions by each setting")
    options = parser.parse_args()
    model, classifier = pz.load(options.model), trained_classifier(options.data, options.classifier_images)
    images = pz.data.arrays(options.data, "test")
    chosen = np.linspace(0, len(images) - 1, options.images).astype(int)
    images = images[chosen]
    mnist = options.data == "binarized_mnist"
    labels = labels_of(images) if mnist else pz.data.labels(options.data, "test")[chosen]

    def share_of(completed):
        return (classifier.predict(completed.reshape(len(completed), -1)) == labels).mean()

    print(f"{options.model}, {len(images)} images; the classifier is right about {share_of(images):.0%} of originals\n")
    columns = ["log p(known), nats", "ESS", "log p(completed), nats", "true label", "s"]
    table, shown = Table("known", "particles", "sweeps", *columns), {}
    for half in options.halves:
        for particles, sweeps in settings(options.settings):
            begin = time.perf_counter()
            completed, nats, diagnostics = model.complete(
                images,
                known_half(half, model.image_shape),
                seed=1000,
                particles=particles,
                sweeps=sweeps,
                batch_size=options.batch_size,
                jit_compile=options.jit_compile,
                progress=False,
                return_log_likelihood=True,
                return_diagnostics=True,
            )
            seconds = time.perf_counter() - begin
            shown.setdefault(half, []).append(completed[:SHOWN])
            table.row(
                half,
                particles,
                sweeps,
                f"{diagnostics.log_evidence.mean():.1f}",
                f"{np.median(diagnostics.effective_sample_size):.1f}",
                f"{nats.mean():.1f}",
                f"{share_of(completed):.0%}",
                f"{seconds:.1f}",
            )
    if options.picture:
        rows = [
            pictures.completions(
                images[:SHOWN], known_half(half, model.image_shape), np.stack(of_half, axis=1), model.levels
            )
            for half, of_half in shown.items()
        ]
        pictures.save(np.concatenate(rows), options.picture)


if __name__ == "__main__":
    main()
