"""What can be known of the package without importing it, which takes seconds."""

import importlib.util
import json
import pathlib
import runpy


def version():
    """The version of the package."""
    return runpy.run_path(str(_package() / "version.py"))["VERSION"]


def pretrained_names():
    """The names of the pretrained models, for shell completion."""
    return sorted(json.loads((_package() / "zoo" / "index.json").read_text()))


def recipe_names():
    """The names of the recipe files that come with the package, for shell completion."""
    from pixel_zoo.shipped import shipped  # without Keras

    return sorted(file.stem for file in shipped("recipes").glob("*.py"))


def _package():
    (directory,) = importlib.util.find_spec("pixel_zoo").submodule_search_locations
    return pathlib.Path(directory)
