"""Where the files lie that come with the package: pretrained models and recipes."""

import pathlib

PACKAGE = pathlib.Path(__file__).parent


def shipped(kind: str) -> pathlib.Path:
    """The directory of the pretrained models, or that of the recipes.

    A wheel has them inside the package. In a checkout, also one that is installed as editable, they are directories of
    the repository, so that there is no second copy.

    Args:
        kind: "exported" or "recipes".

    Example:

    >>> (shipped("recipes") / "mnist.py").is_file()
    True
    """
    inside = PACKAGE / f"_{kind}"  # where pyproject.toml places them in the wheel
    return inside if inside.is_dir() else PACKAGE.parent / kind
