"""Commands that train and score."""

import pathlib
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pixel_zoo_cli.installed import recipe_names
from pixel_zoo_cli.loading import load_with_codec
from pixel_zoo_cli.options import Data, DataOption, Model, Split
from pixel_zoo_cli.quiet import busy, import_keras, printable


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe of the package, such as mnist:row_lstm (see `pixel-zoo recipes`), or a Python file of "
            "recipes.",
            autocompletion=lambda: recipe_names(),
        ),
    ],
    output: Annotated[pathlib.Path, typer.Option(help="Directory to write, new or empty unless --resume.")],
    model: Annotated[str | None, typer.Option(help="Name of the recipe, if the file holds several.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field: learning_rate=1e-3, data_options.path=photos.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Short for --set epochs=...")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --output, if there is one.")] = False,
    distribute: Annotated[str | None, typer.Option(help="mirrored, multiworker or data_parallel.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop training after this many minutes.")] = None,
    checkpoint_steps: Annotated[
        int | None, typer.Option(help="Save the state for --resume every so many steps.")
    ] = None,
    checkpoint_minutes: Annotated[
        float, typer.Option(help="Save the state every so many minutes, and after each epoch.")
    ] = 10.0,
    steps_per_call: Annotated[
        int | None,
        typer.Option(
            help="Training steps per device call; above 1: JAX only. Default: 100 on an accelerator under JAX, else 1."
        ),
    ] = None,
    no_samples: Annotated[bool, typer.Option("--no-samples", help="Draw no sample images during the run.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Trace ten steps, for TensorBoard.")] = False,
):
    """Train the model of a recipe."""
    from pixel_zoo.onednn import use_onednn

    use_onednn()
    import_keras()
    from pixel_zoo import training

    changes = (set_ or []) + ([] if epochs is None else [f"epochs={epochs}"])
    chosen = training.override(training.find_recipe(recipe, model), *changes)
    bar_or_lines = 1 if sys.stdout.isatty() else 2
    try:
        training.train(
            chosen,
            output,
            resume=resume,
            distribute=distribute,
            minutes=minutes,
            checkpoint_steps=checkpoint_steps,
            checkpoint_minutes=checkpoint_minutes,
            steps_per_call=steps_per_call,
            samples=not no_samples,
            profile=profile,
            verbose=bar_or_lines,
        )
    except KeyboardInterrupt:
        print(f"Stopped; --resume continues from what was saved: {output}", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"Best model: {output / 'best.keras'}")
    print(f"Target: {chosen.target} ({chosen.source})")


def evaluate(model: Model, data: Data, data_option: DataOption = None, split: Split = "test"):
    """Score every image of a split: nats and bits per dimension.

    A pretrained prior over codes encodes data of pictures, and the figures are those of their codes.
    """
    loaded, codec = load_with_codec(model)
    from pixel_zoo import training
    from pixel_zoo.data import info
    from pixel_zoo.training.recipe import parse_data_options
    from pixel_zoo.zoo.codecs import encoded

    data_set = encoded(info(data, **parse_data_options(data, data_option or [])), loaded, codec)
    with busy(f"Scoring {data}, {split} split"):
        result = training.evaluate(loaded, data_set, split)
    columns = ("data", "split", "images", "nats an image", "bits/dim", "likelihood", "images/s")
    table = Table(*columns, title=result["description"])
    table.add_row(
        data,
        split,
        f"{result['images']:,}",
        printable(f"{result['nats']:.3f} ± {result['standard_error']:.3f}"),
        f"{result['bits_per_dim']:.4f}",
        result["likelihood"],
        f"{result['images_per_second']:.0f}",
    )
    Console().print(table)
