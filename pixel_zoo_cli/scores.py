"""The command that writes the likelihood of each image into a table."""

import pathlib
import sys
from typing import Annotated

import typer

from pixel_zoo_cli.loading import load, load_with_codec, sha256
from pixel_zoo_cli.options import DataOption, Label, Model, Split, labels_of
from pixel_zoo_cli.picture_files import picture_paths
from pixel_zoo_cli.quiet import busy
from pixel_zoo_cli.score_run import ScoreRun, part_of
from pixel_zoo_cli.score_source import source_of_data, source_of_files
from pixel_zoo_cli.score_table import check_new_table, write_table


def score(
    model: Model,
    output: Annotated[
        pathlib.Path,
        typer.Option(help="The table to write, by its name: .csv, .npz or .parquet. It must not exist yet."),
    ],
    files: Annotated[
        list[pathlib.Path] | None,
        typer.Argument(help="Picture files of the size of the model's images, and folders of such files."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Score a data set, not files: see `pixel-zoo list`.")] = None,
    data_option: DataOption = None,
    split: Split = "test",
    label: Label = None,
    background: Annotated[
        str | None, typer.Option(help="A background model: adds the column likelihood_ratio.", metavar="MODEL")
    ] = None,
    complexity: Annotated[
        bool, typer.Option("--complexity", help="Add the column complexity_corrected, with PNG as compressor.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Images that are scored at once.")] = 64,
    shard: Annotated[
        str | None,
        typer.Option(
            help="K/N: score only the K-th of N parts, each in a process with an output of its own.", metavar="K/N"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run with the same output, if there is one.")
    ] = False,
):
    """Score images: a table with a row for each, of its file or index, label if any, nats and bits/dim.

    Scores are written to OUTPUT.partial as they are computed. --resume continues from there, and the table is the same
    as without the interruption. A class-conditional model is given the labels of the data set, or those of --label.
    A pretrained prior over codes encodes pictures, and the scores are those of their codes.

    The columns likelihood_ratio (nats) and complexity_corrected (bits) are scores of pixel_zoo.anomaly: the higher, the
    more anomalous.
    """
    check_new_table(output)
    if bool(files) == (data is not None):
        raise ValueError("files: name picture files or folders, or else a data set (--data)")
    part = part_of(shard)
    paths = picture_paths(files) if files else []
    loaded, codec = load_with_codec(model)
    other = None if background is None else load(background)
    labels = labels_of(label)
    if data is None:
        with busy("Checking the pictures"):
            source = source_of_files(loaded, codec, paths, labels)
    else:
        source = source_of_data(loaded, codec, data, split, data_option or [], labels)
    if codec.of_codes:
        if complexity:
            raise ValueError(f"complexity: PNG files hold pictures, but {model!r} scores codes")
        shape = " x ".join(map(str, loaded.image_shape[:2]))
        print(f"{model}: nats and bits/dim are those of the {shape} codes of each picture", file=sys.stderr)
    run = ScoreRun(loaded, source, batch_size, part, background=other, complexity=complexity)
    models = {"model": sha256(model), "background": None if background is None else sha256(background)}
    try:
        with run.partial(output, models, resume) as partial:
            run.score(partial)
            write_table(output, run.rows(partial))
    except KeyboardInterrupt:
        print(f"Stopped; --resume continues from what was saved: {output}", file=sys.stderr)
        raise typer.Exit(130) from None
    run.clear(output)
    print(output)
