"""The folder of a run: who writes there, what ran, and its log."""

import contextlib
import csv
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import tempfile
from collections.abc import Iterator
from typing import Any

import keras

from pixel_zoo import backend, data
from pixel_zoo.files import holds_files, replacing, sole_writer, writable_directory
from pixel_zoo.training.distribution import OneDevice
from pixel_zoo.training.recipe import Recipe
from pixel_zoo.version import VERSION

PACKAGES = ("keras", "tensorflow", "jax", "numpy")


@contextlib.contextmanager
def run_directory(output: str | os.PathLike[str], resume: bool, spread: OneDevice) -> Iterator[pathlib.Path]:
    """Yield `output` in the first of several processes, and a temporary directory in the others.

    All of them run the same callbacks, since reading a weight takes every process, but only the first one writes. No
    other run can write into the directory until the block has ended.
    """
    if spread.is_first:
        directory = _directory(output, resume)
        with sole_writer(directory):
            yield directory
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield pathlib.Path(temporary)


def _directory(path: str | os.PathLike[str], resume: bool) -> pathlib.Path:
    """Create the directory `path`, unless it holds files other than a run to resume."""
    path = pathlib.Path(path)
    resumed = resume and (path / "config.json").exists()
    if path.is_dir() and holds_files(path) and not resumed:
        choice = "resume that run (--resume), or " if (path / "config.json").exists() else ""
        raise FileExistsError(f"output: {str(path)!r} already holds files; {choice}name a new or empty directory")
    return writable_directory(path)


def record_configuration(path: pathlib.Path, recipe: Recipe, model: keras.Model, steps_per_call: int) -> None:
    """Write config.json, which holds all that it takes to repeat this run; if it exists, check that it agrees.

    Args:
        path: the file.
        recipe: the `Recipe`.
        model: its model.
        steps_per_call: int, training steps that the engine takes at a time.

    Raises:
        ValueError: the run in this folder has another recipe, other images, another backend or engine.
    """
    if path.exists():
        try:
            configuration = json.loads(path.read_text())
            before = configuration | configuration["recipe"]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"resume: {str(path)!r} is not the configuration of a run; name another output") from error
        _check_same_run(before, recipe, steps_per_call)
        return
    configuration = {
        "recipe": recipe.to_dict(),
        "parameters": model.count_params(),
        "training_images_sha256": data.content_hash(recipe.data, "train", **recipe.data_options),
        **_hashes(initial_weights=recipe.initial_weights, teacher=recipe.teacher),
        "backend": keras.backend.backend(),
        "steps_per_call": steps_per_call,
        "machine": ", ".join([f"{_cores()} of {_processor()}", *backend.accelerators()]),
        "versions": {"python": platform.python_version(), "pixel-zoo": VERSION}
        | {name: _version(name) for name in PACKAGES},
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(configuration, indent=2) + "\n")


def _hashes(**paths: str | None) -> dict[str, str]:
    """The hashes of the model files that a run uses: their names may be those of other files later."""
    return {
        f"{name}_sha256": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        for name, path in paths.items()
        if path is not None
    }


def _check_same_run(before: dict[str, Any], recipe: Recipe, steps_per_call: int) -> None:
    """Raise unless a run that was started as `before` says continues with this recipe, these images and this engine."""
    now = {
        "backend": keras.backend.backend(),
        "steps_per_call": steps_per_call,
        "training_images_sha256": data.content_hash(recipe.data, "train", **recipe.data_options),
        **recipe.to_dict(),
        **_hashes(teacher=recipe.teacher),
    }
    # What older versions did not record had the default's meaning.
    defaults = {field.name: field.default for field in dataclasses.fields(recipe)} | {"steps_per_call": 1}
    for name, value in now.items():
        if (started := before.get(name, defaults.get(name))) != value:
            raise ValueError(f"resume: the run was started with {name}={started!r}, got {value!r}")


def rewrite_log(path: pathlib.Path, history: list[dict[str, float]]) -> None:
    """Reduce log.csv to the epochs in `history`: an interrupted run may have logged an epoch that will be repeated."""
    path.unlink(missing_ok=True)
    if history:
        with replacing(path) as temporary, open(temporary, "w", newline="") as file:
            # In the column order of Keras's CSVLogger, which appends to this file.
            writer = csv.DictWriter(file, ["epoch", *sorted(history[0])])
            writer.writeheader()
            writer.writerows({"epoch": epoch, **logs} for epoch, logs in enumerate(history))


def _cores() -> str:
    """The number of cores that this process may use, in words."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return "1 core" if count == 1 else f"{count} cores"


def _processor() -> str:
    """The processor's model name where the system knows it, otherwise its architecture."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
