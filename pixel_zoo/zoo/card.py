"""What there is to say of pretrained models, in Markdown: a card each, and a table of all."""

import math

from pixel_zoo import data

GENERATED = "<!-- Written by tools/zoo.py; changes are overwritten. -->"


def card(name, entry):
    """The card of a model.

    Args:
        name: its name.
        entry: what the index says of it.

    Returns:
        str, Markdown, which shows `NAME.png` and `NAME.curve.png` beside it.
    """
    recipe = entry["recipe"]
    info = data.info(recipe["data"], **recipe["data_options"])
    versions = ", ".join(f"{package} {version}" for package, version in entry["versions"].items() if version)
    facts = {
        "Test": f"**{likelihood(entry)}**, {entry['images']:,} images: the whole split",
        "Aimed at": f"{recipe['target']} ({recipe['source']})" if recipe["target"] else "no figure",
        "Model": f"{recipe['model']} ({_options(recipe['model_options'])}), {entry['parameters']:,} parameters",
        "Data": f"`{recipe['data']}`, {info.splits['train']:,} training images. {info.description} From: {info.source}",
        "Training images, SHA-256": f"`{entry['training_images_sha256']}`",
        "Trained by": f"`{entry['command']}`",
        "Optimiser": f"{recipe['optimizer']}, learning rate {recipe['learning_rate']:g}, {recipe['schedule']}; batches "
        f"of {recipe['batch_size']}; moving average of the weights: {recipe['ema_momentum'] or 'none'}",
        "Length": f"{epochs(entry)}, {_steps(entry)}; the weights are those of epoch {entry['best_epoch']}, "
        f"the one with the fewest validation nats ({entry['validation_nats']:.3f})",
        "Time": "not recorded" if entry["seconds"] is None else duration(entry["seconds"]),
        "Hardware": entry["machine"] or "not recorded",
        "Versions": f"{versions}; {entry['backend']} backend",
        "File": f"`{name}.keras`, {megabytes(entry)} MB, weights in float32, no optimiser",
        "File, SHA-256": f"`{entry['sha256']}`",
    }
    lines = [GENERATED, f"# {name}", "", "| | |", "|---|---|"]
    lines += [f"| {fact} | {words} |" for fact, words in facts.items()]
    lines += ["", "```python", "import pixel_zoo as pz", "", f'model = pz.load("{name}")', "```"]
    lines += ["", "Samples; then images of the test split, their known upper half, and six completions of it:"]
    lines += ["", f"![Samples and completions]({name}.png)", "", f"![Training curve]({name}.curve.png)", ""]
    return "\n".join(lines)


def table(index):
    """The table of all models.

    Args:
        index: as of `pixel_zoo.zoo.index.read_index`.

    Returns:
        str, Markdown.

    Example:

    >>> print(table({}))
    | name | model | parameters | data | test, nats an image | bits/dim | aimed at | epochs | MB |
    |---|---|---|---|---|---|---|---|---|
    """
    rows = [("name", "model", "parameters", "data", "test, nats an image", "bits/dim", "aimed at", "epochs", "MB")]
    rows.append(("---",) * len(rows[0]))
    for name, entry in sorted(index.items()):
        recipe = entry["recipe"]
        rows.append(
            (
                f"[{name}]({name}.md)",
                architecture(entry),
                f"{entry['parameters']:,}",
                recipe["data"],
                nats(entry),
                f"{entry['bits_per_dim']:.4f}",
                recipe["target"],
                epochs(entry),
                megabytes(entry),
            )
        )
    return "\n".join(f"|{'|'.join(row)}|" if row[0] == "---" else f"| {' | '.join(row)} |" for row in rows)


def readme(index):
    """The page of all models: what they are, how to load them, and the table."""
    return f"""{GENERATED}
# Pretrained models

`pixel_zoo.load("NAME")`, or `keras.models.load_model("exported/NAME.keras")` after `import pixel_zoo`. Each has a card,
`NAME.md`. Likelihoods are of the whole test split, with the standard error of the mean. `pixel-zoo verify exported`
computes them again.

{table(index)}

A model that has a directory here too, `NAME/1/`, is served from it by TensorFlow Serving, see
[serving](../docs/serving.md). `python tools/zoo.py saved-model NAME` writes it, for any of them.
"""


def likelihood(entry):
    """The figure of a model, such as "80.1 ± 0.6 nats an image, 1.8 bits/dim"."""
    bound = "" if entry["likelihood"] == "exact" else f" ({entry['likelihood']})"
    return f"{nats(entry)} nats an image{_given(entry)}{bound}, {entry['bits_per_dim']:.4f} bits/dim"


def architecture(entry):
    """The architecture of a model, such as "PixelCNN", or "PixelCNN given the label"."""
    return entry["recipe"]["model"] + _given(entry)


def nats(entry):
    """Nats of an image with their standard error."""
    return f"{entry['nats']:.3f} ± {entry['standard_error']:.3f}"


def epochs(entry):
    """How many epochs a model was trained for, and whether its recipe goes on for longer."""
    done, wanted = entry["epochs"], entry["epochs_of_recipe"]
    return f"{done} of the recipe's {wanted} epochs" if done < wanted else f"{done} epochs"


def _steps(entry):
    """The steps of those epochs; of a run that ended before its time, the last epoch may not have been whole."""
    planned, steps = entry["recipe"]["epochs"], f"{entry['steps']:,} steps"
    return f"ended before the {planned} of the command, at most {steps}" if entry["epochs"] < planned else steps


def megabytes(entry):
    """Size of a file, such as "0.21"."""
    return f"{entry['bytes'] / 1e6:.2f}"


def duration(seconds):
    """A time in words.

    Example:

    >>> duration(59), duration(3700)
    ('59 s', '1 h 2 min')
    """
    minutes = math.ceil(seconds / 60) if seconds >= 60 else 0
    if not minutes:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _given(entry):
    """What a model is told of an image beforehand: its figure is of p(image | label), no match for one of p(image)."""
    return " given the label" if "num_classes" in entry["recipe"]["model_options"] else ""


def _options(options):
    """Options of a model in words, those of its parts in brackets."""
    return ", ".join(
        f"{name} [{_options(value)}]" if isinstance(value, dict) else f"{name} {value}"
        for name, value in options.items()
    )
