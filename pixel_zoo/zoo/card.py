"""Descriptions of pretrained models, in Markdown: a card for each, and a table of all."""

import re

from pixel_zoo import data
from pixel_zoo.zoo.command import with_defaults

ARCHITECTURES = {
    "PixelCNN": "PixelCNN",
    "GatedPixelCNN": "Gated PixelCNN",
    "row": "Row LSTM",
    "diagonal": "Diagonal BiLSTM",
}
REASON = "Each pixel is drawn given those before it, and nothing corrects later what does not fit."
LIMITATIONS = {
    "binarized_mnist": f"Most samples are digits; some are strokes that form none. {REASON}",
    "cifar10": "Samples have the colours and textures of photographs, but show no objects: most of the likelihood lies "
    f"in local detail. {REASON}",
    "mnist_vq": "About half of the samples are clear digits; the others have gaps or strokes too many. The prior "
    f"trained for minutes only, and a code stands for 4 x 4 pixels, whose details cannot be drawn. {REASON}",
    "digits": "Strokes are right in detail, but some samples are no digit: there are only 1,297 training images. "
    f"{REASON}",
}
GENERATED = "<!-- Written by tools/zoo.py; changes are overwritten. -->"


def card(name, entry, on_hub=False):
    """The card of a model.

    Args:
        name: its name.
        entry: its entry in the index.
        on_hub: bool, whether the card is for the Hugging Face Hub, which has the parts of the `.keras` file.

    Returns:
        str, Markdown, which shows the files `NAME.png` and `NAME.curve.png`.
    """
    facts = _facts_of_mixture(name, entry) if "members" in entry else _facts(name, entry, on_hub)
    figure = ("The mixture and its members", "members") if "members" in entry else ("Training curve", "curve")
    lines = [GENERATED, f"# {name}", "", f"![Samples and completions]({name}.png)", ""]
    shown = "Sixteen samples; then images of the test split, their known upper half, and six completions of it."
    lines += [shown + (" All are codes, shown as the decoder decodes them." if "parts" in entry else ""), ""]
    lines += [f"**Limitations**: {limitations(entry)}", "", "```python", *_loading(name, entry, on_hub), "```"]
    lines += ["", "| | |", "|---|---|", *(f"| {fact} | {words} |" for fact, words in facts.items())]
    lines += ["", f"![{figure[0]}]({name}.{figure[1]}.png)", ""]
    return "\n".join(lines)


def limitations(entry):
    """What the samples of a model look like, and why; then what was measured of this model's samples, if anything.

    Example:

    >>> limitations({"recipe": {"data": "images"}})
    'Samples can be right in detail and wrong as a whole. Each pixel is drawn given those before it, and nothing ...
    """
    of_all = LIMITATIONS.get(entry["recipe"]["data"], f"Samples can be right in detail and wrong as a whole. {REASON}")
    return " ".join([of_all, *([entry["limitations"]] if "limitations" in entry else [])])


def _facts(name, entry, on_hub):
    """The facts on the card of a trained model, by heading."""
    recipe = entry["recipe"]
    info = data.info(recipe["data"], **recipe["data_options"])
    versions = ", ".join(f"{package} {version}" for package, version in entry["versions"].items() if version)
    return {
        "Test": f"**{likelihood(entry)}**, {entry['images']:,} images: the whole split",
        "Aimed at": _aim(entry, f" ({recipe['source']})"),
        "Model": f"{recipe['model']} ({_options(recipe['model_options'])}), {entry['parameters']:,} parameters",
        "Data": f"`{recipe['data']}`, {info.splits['train']:,} training images. {info.description} From: {info.source}",
        "Training images, SHA-256": f"`{entry['training_images_sha256']}`",
        "Trained by": f"`{_backend(entry)}{entry['command']}`",
        **_other_models(entry),
        "Optimiser": f"{recipe['optimizer']}, learning rate {recipe['learning_rate']:g}, {recipe['schedule']}; batches "
        f"of {recipe['batch_size']}; moving average of the weights: {recipe['ema_momentum'] or 'none'}",
        "Length": f"{epochs(entry)}, {_steps(entry)}; the weights are those of epoch {entry['best_epoch']}, "
        f"the one with the fewest validation nats ({entry['validation_nats']:.3f})",
        **({"Changed after training": entry["changed"]} if "changed" in entry else {}),
        **({"Remark": entry["remark"]} if "remark" in entry else {}),
        f"Validation nats{_precision(recipe)}": _history(entry),
        "Time": "not recorded" if entry["seconds"] is None else duration(entry["seconds"]),
        "Hardware": entry["machine"] or "not recorded",
        "Versions": f"{versions}; {entry['backend']} backend",
        "File": f"{'unpacked from ' if on_hub else ''}`{name}.keras`, {megabytes(entry)} MB, weights in float32, no "
        "optimiser",
        "File, SHA-256": f"`{entry['sha256']}`",
        **{
            part.capitalize(): f"`{name}.{part}.keras`, {megabytes(facts)} MB, of Keras's own layers; SHA-256 "
            f"`{facts['sha256']}`"
            for part, facts in entry.get("parts", {}).items()
        },
    }


