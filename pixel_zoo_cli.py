"""The command line: `pixel-zoo train | evaluate | sample | complete | inspect | export | list | verify |
playground`.

The package is imported inside the commands, and this file lies outside it: `--help` and a mistyped option should not
wait for Keras.
"""

import collections
import contextlib
import enum
import functools
import os
import pathlib
import sys
import zipfile
from typing import Annotated

import typer
import typer.core
from rich.console import Console
from rich.table import Column, Table

BAD_INPUT = (ValueError, TypeError, OSError, ImportError, RuntimeError)
IMAGES_SHOWN = 6


class OneLineErrors(typer.core.TyperGroup):
    """Commands whose bad input is one line on stderr and exit code 2, whatever it raised inside."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):  # RuntimeErrors too: how `train --help` ends, for one
            raise
        except BAD_INPUT as error:
            print("pixel-zoo:", " ".join(str(error).split()), file=sys.stderr)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=OneLineErrors,
    help="Train, score, sample, inspect and export PixelCNN, Gated PixelCNN, Row LSTM and Diagonal BiLSTM.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Known(enum.StrEnum):
    """The part of an image that a completion is given."""

    top = "top"
    bottom = "bottom"
    left = "left"
    right = "right"
    border = "border"


Model = Annotated[str, typer.Argument(help="A .keras file, or the name of a pretrained model.")]
Data = Annotated[str, typer.Option(help="Name of a data set: see `pixel-zoo list`.")]
DataOption = Annotated[
    list[str] | None, typer.Option("--data-option", help="An option of the data set: path=photos. Repeatable.")
]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Picture = Annotated[pathlib.Path, typer.Option(help="The .png file to write; it must not exist yet.")]
Seed = Annotated[int, typer.Option(help="Seed of the first image; the next ones count up from it.")]
Temperature = Annotated[float, typer.Option(help="Below 1 likelier images, 0 the likeliest value of every pixel.")]
TopK = Annotated[int | None, typer.Option(help="Draw from the k likeliest values only.")]
Label = Annotated[
    list[int] | None, typer.Option(help="For a class-conditional model: one for all images, or repeated, one for each.")
]
TopP = Annotated[float | None, typer.Option(help="Draw from the likeliest values that hold this much probability.")]


@app.command()
def train(
    recipe: Annotated[pathlib.Path, typer.Argument(help="A Python file of recipes, such as recipes/mnist.py.")],
    output: Annotated[pathlib.Path, typer.Option(help="Directory to write, new or empty unless --resume.")],
    model: Annotated[str | None, typer.Option(help="Name of the recipe in that file, where it holds several.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field: learning_rate=1e-3, data_options.path=photos.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Short for --set epochs=...")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --output, if any.")] = False,
    distribute: Annotated[str | None, typer.Option(help="mirrored, multiworker or data_parallel.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Train no longer than this.")] = None,
    checkpoint_steps: Annotated[
        int | None, typer.Option(help="Save all that --resume needs each so many steps.")
    ] = None,
    checkpoint_minutes: Annotated[
        float, typer.Option(help="Save it each so many minutes, and after each epoch.")
    ] = 10.0,
    profile: Annotated[bool, typer.Option("--profile", help="Trace ten steps, for TensorBoard.")] = False,
):
    """Train a model by a recipe."""
    _import_keras()
    from pixel_zoo import training

    recipes = training.load_recipes(recipe)
    if model is None and len(recipes) == 1:
        (model,) = recipes
    if model not in recipes:
        raise ValueError(f"model: {str(recipe)!r} holds {', '.join(recipes)}, got {model!r}")
    changes = (set_ or []) + ([] if epochs is None else [f"epochs={epochs}"])
    chosen = training.override(recipes[model], *changes)
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
            profile=profile,
            verbose=bar_or_lines,
        )
    except KeyboardInterrupt:
        print(f"Stopped; --resume goes on from what was saved: {output}", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"Best model: {output / 'best.keras'}")
    print(f"Aimed at: {chosen.target} ({chosen.source})")


@app.command()
def evaluate(model: Model, data: Data, data_option: DataOption = None, split: Split = "test"):
    """Score every image of a split: nats and bits per dimension."""
    loaded = _load(model)
    from pixel_zoo import training
    from pixel_zoo.training.recipe import parse_data_options

    options = parse_data_options(data, data_option or [])
    with _busy(f"Scoring {data}, {split} split"):
        result = training.evaluate(loaded, data, split, data_options=options)
    columns = ("data", "split", "images", "nats an image", "bits/dim", "likelihood", "images/s")
    table = Table(*columns, title=result["description"])
    table.add_row(
        data,
        split,
        f"{result['images']:,}",
        f"{result['nats']:.3f} ± {result['standard_error']:.3f}",
        f"{result['bits_per_dim']:.4f}",
        result["likelihood"],
        f"{result['images_per_second']:.0f}",
    )
    Console().print(table)


@app.command()
def sample(
    model: Annotated[str, typer.Argument(help="A .keras file, or the name of a pretrained or a served model.")],
    output: Picture,
    num_images: Annotated[int, typer.Option(help="How many images.")] = 16,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    label: Label = None,
    server: Annotated[
        str | None, typer.Option(help="Ask TensorFlow Serving: host:port for gRPC, http://host:port for REST.")
    ] = None,
):
    """Draw images from a model, as one picture."""
    _check_picture(output)
    if server is not None and (top_k, top_p) != (None, None):
        raise ValueError("top_k, top_p: a served model draws from all values; leave them out, or --server")
    how = {"seed": seed, "temperature": temperature, "labels": _labels(label)}
    if server is None:
        loaded = _load(model)
        images, levels = loaded.generate(num_images, **how, top_k=top_k, top_p=top_p), loaded.levels
    else:
        images, levels = _sample_served(server, model, num_images, **how)
    from pixel_zoo import pictures

    columns = max(1, round(num_images**0.5))
    pictures.save(pictures.grid(images, columns, levels), output)
    print(output)


@app.command()
def complete(
    model: Model,
    data: Data,
    output: Picture,
    data_option: DataOption = None,
    known: Annotated[Known, typer.Option(help="The part of each image that is given.")] = Known.top,
    split: Split = "test",
    num_completions: Annotated[int, typer.Option(help="Completions of each image.")] = 4,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    label: Label = None,
):
    """Complete occluded images of a data set: original, what is given, completions. Labels are those of the set."""
    _check_picture(output)
    loaded = _load(model)
    import numpy as np

    from pixel_zoo import pictures

    images, labels = _some_images(data, split, data_option)
    if label is not None or loaded.num_classes is None:
        labels = _labels(label)
    given = known_pixels(known, *images.shape[1:3])
    completed = loaded.complete(
        images.repeat(num_completions, axis=0),
        given,
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        labels=labels if np.ndim(labels) == 0 else np.repeat(labels, num_completions),
    )
    completed = completed.reshape(len(images), num_completions, *images.shape[1:])
    pictures.save(pictures.completions(images, given, completed, loaded.levels), output)
    print(output)


@app.command()
def inspect(
    model: Model,
    data: Data,
    output: Annotated[pathlib.Path, typer.Option(help="Directory to write, new or empty.")],
    data_option: DataOption = None,
    pixel: Annotated[str | None, typer.Option(help="ROW,COLUMN or ROW,COLUMN,COLOUR; else the middle.")] = None,
    split: Split = "test",
    seed: Seed = 0,
):
    """See what a model does: its surprise, a prediction, its receptive field, images being drawn."""
    place = None if pixel is None else _integers("pixel", pixel)
    loaded = _load(model)
    from pixel_zoo import training

    with _busy("Inspecting"):
        images, _ = _some_images(data, split, data_option)
        training.inspect(loaded, images, output, pixel=place, seed=seed)
    for path in sorted(output.iterdir()):
        print(path)


@app.command()
def export(
    model: Model,
    path: Annotated[pathlib.Path, typer.Argument(help="Directory of the served model; the version goes below it.")],
    version: Annotated[int, typer.Option(help="Version number, 1 or above.")] = 1,
):
    """Write a SavedModel that scores, draws, completes and explains images."""
    loaded = _load(model)
    import pixel_zoo

    with _busy("Exporting"):
        directory = pixel_zoo.export(loaded, path, version=version)
    print(directory)


@app.command(name="list")
def list_():
    """List data sets, architectures and pretrained models."""
    _import_keras()
    from pixel_zoo import data
    from pixel_zoo.training.recipe import model_names
    from pixel_zoo.zoo import card
    from pixel_zoo.zoo.index import read_index

    sets = Table("data set", "image", "levels", "what it is")
    for name in data.names():
        sets.add_row(name, *data.in_words(name))
    console = Console()
    console.print(sets)
    console.print("Architectures:", ", ".join(model_names()))
    # Names are there to be copied, figures to be compared: whole on a narrow terminal too.
    whole = [Column(title, no_wrap=True) for title in ("pretrained", "test, nats an image", "bits/dim")]
    pretrained = Table(*whole, Column("model", overflow="fold"))
    for name, entry in read_index().items():
        pretrained.add_row(name, card.nats(entry), f"{entry['bits_per_dim']:.4f}", card.architecture(entry))
    console.print(pretrained)


@app.command()
def playground(
    models: Annotated[
        list[str] | None,
        typer.Argument(help=".keras files, or names of pretrained or of served models; else all."),
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="Ask TensorFlow Serving: host:port for gRPC, http://host:port for REST.")
    ] = None,
    port: Annotated[int, typer.Option(help="Where the page is, on this machine alone.")] = 7860,
):
    """Serve a page on which one paints half an image and sees a model complete it."""
    _import_keras()
    try:
        from pixel_zoo.playground import ServedModel, launch
    except ImportError as error:
        raise ImportError(f"the playground needs {error.name}: pip install 'pixel-zoo[playground]'") from error
    from pixel_zoo.zoo.index import entry_of, read_index

    names = models or sorted(read_index())
    load = _load if server is None else functools.partial(ServedModel, server)
    for name in names:  # what is wrong is said now, not on the page
        if server is not None:
            load(name)
        elif not _is_file(name):
            entry_of(name)
    launch({name: functools.partial(load, name) for name in names}, port)


@app.command()
def verify(
    directory: Annotated[pathlib.Path, typer.Argument(help="Where the .keras files lie, such as exported/.")],
    data: Annotated[str | None, typer.Option(help="Verify the models of this data set alone.")] = None,
):
    """Compare pretrained models with their cards: hash, both backends, likelihood of the whole test split.

    Exit code 0: there are verified ones, and none failed.
    """
    _import_keras()
    from pixel_zoo.zoo.verify import verify

    verdicts = collections.Counter()
    for finding in verify(directory, data):
        print(f"{finding.name}: {finding.verdict}: {finding.words}", flush=True)
        verdicts[finding.verdict] += 1
    print(", ".join(f"{verdicts[verdict]} {verdict}" for verdict in ("verified", "not verified", "failed")))
    if verdicts["failed"] or not verdicts["verified"]:
        raise typer.Exit(1)


def _labels(label):
    """What `--label` gives: None, one for all images, or one for each."""
    return label[0] if label is not None and len(label) == 1 else label


def known_pixels(known, height, width):
    """The bool mask (height, width) of a half of the image, or of the border around its central half."""
    import numpy as np

    rows, columns = np.indices((height, width))
    return {
        Known.top: rows < height // 2,
        Known.bottom: rows >= height // 2,
        Known.left: columns < width // 2,
        Known.right: columns >= width // 2,
        Known.border: (abs(rows - (height - 1) / 2) >= height / 4) | (abs(columns - (width - 1) / 2) >= width / 4),
    }[known]


def _some_images(data, split, data_option):
    """A few images of a split, spread over it, as some are sorted; and their labels, or None where they have none."""
    import numpy as np

    from pixel_zoo.data import arrays, info, labels
    from pixel_zoo.training.recipe import parse_data_options

    options = parse_data_options(data, data_option or [])
    images = arrays(data, split, **options)
    shown = np.linspace(0, len(images) - 1, IMAGES_SHOWN).astype(int)
    has_labels = info(data, **options).classes is not None
    return images[shown], labels(data, split, **options)[shown] if has_labels else None


def _integers(option, text):
    """The integers of a text such as "3,4"."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{option} must be whole numbers with commas between them, got {text!r}") from None


