"""What is known of the recipes that come with the package, and copies of them."""

import pathlib
import re

from pixel_zoo.files import replacing, writable_directory
from pixel_zoo.training.recipe_names import find_recipe, recipe_file
from pixel_zoo.zoo.card import architecture, duration
from pixel_zoo.zoo.recipe_sizes import recipe_size


def recipe_facts(name: str, index: dict) -> tuple[str, str, str, str, str]:
    """What a recipe trains, on what, how large it is, to which figure, and how long that took.

    Args:
        name: such as "mnist:diagonal_bilstm".
        index: as of `pixel_zoo.zoo.index.read_index`.

    Returns:
        (data set, model, number of parameters, target, the pretrained models that were trained by it), five texts.

    Example:

    >>> recipe_facts("digits:gated", {})
    ('digits', 'Gated PixelCNN 3x32', '88,401', 'below 2.19 bits/dim, test split: 10 % fewer than one histogram ...
    """
    recipe = find_recipe(name)
    fields, size = recipe.to_dict(), recipe_size(name, recipe)
    trained = [_cost(entry) for entry in index.values() if _recipe_of(entry) == name]
    return (
        fields["data"],
        architecture({"recipe": fields}),
        "by your data" if size is None else f"{size:,}",
        fields["target"],
        "\n".join(trained) or "none",
    )


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
    helped = ", from earlier weights" if entry["recipe"].get("initial_weights") else ""
    helped += ", with a teacher" if entry["recipe"].get("teacher") else ""
    return (
        f"{architecture(entry)}, {entry['parameters']:,} parameters: {done} of {max(done, wanted)} epochs in "
        f"{time}{accelerator_or_cores}{helped}"
    )
