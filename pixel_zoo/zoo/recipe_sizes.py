"""The number of parameters of each recipe's model, so that a list of recipes need not build them."""

import json
import pathlib

from pixel_zoo.files import replacing
from pixel_zoo.training.recipe import Recipe
from pixel_zoo.training.recipe_names import find_recipe, recipe_names
from pixel_zoo.training.set_up import build_model

PATH = pathlib.Path(__file__).with_name("recipe_sizes.json")  # written by `python tools/zoo.py recipe-sizes`


def recipe_size(name: str, recipe: Recipe) -> int | None:
    """The number of parameters of the model of a recipe that comes with the package.

    Args:
        name: such as "mnist:diagonal_bilstm".
        recipe: the recipe of that name.

    Returns:
        int, or None if it depends on the user's data, or if another model was counted than the recipe names now.

    Example:

    >>> recipe_size("mnist:diagonal_bilstm", find_recipe("mnist:diagonal_bilstm"))
    69377
    """
    counted = json.loads(PATH.read_text()).get(name)
    return counted["parameters"] if counted is not None and counted["of"] == _decisive(recipe) else None


def write_recipe_sizes() -> None:
    """Build the model of every recipe that comes with the package, and record its number of parameters."""
    sizes = {}
    for name in recipe_names():
        recipe = find_recipe(name)
        if "path" not in recipe.data_options:  # else it is the user's own data, which decide the size
            sizes[name] = {"parameters": build_model(recipe).count_params(), "of": _decisive(recipe)}
    with replacing(PATH) as temporary:
        temporary.write_text(json.dumps(sizes, indent=1) + "\n")


def _decisive(recipe):
    """The fields of a recipe that its number of parameters depends on, as JSON has them."""
    fields = recipe.to_dict()
    return json.loads(json.dumps({key: fields[key] for key in ("data", "data_options", "model", "model_options")}))
