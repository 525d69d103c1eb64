"""Recipes by name: those that come with the package, and those of a file."""

import pathlib

from pixel_zoo.checks import did_you_mean, one_of
from pixel_zoo.references import imported
from pixel_zoo.shipped import shipped
from pixel_zoo.training.recipe import Recipe, load_recipes


def recipe_files() -> dict[str, pathlib.Path]:
    """The recipe files that come with the package: name -> file, sorted.

    Example:

    >>> list(recipe_files())[:3]
    ['cifar10', 'codes', 'digits']
    """
    return {file.stem: file for file in sorted(shipped("recipes").glob("*.py"))}


def recipe_file(name: str) -> pathlib.Path:
    """The file of a recipe that comes with the package.

    Args:
        name: such as "mnist", or "mnist:row_lstm" for one recipe of that file.

    Raises:
        ValueError: there is no such file; the message names the most similar one, or all.

    Example:

    >>> recipe_file("minst")
    Traceback (most recent call last):
    ...
    ValueError: recipe: did you mean 'mnist'? It must be one of cifar10, codes, digits, ...
    """
    files, wanted = recipe_files(), name.partition(":")[0]
    if wanted not in files and (suggestion := did_you_mean(name, [*files, *recipe_names()])):
        raise ValueError(
            f"recipe: {suggestion}It must be one of {', '.join(files)}, or the path of a Python file (.py)"
        )
    one_of("recipe", wanted, [*files, "the path of a Python file (.py)"])
    return files[wanted]


def recipe_names() -> list[str]:
    """The names of the recipes that come with the package.

    Example:

    >>> recipe_names()[0]
    'cifar10:pixel_cnn'
    """
    return [f"{name}:{model}" for name, file in recipe_files().items() for model in load_recipes(file)]


def find_recipe(name: str, model: str | None = None) -> Recipe:
    """A recipe by its name.

    Args:
        name: a recipe that comes with the package, such as "mnist:diagonal_bilstm", or the path of a Python file; both
            may leave ":diagonal_bilstm" out if there is only one recipe, or if `model` says which one is meant. Or
            "package.module:name" for a recipe in a module that can be imported.
        model: the name of the recipe in its file.

    Raises:
        FileNotFoundError, ValueError: there is no such file or recipe, or the file fails when run.
        TypeError: "package.module:name" names something else.

    Example:

    >>> find_recipe("mnist:diagonal_bilstm").target
    '79.20 nats, fixed binarisation, test split'
    """
    file, colon, chosen = name.rpartition(":") if ":" in name else (name, "", model)
    if colon and model not in (None, chosen):
        raise ValueError(f"model: {name!r} names a recipe already, got {model!r} too")
    if colon and "." in file and not _is_path(file) and file not in recipe_files():
        recipe = imported("recipe", name)
        if not isinstance(recipe, Recipe):
            raise TypeError(f"recipe: {name!r} must be a Recipe, got {recipe!r}")
        return recipe
    recipes = load_recipes(_own_file(file) if _is_path(file) else recipe_file(file))
    if chosen is None and len(recipes) == 1:
        (chosen,) = recipes
    if chosen is None:
        choices = ", ".join(f"{file}:{one}" for one in recipes)
        raise ValueError(f"recipe: {file!r} holds several recipes; name one of {choices}")
    one_of(f"recipe of {file}", chosen, recipes)
    return recipes[chosen]


def _is_path(text):
    """Whether a text is the path of a file, not the name of a recipe."""
    return text.endswith(".py") or pathlib.Path(text).name != text or pathlib.Path(text).is_file()


def _own_file(text):
    """The path of a user's file, or an error that names the recipe of the package that may be meant."""
    path = pathlib.Path(text)
    if not path.is_file() and path.stem in recipe_files():
        raise FileNotFoundError(f"recipe: there is no file {text!r}; did you mean the recipe {path.stem!r}?")
    return path
