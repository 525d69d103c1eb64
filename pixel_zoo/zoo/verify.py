"""Checks that pretrained models match their cards."""

import dataclasses
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np

from pixel_zoo.training import evaluate
from pixel_zoo.zoo.index import read_index
from pixel_zoo.zoo.whole import is_whole

TOLERANCE = 1e-3  # nats an image: float32 sums in another order
SHARE = 1e-4  # of the nats of improbable images, which are thousands
OTHER_BACKEND = {"tensorflow": "jax", "jax": "tensorflow"}


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of verifying a model.

    Attributes:
        name: the model's.
        verdict: "verified"; "failed" if something differs from the card; "not verified" if something cannot be checked.
        words: the reason, in one line.
    """

    name: str
    verdict: str
    words: str


def verify(directory, data=None):
    """Compare the files in a directory with the index: hash, both backends, likelihood of the whole test split.

    A file must load on both backends, and both must give the same images the same likelihood. Then its mean nats on the
    test split, their standard error and its bits/dim must be those of the card. If the other backend is not installed,
    everything else is compared, and the model counts as not verified.

    Args:
        directory: directory of the `.keras` files, such as `exported/`.
        data: name of a data set, to verify only its models; None: all models of the index.

    Yields:
        A `Finding` for each model, as soon as it is known.

    Raises:
        NotADirectoryError: there is no such directory.
        ValueError: the index has no model of this data set.
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise NotADirectoryError(f"directory: {str(directory)!r} is not a directory")
    entries = {name: entry for name, entry in read_index().items() if data in (None, entry["recipe"]["data"])}
    if not entries:
        raise ValueError(f"data: the index has no model of {data!r}")
    paths = {name: directory / f"{name}.keras" for name in entries}
    whole = [paths[name] for name, entry in entries.items() if is_whole(paths[name], entry["sha256"])]
    elsewhere = dict(zip(whole, _probes_elsewhere(whole), strict=True))
    for name, entry in entries.items():
        path = paths[name]
        yield Finding(name, *(_verdict(path, entry, elsewhere[path]) if path in elsewhere else _not_whole(path, entry)))


def probe(model):
    """Score four images of random values.

    Args:
        model: a model of `pixel_zoo.models`.

    Returns:
        List of four floats, nats.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), filters=2, num_blocks=1, head_filters=2)
    >>> len(probe(model))
    4
    """
    images = np.random.default_rng(0).integers(0, model.levels, (4, *model.image_shape))
    labels = None if model.num_classes is None else np.arange(4) % model.num_classes
    return (-model.log_likelihood(images, labels)).tolist()


def _not_whole(path, entry):
    if not path.is_file():
        return "not verified", "there is no such file"
    return "failed", f"its SHA-256 is not {entry['sha256']}"


def _verdict(path, entry, elsewhere):
    if isinstance(elsewhere, str):
        return "failed", elsewhere
    for part, facts in entry.get("parts", {}).items():
        file = path.with_suffix(f".{part}.keras")
        if not is_whole(file, facts["sha256"]):
            return "failed", f"{file.name} is missing, or its SHA-256 is not {facts['sha256']}"
    model, recipe = keras.models.load_model(path), entry["recipe"]
    here = probe(model)
    if elsewhere and not np.allclose(here, elsewhere, rtol=SHARE):
        return "failed", f"backends differ: the same images have {here} nats here, {elsewhere} on {_other()}"
    try:
        figures = evaluate(model, recipe["data"], "test", data_options=recipe["data_options"])
    except (FileNotFoundError, ImportError) as error:
        return "not verified", f"loads, but there is no data: {error}"
    except ValueError as error:
        return "failed", str(error)
    words = f"{figures['nats']:.4f} nats, {entry['nats']:.4f} on the card; {figures['images']:,} images"
    differs = [key for key, most in _tolerances(entry).items() if not abs(figures[key] - entry[key]) <= most]  # NaN
    if differs:
        return "failed", f"{words}; differs in {', '.join(differs)}"
    if elsewhere is None:
        return "not verified", f"{words}; {_other()}, which it must load on too, is not installed"
    return "verified", f"{words}; loads on both backends"


def _tolerances(entry):
    """How much each figure may differ."""
    bits = TOLERANCE * entry["bits_per_dim"] / entry["nats"]
    return {"images": 0, "nats": TOLERANCE, "standard_error": TOLERANCE, "bits_per_dim": bits}


def _other():
    return OTHER_BACKEND[keras.backend.backend()]


def _probes_elsewhere(paths):
    """What `probe` returns on the other backend, in another process; a text for a file that does not load there.

    None for each file if that backend is not installed.
    """
    if not paths:
        return []
    if importlib.util.find_spec(_other()) is None:
        return [None] * len(paths)
    environment = os.environ | {"KERAS_BACKEND": _other(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", __name__, *map(str, paths)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no error message"])[-1]
        return [f"a process with KERAS_BACKEND={_other()} failed: {last}"] * len(paths)
    return json.loads(done.stdout.splitlines()[-1])


def _probe_or_reason(path):
    try:
        return probe(keras.models.load_model(path))
    except Exception as error:  # a file may make Keras raise anything
        return f"does not load on {keras.backend.backend()}: {type(error).__name__}: {error}"


if __name__ == "__main__":
    print(json.dumps([_probe_or_reason(path) for path in sys.argv[1:]]))