def _precision(recipe):
    """What to say of figures logged in training, which mixed precision computes otherwise than the released model."""
    return ", computed in bfloat16 while training" if recipe.get("mixed_precision") else ""


def _facts_of_mixture(name, entry):
    """The facts on the card of a mixture, by heading."""
    recipe = entry["recipe"]
    info = data.info(recipe["data"], **recipe["data_options"])
    versions = ", ".join(f"{package} {version}" for package, version in entry["versions"].items())
    members = [
        f"{one['weight']:.3g} of [{member}]({member}.md) ({one['architecture']}, {nats(one)} nats, file "
        f"`{one['sha256'][:12]}`)"
        for member, one in entry["members"].items()
    ]
    return {
        "Test": f"**{likelihood(entry)}**, {entry['images']:,} images: the whole split",
        "Aimed at": _aim(entry, f" ({recipe['source']})"),
        "Model": f"Mixture, the weighted mean of its members' probabilities at each pixel; {entry['parameters']:,} "
        "parameters; not trained itself",
        "Members": "; ".join(members),
        "Data": f"`{recipe['data']}`. {info.description} From: {info.source}",
        "Made by": f"`{_backend(entry)}{entry['command']}`",
        "Versions": f"{versions}; {entry['backend']} backend",
        "File": f"`{name}.keras`, {megabytes(entry)} MB, weights in float32, no optimiser",
        "File, SHA-256": f"`{entry['sha256']}`",
    }


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
                _aim(entry),
                epochs(entry),
                megabytes(entry),
            )
        )
    return "\n".join(f"|{'|'.join(row)}|" if row[0] == "---" else f"| {' | '.join(row)} |" for row in rows)


def readme(index):
    """The page that lists all models and says how to load them."""
    return f"""{GENERATED}
# Pretrained models

`pixel_zoo.load("NAME")`, or `keras.models.load_model(pixel_zoo.path("NAME"))`. Each has a card, `NAME.md`. Likelihoods
are of the whole test split, with the standard error of the mean. `pixel-zoo verify` computes them again.

{table(index)}

A model that has a directory here too, `NAME/1/`, is served from it by TensorFlow Serving, see
[serving](../docs/serving.md). `python tools/zoo.py saved-model NAME` writes it, for any of them.
"""


def likelihood(entry):
    """The figure of a model, such as "80.1 ± 0.6 nats an image, 1.8 bits/dim"."""
    bound = "" if entry["likelihood"] == "exact" else f" ({entry['likelihood']})"
    return f"{nats(entry)} nats an image{_condition(entry)}{bound}, {entry['bits_per_dim']:.4f} bits/dim"


def architecture(entry):
    """The architecture of a model, blocks x width, such as "Row LSTM 7x16" or "PixelCNN 3x32 given the label"."""
    if "members" in entry:
        *first, last = [member["architecture"] for member in entry["members"].values()]
        return f"mixture of {', '.join(first)} and {last}"
    kind, model = "", entry["recipe"]["model"]
    options = with_defaults(model, entry["recipe"]["model_options"])
    if model == "MultiScalePixelRNN":
        stages = options["options"] or {}
        kind, model = "multi-scale ", options["base"]
        options = with_defaults(model, stages if isinstance(stages, dict) else stages[-1])  # the largest image's
    name = ARCHITECTURES.get(options.get("recurrence", model))
    if name is None:  # a user's own
        return f"{kind}{model.rpartition(':')[2]}{_condition(entry)}"
    width = options["units"] if model == "PixelRNN" else options["filters"]
    return f"{kind}{name} {options['num_blocks']}x{width}{_condition(entry)}"


