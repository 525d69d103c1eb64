"""The command that trains a model, found from the record of its run."""

import inspect
import pathlib
import shlex

from pixel_zoo.shipped import shipped
from pixel_zoo.training.recipe import find_model, recipes_of_file

WORDS_ALONE = ("target", "source")  # they describe the training and do not change it


def training_command(recipe, directory, output):
    """The `pixel-zoo train` command that a `Recipe` came from: a recipe of a file, and the fields changed in it.

    Args:
        recipe: the `Recipe` that was run.
        directory: folder of the recipe files; Python files without a recipe are ignored. The recipe that needs the
            fewest changes is taken.
        output: the directory that the command writes.

    Returns:
        (str, Recipe): the command; that recipe of a file, before the changes.

    Raises:
        ValueError: no recipe can be changed into this one by `--set`, or a file fails when run.

    Example:

    >>> import tempfile
    >>> from pixel_zoo.training import Recipe
    >>> directory = pathlib.Path(tempfile.mkdtemp(), "recipes")
    >>> directory.mkdir()
    >>> text = "from pixel_zoo.training import Recipe\\ntiny = Recipe(data='digits', model='PixelCNN')\\n"
    >>> _ = (directory / "mine.py").write_text(text)
    >>> changed = Recipe(data="digits", model="PixelCNN", model_options={"filters": 8}, epochs=3)
    >>> command, unchanged = training_command(changed, directory, "runs/a")
    >>> command
    'pixel-zoo train recipes/mine.py --model tiny --set model_options.filters=8 --set epochs=3 --output runs/a'
    >>> unchanged.epochs
    10
    """
    best, directory = None, pathlib.Path(directory)
    for file in sorted(directory.glob("*.py")):
        for name, candidate in recipes_of_file(file).items():
            changes = _changes(candidate, recipe)
            if changes is not None and (best is None or len(changes) < len(best[0])):
                best = changes, file, name, candidate
    if best is None:
        raise ValueError(f"run: no recipe in {str(directory)!r} becomes that of the run by changing fields")
    changes, file, name, unchanged = best
    sets = [word for change in changes for word in ("--set", change)]
    if directory.resolve() == shipped("recipes").resolve():
        chosen = [f"{file.stem}:{name}"]  # needs no checkout
    else:
        chosen = [f"{directory.name}/{file.name}", "--model", name]
    return shlex.join(["pixel-zoo", "train", *chosen, *sets, "--output", output]), unchanged


def _changes(candidate, recipe):
    """The texts "field=value" that turn one recipe into another; None if there are none that do."""
    before, after = _flat(candidate), _flat(recipe)
    if before.keys() - after.keys() or before["data"] != after["data"] or before["model"] != after["model"]:
        return None
    return [f"{name}={value}" for name, value in after.items() if name not in before or before[name] != value]


def _flat(recipe):
    """Fields and options by the names that `--set` takes; lists as tuples.

    Options of the model that the recipe does not name have their defaults: the recipe may name more of them than it did
    at the time of the run.
    """
    flat = {}
    fields = recipe.to_dict()
    fields["model_options"] = with_defaults(recipe.model, fields["model_options"])
    for name, value in fields.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{option}": _plain(option_value) for option, option_value in value.items()}
        elif name not in WORDS_ALONE:
            flat[name] = value
    return flat


def with_defaults(model, options):
    """All options of a model: those given, and the defaults of the others.

    Args:
        model: as of `Recipe`. If it is "package.module:name" of a module that is not installed, no defaults are known.
        options: dictionary of the options given.

    Example:

    >>> with_defaults("PixelRNN", {"units": 4})["num_blocks"]
    7
    """
    try:
        parameters = inspect.signature(find_model(model)).parameters.values()
    except ValueError:
        return dict(options)
    return {one.name: one.default for one in parameters if one.default is not one.empty} | options


def _plain(value):
    """A value with its lists as tuples."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return {name: _plain(inner) for name, inner in value.items()} if isinstance(value, dict) else value