def _import_keras():
    """Import Keras and its backend, without the notes that TensorFlow writes to stderr; what fails is raised anyway."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # at 2 it calls it an error that there is no GPU
    with _without_stderr():  # some of its libraries ignore that level while they are loaded
        import keras

    return keras


@contextlib.contextmanager
def _without_stderr():
    """Send to nowhere what is written to file descriptor 2, from C++ too."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _is_file(name):
    """Whether a model is a whole `.keras` file, or has the bare name of a pretrained one; else an error, at once."""
    path = pathlib.Path(name)
    if path.suffix != ".keras" and path.name == name:
        return False
    if not path.is_file():
        raise FileNotFoundError(f"model: there is no file {name!r}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"model: {name!r} is no whole .keras file; it is cut short, or of another kind")
    return True


def _load(name):
    """Load a `.keras` file, or a pretrained model by its bare name."""
    is_file, path = _is_file(name), pathlib.Path(name)
    keras = _import_keras()
    import pixel_zoo

    if not is_file:
        return pixel_zoo.load(name)
    try:
        return keras.models.load_model(path)
    except Exception as error:  # a damaged archive fails in many ways, deep in zip, HDF5 or JSON
        raise ValueError(f"model: {name!r} can't be loaded: {error}") from error


def _sample_served(server, model, num_images, **how):
    """Draw images from a model on a server: (images, levels)."""
    _import_keras()
    from pixel_zoo.serving import Client

    with Client(server, model) as client:
        return client.sample(num_images, **how), client.levels


def _check_picture(path):
    """Raise unless `path` can become a new PNG file, before any work."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"output: {str(path)!r} must end in .png")
    if path.exists():
        raise FileExistsError(f"output: {str(path)!r} exists already; name another file")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise FileNotFoundError(f"output: {str(path.parent)!r} is no directory that can be written")


def _busy(what):
    """Show on stderr that `what` is being done."""
    return Console(stderr=True).status(f"{what} ...")


if __name__ == "__main__":
    app()
