"""Commands that list what there is, and verify it."""

import collections
import pathlib
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from pixel_zoo_cli.loading import check_can_make
from pixel_zoo_cli.quiet import import_keras, printable


def list_():
    """List pretrained models, architectures and data sets."""
    import_keras()
    from pixel_zoo import data
    from pixel_zoo.training.recipe import model_names
    from pixel_zoo.zoo import card
    from pixel_zoo.zoo.index import read_index

    console = Console()
    # Names are there to be copied, figures to be compared: they are never cut on a narrow terminal.
    whole = [Column(title, no_wrap=True) for title in ("pretrained", "test, nats an image", "bits/dim")]
    pretrained = Table(*whole, Column("model", overflow="fold"))
    for name, entry in read_index().items():
        nats = printable(card.nats(entry))
        pretrained.add_row(name, nats, f"{entry['bits_per_dim']:.4f}", card.architecture(entry))
    console.print(pretrained)
    console.print("Architectures:", ", ".join(model_names()))
    sets = Table("data set", "image", "levels", "what it is")
    for name in data.names():
        sets.add_row(name, *data.in_words(name))
    console.print(sets)


def recipes(
    copy: Annotated[
        tuple[str, pathlib.Path] | None,
        typer.Option(
            metavar="NAME DIRECTORY",
            help="Copy the file of a recipe, such as mnist, into a directory, to change it and train from it.",
        ),
    ] = None,
):
    """List the recipes that come with the package: what `pixel-zoo train NAME` trains."""
    if copy is not None:
        check_can_make(copy[1])
    import_keras()
    from pixel_zoo import training
    from pixel_zoo.zoo.index import read_index
    from pixel_zoo.zoo.recipe_facts import copy_recipe, recipe_facts

    if copy is not None:
        print(copy_recipe(*copy))
        return
    sizes = Column("parameters", justify="right")
    table = Table(Column("recipe", no_wrap=True), "data set", "model", sizes, "target", "pretrained by it")
    index = read_index()
    for name in training.recipe_names():
        table.add_row(name, *map(printable, recipe_facts(name, index)))
    Console().print(table)


def verify(
    directory: Annotated[
        pathlib.Path | None,
        typer.Argument(help="Directory of the .keras files; default: those that come with the package."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Verify only the models of this data set.")] = None,
):
    """Compare pretrained models with their cards: hash, both backends, likelihood of the whole test split.

    Exit code 0: at least one was verified, and none failed.
    """
    import_keras()
    from pixel_zoo.shipped import shipped
    from pixel_zoo.zoo.verify import verify as findings

    verdicts: collections.Counter[str] = collections.Counter()
    for finding in findings(directory or shipped("exported"), data):
        print(f"{finding.name}: {finding.verdict}: {finding.words}", flush=True)
        verdicts[finding.verdict] += 1
    print(", ".join(f"{verdicts[verdict]} {verdict}" for verdict in ("verified", "not verified", "failed")))
    if verdicts["failed"] or not verdicts["verified"]:
        raise typer.Exit(1)
