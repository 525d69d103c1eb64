"""Recipes, and training: from a recipe to a trained model with its metrics and pictures."""

from pixel_zoo.pictures import inspect
from pixel_zoo.training.callbacks.checkpoint import Checkpoint
from pixel_zoo.training.callbacks.memory import KeepFreedMemory
from pixel_zoo.training.callbacks.stop_after import StopAfter
from pixel_zoo.training.evaluation import evaluate
from pixel_zoo.training.recipe import Recipe, load_recipes, override
from pixel_zoo.training.recipe_names import find_recipe, recipe_file, recipe_names
from pixel_zoo.training.run import train

__all__ = [
    "Checkpoint",
    "KeepFreedMemory",
    "Recipe",
    "StopAfter",
    "evaluate",
    "find_recipe",
    "inspect",
    "load_recipes",
    "override",
    "recipe_file",
    "recipe_names",
    "train",
]
