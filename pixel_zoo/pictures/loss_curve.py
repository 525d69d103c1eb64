"""The curve of a run's loss."""

import csv
import math
import os

from pixel_zoo.files import replacing

#: By how much the beginning has to raise a curve's height before it is left out.
STEEP = 3
CURVES = (("nats", "training"), ("val_nats", "validation"))  # columns of log.csv, and their labels


def save_loss_curve(log: str | os.PathLike, path: str | os.PathLike) -> None:
    """Draw the nats of both splits against the epoch, and mark the epoch with the fewest validation nats.

    If the first tenth of the epochs takes most of the height, it lies above the axis, which shows the others.

    Args:
        log: the CSV file that `train` writes.
        path: the picture to write; its suffix says whether it is a PNG, SVG or PDF.
    """
    from matplotlib.figure import Figure  # slow to import
    from matplotlib.ticker import MaxNLocator

    with open(log, newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="negative log-likelihood (nats an image)")
    curves = {label: [float(row[column]) for row in rows] for column, label in CURVES}
    for label, nats in curves.items():
        axes.plot(epochs, nats, marker=".", label=label)
    best = min(filter(math.isfinite, curves["validation"]))
    axes.plot(epochs[curves["validation"].index(best)], best, "o", label=f"best: {best:.2f}")
    low, high = _limits(curves.values(), math.ceil(len(rows) / 10))
    margin = 0.05 * (high - low) or 1
    axes.set_ylim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    axes.grid(alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _limits(curves, beginning):
    """The lowest and highest value to show: of all epochs, or without the first ones if these are steep."""

    def limits(first):
        values = [value for nats in curves for value in nats[first:] if math.isfinite(value)]  # NaN ends a diverged run
        return (min(values), max(values)) if values else None

    whole, later = limits(0), limits(beginning)
    assert whole is not None  # validation has a best epoch
    steep = later is not None and whole[1] - whole[0] > STEEP * (later[1] - later[0])
    return later if steep else whole
