"""Maintain the pretrained models of a checkout: release runs, rebuild SavedModels, make Hugging Face folders.

python tools/zoo.py release RUN NAME               # a folder that `pixel-zoo train` wrote -> exported/NAME.*
python tools/zoo.py mixture NAME MEMBER MEMBER ... # a mixture of pretrained models -> exported/NAME.*
python tools/zoo.py cards                          # write all cards again, from the recipes as they are now
python tools/zoo.py recipe-sizes                   # count the parameters of all recipes again
python tools/zoo.py saved-model NAME ...           # exported/NAME/1/, and exported/models.config
python tools/zoo.py hugging-face NAME DIRECTORY    # the contents of "hf://USER/NAME"
"""

import os
import pathlib
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import typer

from pixel_zoo.zoo import card
from pixel_zoo.zoo.hugging_face import write_hugging_face
from pixel_zoo.zoo.recipe_sizes import write_recipe_sizes
from pixel_zoo.zoo.release import release as release_run
from pixel_zoo.zoo.release import renew_cards
from pixel_zoo.zoo.release_mixture import release_mixture
from pixel_zoo.zoo.saved_model import write_saved_model
from pixel_zoo_cli.one_line_errors import OneLineErrors

ROOT = pathlib.Path(__file__).parents[1]
EXPORTED = ROOT / "exported"

app = typer.Typer(
    cls=OneLineErrors, help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.command()
def release(
    run: Annotated[pathlib.Path, typer.Argument(help="Directory that `pixel-zoo train` wrote.")],
    name: Annotated[str, typer.Argument(help="Name of the pretrained model.")],
):
    """Turn a run into a pretrained model."""
    print(name, card.likelihood(release_run(run, name, EXPORTED, ROOT / "recipes")))


@app.command()
def mixture(
    name: Annotated[str, typer.Argument(help="Name of the mixture.")],
    members: Annotated[list[str], typer.Argument(help="Names of pretrained models of one data set.")],
    weight: Annotated[
        list[float] | None, typer.Option(help="Weight of a member, once for each; default: alike.")
    ] = None,
    target: Annotated[str, typer.Option(help="Figure that the mixture aims at.")] = "",
    source: Annotated[str, typer.Option(help="Where that figure is published.")] = "",
):
    """Turn a mixture of pretrained models into a pretrained model."""
    print(name, card.likelihood(release_mixture(name, members, weight, EXPORTED, target, source)))


@app.command()
def cards():
    """Write all cards again."""
    renew_cards(EXPORTED, ROOT / "recipes")


@app.command()
def recipe_sizes():
    """Count the parameters of all recipes, which `pixel-zoo recipes` shows."""
    write_recipe_sizes()


@app.command()
def saved_model(names: Annotated[list[str], typer.Argument(help="Names of pretrained models.")]):
    """Write SavedModels for TensorFlow Serving."""
    for name in names:
        print(write_saved_model(name, EXPORTED))


@app.command()
def hugging_face(
    name: Annotated[str, typer.Argument(help="Name of a pretrained model.")],
    directory: Annotated[pathlib.Path, typer.Argument(help="Directory to write, new or empty.")],
):
    """Write a folder for the Hugging Face Hub."""
    print(write_hugging_face(name, directory))


if __name__ == "__main__":
    app()
