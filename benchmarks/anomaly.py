"""How well the scores of `pixel_zoo.anomaly` find anomalies: their AUROC on pairs of normal and anomalous images.

    python benchmarks/anomaly.py --picture docs/anomaly.png      # about ten minutes on two quiet cores

- A model of binarised MNIST, and test digits that are turned, shuffled or cut off.
- A model of CIFAR-10, and MNIST in colour, and test photographs that are blurred, turned or shuffled.
- Models of 8x8 digits, each trained without one of the digits, and this digit.

The score of normal images is that of the test split. Typicality and thresholds are calibrated on the validation split,
on different images. Background models for the likelihood ratio are trained here on perturbed images, for a few minutes:
they are smaller than the pretrained models.
"""

import argparse
import pathlib

import keras
import numpy as np
from PIL import Image, ImageFilter
from turns import Table

import pixel_zoo as pz

PARTS = ["mnist", "cifar", "held-out"]
RATE = 0.2  # of values that are perturbed for a background model; not tuned
DIGIT_EPOCHS = 12
TOGETHER = 10  # images that the typicality of batches judges together
SCORES = ("likelihood", "typicality", f"typicality of {TOGETHER}", "likelihood ratio", "less PNG")
DRAWN = {"likelihood": "negative log-likelihood, nats", "less PNG": "complexity-corrected likelihood, bits"}


