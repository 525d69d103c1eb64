"""The program `pixel-zoo`."""

from typing import Annotated

import typer

from pixel_zoo_cli import catalogue, compression, images, runs, scores, serving
from pixel_zoo_cli.installed import version
from pixel_zoo_cli.one_line_errors import OneLineErrors

app = typer.Typer(
    cls=OneLineErrors,
    help="Train, score, sample, inspect and export PixelCNN, Gated PixelCNN, Row LSTM and Diagonal BiLSTM, "
    "and compress images with them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    runs.train,
    runs.evaluate,
    scores.score,
    images.sample,
    images.complete,
    images.inspect,
    compression.compress,
    compression.decompress,
    serving.export,
    serving.playground,
    catalogue.recipes,
    catalogue.verify,
):
    app.command()(command)
app.command(name="list")(catalogue.list_)


def _print_version(wanted: bool):
    if wanted:
        print(f"pixel-zoo {version()}")
        raise typer.Exit


@app.callback()
def options(
    version_: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
):
    pass
