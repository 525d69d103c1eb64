"""From a run to a pretrained model: its file, its card, its entry in the index."""

import csv
import hashlib
import json
import pathlib

import keras
import numpy as np

from pixel_zoo import data, pictures
from pixel_zoo.files import replacing
from pixel_zoo.pictures.codec import Codec
from pixel_zoo.training import Recipe, evaluate
from pixel_zoo.zoo import index
from pixel_zoo.zoo.card import card, readme
from pixel_zoo.zoo.codecs import codec_with
from pixel_zoo.zoo.command import training_command

LARGEST = 40_000_000  # bytes of a file in git
SHOWN = 8  # images in a row


def release(run, name, exported, recipes):
    """Make a pretrained model from a run.

    | file | contents |
    |---|---|
    | `exported/NAME.keras` | the best weights, float32, without the optimiser |
    | `exported/NAME.png`, `exported/NAME.curve.png` | samples and completions; both splits' nats over the epochs |
    | `exported/NAME.md`, `exported/README.md` | the card; the table of all models |
    | `pixel_zoo/zoo/index.json` | what `pixel_zoo.load` and `pixel-zoo verify` compare with |

    If there are `exported/NAME.encoder.keras` and `exported/NAME.decoder.keras`, the model is a prior over codes, and
    these belong to it: the card names them and shows decoded codes.

    Args:
        run: directory that `train` wrote; `config.json`, `log.csv` and `best.keras` are read.
        name: name of the model.
        exported: directory of the pretrained models.
        recipes: directory of the recipe files, one of which the run used.

    Returns:
        The model's entry in the index.

    Raises:
        FileNotFoundError: `run` lacks a file.
        ValueError: weights are not float32, the file is too large, the likelihood is not finite, or no recipe can be
            changed into that of the run.
    """
    run, exported = pathlib.Path(run), pathlib.Path(exported)
    configuration = json.loads((run / "config.json").read_text())
    recipe = Recipe(**configuration["recipe"])
    history = read_log(run / "log.csv")
    command, unchanged = training_command(recipe, recipes, output=f"runs/{name}")
    model = keras.models.load_model(run / "best.keras", compile=False)
    figures = evaluate(model, recipe.data, "test", data_options=recipe.data_options)
    path = exported / f"{name}.keras"
    save_model(model, path)
    best = min(history, key=lambda row: row["val_nats"])
    info = data.info(recipe.data, **recipe.data_options)
    parts = {part: file for part in index.PARTS if (file := exported / f"{name}.{part}.keras").is_file()}
    entry = {
        **facts_of_release(path, figures),
        **({"parts": {part: facts_of_file(file) for part, file in parts.items()}} if parts else {}),
        "parameters": model.count_params(),
        "recipe": configuration["recipe"] | {"data_options": recipe.data_options},
        "command": command,
        "epochs": len(history),
        "epochs_of_recipe": unchanged.epochs,
        "best_epoch": int(best["epoch"]) + 1,
        "validation_nats": best["val_nats"],
        "validation_nats_of_epochs": [round(row["val_nats"], 4) for row in history],
        "training_nats_of_epochs": [round(row["nats"], 4) for row in history],
        "steps": len(history) * (info.splits["train"] // recipe.batch_size),
        "seconds": history[-1].get("seconds"),
        "machine": configuration.get("machine"),
        **{key: configuration[key] for key in ("training_images_sha256", "backend", "versions")},
        **{key: configuration[key] for key in ("initial_weights_sha256", "teacher_sha256") if key in configuration},
    }
    loaded = [keras.models.load_model(file) for file in parts.values()]
    codec = codec_with(model, *loaded) if loaded else None
    pictures.save(samples_and_completions(model, recipe, codec), exported / f"{name}.png")
    pictures.save_loss_curve(run / "log.csv", exported / f"{name}.curve.png")
    write_pages(index.read_index() | {name: entry}, exported)
    return entry


def renew_cards(exported, recipes):
    """Write the index and all cards again, with the current commands and targets of the recipes.

    Args:
        exported: directory of the pretrained models.
        recipes: directory of the recipe files.

    Raises:
        ValueError: no recipe can be changed into that of some model.
    """
    entries = index.read_index()
    for name, entry in entries.items():
        if "members" in entry:
            continue  # a mixture is not trained
        command, unchanged = training_command(Recipe(**entry["recipe"]), recipes, output=f"runs/{name}")
        entry |= {"command": command, "epochs_of_recipe": unchanged.epochs}
        entry["recipe"] |= {"target": unchanged.target, "source": unchanged.source}
    write_pages(entries, pathlib.Path(exported))


def write_pages(entries, exported):
    """Write the index, the card of each of its models, and the page that lists them."""
    pages = {exported / f"{name}.md": card(name, entry) for name, entry in entries.items()}
    pages[exported / "README.md"] = readme(entries)
    pages[index.PATH] = json.dumps(dict(sorted(entries.items())), indent=1) + "\n"
    for path, text in pages.items():
        _write(path, text)


def read_log(path):
    """The rows of a log.csv as dictionaries of numbers."""
    with open(path, newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def samples_and_completions(model, recipe, codec=None):
    """A picture, uint8 (h, w, 3): two rows of samples; four of test images, their upper half and completions.

    Of a prior over codes, it shows the pictures that they stand for.
    """
    codec = codec or Codec(model)
    conditional = model.num_classes is not None
    count = 2 * SHOWN
    drawn_labels = np.arange(count) % model.num_classes if conditional else None
    drawn = model.generate(count, seed=recipe.seed, labels=drawn_labels)

    images = data.arrays(recipe.data, "test", **recipe.data_options)
    chosen = np.linspace(0, len(images) - 1, SHOWN // 2).astype(int)  # some splits are sorted
    repeated = chosen.repeat(SHOWN - 2)
    labels = data.labels(recipe.data, "test", **recipe.data_options)[repeated] if conditional else None
    known = np.indices(model.image_shape[:2])[0] < model.image_shape[0] // 2
    completed = model.complete(images[repeated], known, seed=recipe.seed, labels=labels)
    completed = completed.reshape(len(chosen), SHOWN - 2, *model.image_shape)

    drawn, originals, completed = (codec.decode(codes) for codes in (drawn, images[chosen], completed))
    return sheet(drawn, originals, codec.enlarge(known), completed, codec.levels, recipe.seed, drawn_labels)


def sheet(drawn, originals, known, completed, levels, seed, labels=None):
    """The picture of `samples_and_completions`, of images that are there already; titles are labels, or else seeds."""
    seeds = range(seed, seed + len(drawn))
    titles = [f"label {label}" for label in labels] if labels is not None else pictures.titles_of_samples(seeds)
    samples = pictures.grid(drawn, SHOWN, levels, titles)
    return np.concatenate([samples, pictures.completions(originals, known, completed, levels)])


def save_model(model, path):
    """Write a model without an optimiser."""
    other = {weight.dtype for weight in model.weights} - {"float32"}
    if other:
        raise ValueError(f"run: weights must be float32, got {', '.join(sorted(other))}")
    with replacing(path) as temporary:
        model.save(temporary)
        if temporary.stat().st_size > LARGEST:
            raise ValueError(f"run: the file would have {temporary.stat().st_size:,} bytes; at most {LARGEST:,}")


def facts_of_file(path):
    """The SHA-256 and the bytes of a file, as the index has them."""
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def facts_of_release(path, figures):
    """What the index has of a model's file, and of its figures, as `pixel_zoo.training.evaluate` returns them."""
    kept = ("images", "likelihood", "nats", "standard_error", "bits_per_dim")
    return facts_of_file(path) | {key: figures[key] for key in kept}


def _write(path, text):
    with replacing(path) as temporary:
        temporary.write_text(text)