class Scorer:
    """All scores of images under a model.

    Args:
        model, background: models of `pixel_zoo.models`.
        validation: images, the first half for typicality, the second for thresholds.
    """

    def __init__(self, model, background, validation):
        self.model, self.background = model, background
        typical, self.held_out = np.array_split(validation, 2)
        self.typical_nats = self.nats(typical)

    def nats(self, images):
        return -self.model.log_likelihood(images, batch_size=64)

    def __call__(self, images):
        """A dictionary from the name of a score to the scores of the images."""
        nats = self.nats(images)
        background_nats = -self.background.log_likelihood(images, batch_size=64)
        values = (
            nats,
            pz.anomaly.typicality(nats, self.typical_nats),
            pz.anomaly.typicality(nats[: len(nats) // TOGETHER * TOGETHER], self.typical_nats, TOGETHER),
            pz.anomaly.likelihood_ratio(nats, background_nats),
            pz.anomaly.complexity_corrected(nats, pz.anomaly.png_bits(images)),
        )
        return dict(zip(SCORES, values, strict=True))

    def false_alarms(self, normal):
        """Print the measured rates of thresholds that are calibrated for a rate of 5 %."""
        calibration = self(self.held_out)
        for name in SCORES:
            threshold = pz.anomaly.Threshold.calibrate(calibration[name], false_alarm_rate=0.05)
            measured = threshold.measure(normal[name])
            print(
                f"{name}: {measured.rate:.1%} false alarms ({measured.low:.1%} to {measured.high:.1%}), "
                f"expected {threshold.expected_rate:.1%} ± {threshold.deviation:.1%}"
            )


def trained(images, levels, epochs, **options):
    """A PixelCNN trained on images."""
    keras.utils.set_random_seed(0)
    model = pz.models.PixelCNN(images.shape[1:], levels, **options)
    model.compile(optimizer=keras.optimizers.Adam(2e-3))
    model.fit(images, batch_size=32, epochs=epochs, verbose=0)
    return model


def shuffled(images):
    """Images whose pixels are put in a random order, another one for each image."""
    pixels = images.reshape(len(images), -1, images.shape[-1])
    order = np.random.default_rng(0).permuted(np.tile(np.arange(pixels.shape[1]), (len(images), 1)), axis=1)
    return np.take_along_axis(pixels, order[..., None], axis=1).reshape(images.shape)


def cut_off(images):
    """Images whose lower half is empty."""
    cut = images.copy()
    cut[:, images.shape[1] // 2 :] = 0
    return cut


def blurred(images):
    blur = ImageFilter.GaussianBlur(2)
    return np.stack([np.asarray(Image.fromarray(image).filter(blur)) for image in images])


def in_colour(digits):
    """MNIST, 28x28 in grey, as 32x32 in colour, with a black border."""
    return np.pad(digits, ((0, 0), (2, 2), (2, 2), (0, 0))).repeat(3, axis=-1)


def mnist(options):
    """(title, scorer, images by name), the normal ones first."""
    train, validation, test = (pz.data.arrays("binarized_mnist", split) for split in ("train", "validation", "test"))
    perturbed = pz.anomaly.perturb(train[: options.training], 2, RATE)
    background = trained(perturbed, 2, options.epochs, filters=16, num_blocks=4, head_filters=16)
    model = pz.load("binarized_mnist_pixel_cnn")
    scorer = Scorer(model, background, validation[: 2 * options.digits])
    test = test[: options.digits]
    sets = {
        "test digits": test,
        "mirrored": test[:, :, ::-1],
        "upside down": test[:, ::-1],
        "turned by 90°": np.rot90(test, axes=(1, 2)),
        "shuffled pixels": shuffled(test),
        "lower half empty": cut_off(test),
    }
    return "Binarised MNIST", scorer, sets


def cifar(options):
    train, validation, test = (pz.data.arrays("cifar10", split) for split in ("train", "validation", "test"))
    perturbed = pz.anomaly.perturb(train[: options.training // 4], 256, RATE)
    background = trained(perturbed, 256, options.epochs, filters=16, num_blocks=3, head_filters=16)
    model = pz.load("cifar10_pixel_cnn_small")
    scorer = Scorer(model, background, validation[: 2 * options.photographs])
    test = test[: options.photographs]
    sets = {
        "test photographs": test,
        "MNIST in colour": in_colour(pz.data.arrays("mnist", "test")[: options.photographs]),
        "blurred": blurred(test),
        "upside down": test[:, ::-1],
        "shuffled pixels": shuffled(test),
    }
    return "CIFAR-10", scorer, sets


def areas_without(digit):
    """The AUROC of each score for a digit, under a model of 8x8 digits that was trained without it."""
    images = {split: pz.data.arrays("digits", split) for split in ("train", "validation", "test")}
    labels = {split: pz.data.labels("digits", split) for split in images}
    others = {split: images[split][labels[split] != digit] for split in images}
    architecture = {"filters": 32, "num_blocks": 3, "head_filters": 32}
    model = trained(others["train"], 17, DIGIT_EPOCHS, **architecture)
    background = trained(pz.anomaly.perturb(others["train"], 17, RATE), 17, DIGIT_EPOCHS, **architecture)
    scorer = Scorer(model, background, others["validation"])
    anomalous = images["test"][labels["test"] == digit]
    (own,) = areas({"others": scorer(others["test"]), "digit": scorer(anomalous)}).values()
    return own


def areas(scores):
    """For each set of images but the first, the normal one, the AUROC of each score."""
    (_, normal), *anomalous = scores.items()
    return {name: [pz.anomaly.auroc(normal[score], own[score]) for score in SCORES] for name, own in anomalous}


def draw(histograms, path):
    """Draw histograms of scores: a row for each title, a column for each of `DRAWN`; the far ends are cut off."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3 * len(histograms)), layout="constrained")
    rows = figure.subplots(len(histograms), len(DRAWN), squeeze=False)
    for axes, (title, scores) in zip(rows, histograms.items(), strict=True):
        for axis, (name, label) in zip(axes, DRAWN.items(), strict=True):
            ends = np.quantile([own[name] for own in scores.values()], (0.01, 0.99), axis=1)
            bins = np.linspace(ends[0].min(), np.sort(ends[1])[-2], 40)  # without the most anomalous set
            for index, (images, own) in enumerate(scores.items()):
                style = {"color": "black", "linewidth": 2} if not index else {}
                axis.hist(own[name], bins, histtype="step", label=images, **style)
            axis.set(title=title, xlabel=label, yticks=[])
        axes[-1].legend(fontsize=9, loc="center left", bbox_to_anchor=(1.02, 0.5))
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--digits", type=int, default=500, help="images of each set of MNIST")
    parser.add_argument("--photographs", type=int, default=300, help="images of each set of CIFAR-10")
    parser.add_argument("--without", nargs="+", type=int, default=range(10), help="digits to hold out, each in turn")
    parser.add_argument(
        "--training", type=int, default=4000, help="images for the background model of MNIST; a quarter for CIFAR-10"
    )
    parser.add_argument("--epochs", type=int, default=5, help="of the background models of MNIST and CIFAR-10")
    parser.add_argument("--picture", type=pathlib.Path, help="draw histograms of the scores of MNIST and CIFAR-10")
    options = parser.parse_args()
    table, histograms, by_digit = Table("trained on", "anomalous", *SCORES), {}, []
    parts = [part(options) for name, part in (("mnist", mnist), ("cifar", cifar)) if name in options.parts]
    scorers = {}
    for title, scorer, sets in parts:
        histograms[title], scorers[title] = {name: scorer(images) for name, images in sets.items()}, scorer
        for name, own in areas(histograms[title]).items():
            table.row(title, name, *(f"{area:.3f}" for area in own))
    for digit in options.without if "held-out" in options.parts else ():
        by_digit.append(areas_without(digit))
        table.row(f"8x8 digits without {digit}", digit, *(f"{area:.3f}" for area in by_digit[-1]))
    if by_digit:
        table.row("8x8 digits without one", "mean", *(f"{area:.3f}" for area in np.mean(by_digit, axis=0)))
    for title, scorer in scorers.items():
        print(f"\nThresholds, {title}:")
        scorer.false_alarms(next(iter(histograms[title].values())))
    if options.picture is not None:
        draw(histograms, options.picture)


if __name__ == "__main__":
    main()
