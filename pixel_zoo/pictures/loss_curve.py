"""The curve of a run's loss."""

import csv
import math
import os

from pixel_zoo.files import replacing

CURVES = (("nats", "training"), ("val_nats", "validation"))  # columns of log.csv, and their labels


def save_loss_curve(log: str | os.PathLike, path: str | os.PathLike) -> None:
    """Draw the nats of both splits against the epoch, and mark the epoch with the fewest validation nats.

    The axis is scaled to the last nine tenths of the epochs: the steep beginning may lie above it.

    Args:
        log: the CSV file that `train` writes.
        path: the picture to write; its suffix says whether it is a PNG, SVG or PDF.
    """
    from matplotlib.figure import Figure  # slow to import

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
    later = [value for nats in curves.values() for value in nats[math.ceil(len(rows) / 10) :]]
    shown = list(filter(math.isfinite, later))  # a run that diverges ends with NaN
    if shown:
        margin = 0.05 * (max(shown) - min(shown)) or 1
        axes.set_ylim(min(shown) - margin, max(shown) + margin)
    axes.legend()
    axes.grid(alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