def outcome(entry):
    """Whether a model met its target, to two decimals like the targets; None if the target has no figure.

    Example:

    >>> outcome({"nats": 79.224, "recipe": {"target": "79.20 nats, test split"}})
    'missed by 0.02 nats'
    >>> outcome({"bits_per_dim": 3.6172, "recipe": {"target": "below 4.00 bits/dim, test split"}})
    'met'
    """
    aim = re.match(r"(?:below )?(\d+\.\d+) (nats|bits/dim)", entry["recipe"]["target"])
    if aim is None:
        return None
    missed = round(entry["nats" if aim[2] == "nats" else "bits_per_dim"] - float(aim[1]), 2)
    return "met" if missed <= 0 else f"missed by {missed:.2f} {aim[2]}"


def nats(entry):
    """Nats of an image with their standard error."""
    return f"{entry['nats']:.3f} ± {entry['standard_error']:.3f}"


def epochs(entry):
    """How many epochs a model was trained for, and how many its recipe has."""
    if "members" in entry:
        return "not trained"
    done, wanted = entry["epochs"], entry["epochs_of_recipe"]
    return f"{done} of the recipe's {wanted} epochs" if done < wanted else f"{done} epochs"


def _other_models(entry):
    """Rows of the files of other models that the run used: that whose weights it started from, and its teacher."""
    recipe, rows = entry["recipe"], {}
    if path := recipe.get("initial_weights"):
        rows["Started from"] = f"the weights of `{path}` as it was then, SHA-256 `{entry['initial_weights_sha256']}`"
    if path := recipe.get("teacher"):
        rows["Taught by"] = (
            f"the predictions of `{path}` as it was then, SHA-256 `{entry['teacher_sha256']}`: the training loss is "
            "the mean of -log p(image) and of the cross-entropy between these and its own (knowledge distillation)"
        )
    return rows


def _steps(entry):
    """The steps of those epochs; the last epoch of a run that was stopped early may be incomplete."""
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
    minutes = round(seconds / 60) if seconds >= 60 else 0
    if not minutes:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _aim(entry, source=""):
    """The target of a model, and whether it was met."""
    target = entry["recipe"]["target"]
    if not target:
        return "no figure"
    return f"{target}{source}" + (f"; **{outcome(entry)}**" if outcome(entry) else "")


def _backend(entry):
    """The prefix of a command that selects the backend on which the model was trained."""
    return "" if entry["backend"] == "tensorflow" else f"KERAS_BACKEND={entry['backend']} "


def _history(entry):
    """The validation nats of all epochs; the index does not have them for the oldest runs."""
    nats = entry.get("validation_nats_of_epochs")
    return "in the curve below" if nats is None else ", ".join(f"{value:.2f}" for value in nats)


def _loading(name, entry, on_hub):
    """The lines that load a model; of a prior over codes, those that draw pictures too."""
    if on_hub:
        lines = ["import keras", "import pixel_zoo", "", f'model = keras.saving.load_model("hf://USER/{name}")']
        load_decoder = f'keras.models.load_model(hf_hub_download("USER/{name}", "{name}.decoder.keras"))'
        lines[:1] = ["import keras", "from huggingface_hub import hf_hub_download"] if "parts" in entry else lines[:1]
    else:
        lines = ["import pixel_zoo as pz", "", f'model = pz.load("{name}")']
        load_decoder = f'pz.load("{name}.decoder")'
    if "parts" in entry:
        labels = ", labels=range(10)" if "num_classes" in entry["recipe"]["model_options"] else ""
        lines += [f"codes = model.generate(10{labels})", f"pictures = {load_decoder}.predict(codes)"]
    return lines


def _condition(entry):
    """What an image is conditioned on: a figure of p(image | label) cannot be compared with one of p(image)."""
    return " given the label" if "num_classes" in entry["recipe"]["model_options"] else ""


def _options(options):
    """The options of a model as text, with those of its parts in brackets."""
    return ", ".join(
        f"{name} [{_options(value)}]" if isinstance(value, dict) else f"{name} {value}"
        for name, value in options.items()
    )
