"""Commands that serve models."""

import functools
import pathlib
from typing import Annotated

import typer

from pixel_zoo_cli.installed import pretrained_names
from pixel_zoo_cli.loading import check_can_make, is_file, load
from pixel_zoo_cli.options import Model, Server
from pixel_zoo_cli.quiet import busy, import_keras


def export(
    model: Model,
    path: Annotated[pathlib.Path, typer.Argument(help="Directory of the served model; the version goes below it.")],
    version: Annotated[int, typer.Option(help="Version number, 1 or above.")] = 1,
    particles: Annotated[
        int | None,
        typer.Option(help="Add a signature that completes given all known pixels, with so many particles.", min=2),
    ] = None,
):
    """Write a SavedModel that scores, draws, completes and explains images.

    That of a pretrained prior over codes has its encoder and decoder, so it also returns pictures.
    """
    if (path / str(version)).exists():
        raise FileExistsError(f"version: {str(path / str(version))!r} exists already; choose another version")
    check_can_make(path)
    loaded = load(model)
    import pixel_zoo
    from pixel_zoo.zoo.codecs import parts_of

    with busy("Exporting"):
        directory = pixel_zoo.export(loaded, path, version=version, particles=particles, **parts_of(model))
    print(directory)


def playground(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help=".keras files, or names of pretrained or of served models; else all.",
            autocompletion=lambda: pretrained_names(),
        ),
    ] = None,
    server: Server = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page, on this machine alone.")] = 7860,
):
    """Serve a page on which you paint half an image and see a model complete it."""
    import_keras()
    try:
        from pixel_zoo.playground import ServedModel, launch
    except ImportError as error:
        raise ImportError(f"the playground needs {error.name}: pip install 'pixel-zoo[playground]'") from error
    from pixel_zoo.zoo.index import entry_of, read_index

    names = models or sorted(read_index())
    load_model = load if server is None else functools.partial(ServedModel, server)
    for name in names:  # report what is wrong now, not on the page
        if server is not None:
            load_model(name)
        elif not is_file(name):
            entry_of(name)
    launch({name: functools.partial(load_model, name) for name in names}, port)
