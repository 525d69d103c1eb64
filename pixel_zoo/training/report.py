"""The report of a run: what was trained, how, and the result."""

import csv
import json
import math
import pathlib

import keras

from pixel_zoo import data, pictures
from pixel_zoo.files import replacing
from pixel_zoo.training.recipe import Recipe


def write_report(
    output: pathlib.Path,
    recipe: Recipe,
    model: keras.Model,
    samples: bool = True,
    float32_nats: float | None = None,
) -> None:
    """Write `report.md` into the directory of a run, from the files there and the recipe.

    Args:
        output: the run's directory, pathlib.Path.
        recipe: its `Recipe`.
        model: its model, for the size of images.
        samples: whether `samples.png` was drawn.
        float32_nats: validation nats of the saved model, where the log has those of mixed precision.
    """
    configuration = json.loads((output / "config.json").read_text())
    names = recipe.to_dict()
    with open(output / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    best = min(rows, key=lambda row: float(row["val_nats"]))
    info = data.info(recipe.data, **recipe.data_options)
    nats = float(best["val_nats"]) if float32_nats is None else float32_nats
    bits = nats / (math.log(2) * math.prod(model.image_shape))
    mixed = "" if float32_nats is None else f" in float32; {float(best['val_nats']):.3f} nats in mixed precision"
    options = ", ".join(f"{name} {value}" for name, value in recipe.model_options.items())
    facts = {
        "Model": f"{names['model']} ({options}), {configuration['parameters']:,} parameters",
        "Data": f"`{names['data']}`, {info.splits['train']:,} training images. {info.description}",
        "Training images, SHA-256": f"`{configuration['training_images_sha256']}`",
        "Optimiser": f"{recipe.optimizer}, learning rate {recipe.learning_rate:g}, {recipe.schedule}; "
        f"batches of {recipe.batch_size}; seed {recipe.seed}",
        **({"Teacher": f"`{recipe.teacher}`, SHA-256 `{configuration['teacher_sha256']}`"} if recipe.teacher else {}),
        "Epochs": f"{len(rows)} of {recipe.epochs}, the best is number {int(best['epoch']) + 1}",
        "Validation": f"**{nats:.3f} nats an image, {bits:.4f} bits/dim** (best epoch){mixed}",
        "Aimed at": f"{recipe.target} ({recipe.source})" if recipe.target else "no figure",
        "Versions": ", ".join(f"{name} {version}" for name, version in configuration["versions"].items() if version),
        "Backend, machine": f"{configuration['backend']}; {configuration['machine']}",
    }
    lines = [f"# {output.name}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {fact} |" for name, fact in facts.items()]
    if pictures.can_draw():
        lines += ["", "![Loss](loss.png)"]
    if samples:
        lines += ["", "Samples of the best model:", "", "![Samples](samples.png)"]
    lines += [""]
    with replacing(output / "report.md") as path:
        path.write_text("\n".join(lines))
