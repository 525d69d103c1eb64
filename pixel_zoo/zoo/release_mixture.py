"""From pretrained models to a pretrained mixture: its file, its card, its entry in the index."""

import importlib.metadata
import pathlib
import platform
import shlex
import types

import keras

from pixel_zoo import data, pictures
from pixel_zoo.files import replacing
from pixel_zoo.models import Mixture
from pixel_zoo.training import evaluate
from pixel_zoo.version import VERSION
from pixel_zoo.zoo import index
from pixel_zoo.zoo.card import architecture
from pixel_zoo.zoo.pretrained import load
from pixel_zoo.zoo.release import facts_of_release, samples_and_completions, save_model, write_pages


def release_mixture(
    name: str,
    members: list[str],
    weights: list[float] | None,
    exported: str | pathlib.Path,
    target: str = "",
    source: str = "",
) -> dict:
    """Make a pretrained mixture from pretrained models.

    It is not trained, so there is no run; its likelihood is computed on the whole test split of the members' data set.

    | file | contents |
    |---|---|
    | `exported/NAME.keras` | the members' weights, float32 |
    | `exported/NAME.png`, `exported/NAME.members.png` | samples and completions; nats of mixture and members |
    | `exported/NAME.md`, `exported/README.md` | the card; the table of all models |
    | `pixel_zoo/zoo/index.json` | the entry |

    Args:
        name: name of the mixture.
        members: names of at least two pretrained models of one data set.
        weights: numbers, one for each member, or None: all alike.
        exported: directory of the pretrained models.
        target, source: the figure that it aims at, and where that is published, as in a `Recipe`.

    Returns:
        The model's entry in the index.

    Raises:
        ValueError: there is no such pretrained model, the members can't be mixed, they were trained on different data,
            or the file is too large.
    """
    exported = pathlib.Path(exported)
    entries = [index.entry_of(member) for member in members]
    recipe = _recipe_of_data(members, entries)
    model = Mixture([load(member) for member in members], weights)
    figures = evaluate(model, recipe.data, "test", data_options=recipe.data_options)
    path = exported / f"{name}.keras"
    save_model(model, path)
    weighted = [] if weights is None else [word for weight in weights for word in ("--weight", f"{weight:g}")]
    shares = weights or [1] * len(members)
    entry = {
        **facts_of_release(path, figures),
        "parameters": model.count_params(),
        "members": {
            member: {
                "weight": share / sum(shares),
                "architecture": architecture(entry),
                **{key: entry[key] for key in ("sha256", "nats", "standard_error")},
            }
            for member, entry, share in zip(members, entries, shares, strict=True)
        },
        "recipe": {
            "data": recipe.data,
            "data_options": recipe.data_options,
            "model": "Mixture",
            "model_options": {},
            "target": target,
            "source": source,
        },
        "command": shlex.join(["python", "tools/zoo.py", "mixture", name, *members, *weighted]),
        "backend": keras.backend.backend(),
        "versions": {"python": platform.python_version(), "pixel-zoo": VERSION}
        | {package: importlib.metadata.version(package) for package in ("keras", "numpy")},
    }
    pictures.save(samples_and_completions(model, recipe), exported / f"{name}.png")
    save_members(name, entry, exported / f"{name}.members.png")
    write_pages(index.read_index() | {name: entry}, exported)
    return entry


def save_members(name, entry, path):
    """Draw the nats of a mixture and of its members, with their standard errors."""
    from matplotlib.figure import Figure  # slow to import, and needed only here

    shown = [(name, entry), *entry["members"].items()]
    figure = Figure(figsize=(7, 0.9 + 0.5 * len(shown)), layout="constrained")
    axes = figure.add_subplot(xlabel="test, nats an image ± standard error")
    for row, (_, figures) in enumerate(shown):
        axes.errorbar(figures["nats"], row, xerr=figures["standard_error"], fmt="o", capsize=4)
        axes.annotate(f"{figures['nats']:.2f}", (figures["nats"], row), (0, 8), textcoords="offset points", ha="center")
    axes.set_yticks(range(len(shown)), [label for label, _ in shown])
    axes.set_ylim(len(shown) - 0.5, -0.7)
    axes.grid(alpha=0.3, axis="x")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _recipe_of_data(members, entries):
    """What pictures and figures need of a recipe: the data set that all members were trained on, and a seed."""
    used = [(entry["recipe"]["data"], entry["recipe"]["data_options"]) for entry in entries]
    if any(one != used[0] for one in used):
        sets = ", ".join(f"{member}: {name}" for member, (name, _) in zip(members, used, strict=True))
        raise ValueError(f"members must be of one data set, got {sets}")
    name, options = used[0]
    data.info(name, **options)
    return types.SimpleNamespace(data=name, data_options=options, seed=0)
