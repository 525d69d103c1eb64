"""What is known of the recipes that come with the package, and copies of them."""

import pathlib
import re

from pixel_zoo.files import replacing, writable_directory
from pixel_zoo.training.recipe_names import find_recipe, recipe_file
from pixel_zoo.zoo.card import architecture, duration


def recipe_facts(name: str, index: dict) -> tuple[str, str, str, str]:
    """What a recipe trains, on what, to which figure, and how large and slow that was.

    Args:
        name: such as "mnist:diagonal_bilstm".
        index: as of `pixel_zoo.zoo.index.read_index`.

    Returns:
        (data set, model, target, the pretrained models that were trained by it), four texts.

    Example:

    >>> recipe_facts("digits:gated", {})
    ('digits', 'Gated PixelCNN 3x32', 'below 2.19 bits/dim, test split: 10 % fewer than one histogram per pixel, ...
    """
    recipe = find_recipe(name).to_dict()
    trained = [entry for entry in index.values() if _recipe_of(entry) == name]
    return recipe["data"], architecture({"recipe": recipe}), recipe["target"], "\n".join(map(_cost, trained))


def copy_recipe(name: str, directory: pathlib.Path) -> pathlib.Path:
    """Copy the file of a recipe that comes with the package into a directory.

    Args:
        name: such as "mnist".
        directory: is made if it does not exist.

    Returns:
        The new file.

    Raises:
        ValueError: there is no such recipe.
        FileExistsError: the directory has a file of that name.
        OSError: the directory cannot be written.

    Example:

    >>> import tempfile
    >>> copy_recipe("mnist", tempfile.mkdtemp()).name
    'mnist.py'
    """
    source = recipe_file(name)
    target = writable_directory(directory) / source.name
    if target.exists():
        raise FileExistsError(f"copy: {str(target)!r} exists already; name another directory")
    with replacing(target, new=True) as temporary:
        temporary.write_bytes(source.read_bytes())
    return target


def _recipe_of(entry):
    """The name of the recipe that a pretrained model was trained by; None for a mixture."""
    named = re.match(r"pixel-zoo train (\w+:\w+) ", entry["command"])
    return named and named[1]


def _cost(entry):
    """The size of a pretrained model, and how long it was trained on what."""
    done, wanted = entry["epochs"], entry["epochs_of_recipe"]
    time = "time not recorded" if entry["seconds"] is None else duration(entry["seconds"])
    accelerator_or_cores = f" on {entry['machine'].rpartition(', ')[2]}" if entry["machine"] else ""
    return (
        f"{architecture(entry)}, {entry['parameters']:,} parameters: {done} of {max(done, wanted)} epochs in "
        f"{time}{accelerator_or_cores}"
    )
