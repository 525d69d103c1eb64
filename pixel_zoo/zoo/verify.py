"""Whether pretrained models are what their cards say."""

import dataclasses
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
    """What came of verifying a model.

    Attributes:
        name: the model's.
        verdict: "verified"; "failed", something is not as the card says; "not verified", something can't be done here.
        words: why, in a line.
    """

    name: str
    verdict: str
    words: str


def verify(directory, data=None):
    """Compare the files in a directory with the index: hash, both backends, likelihood of the whole test split.

    A file must load on either backend, and both must score the same images alike. Then its mean nats of the test split
    must be those of the card.

    Args:
        directory: where the `.keras` files lie, such as `exported/`.
        data: name of a data set, to verify its models alone; None: all models of the index.

    Yields:
        A `Finding` for each model, as soon as it is there.

    Raises:
        NotADirectoryError: there is no such directory.
        ValueError: no model of the index is one of this data set.
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise NotADirectoryError(f"directory: {str(directory)!r} is no directory")
    entries = {name: entry for name, entry in read_index().items() if data in (None, entry["recipe"]["data"])}
    if not entries:
        raise ValueError(f"data: the index has no model of {data!r}")
    paths = {name: directory / f"{name}.keras" for name in entries}
    whole = [paths[name] for name, entry in entries.items() if is_whole(paths[name], entry["sha256"])]
    elsewhere = dict(zip(whole, _probes_elsewhere(whole), strict=True))
    for name, entry in entries.items():
        yield Finding(name, *_verdict(paths[name], entry, elsewhere.get(paths[name])))


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


def _verdict(path, entry, elsewhere):
    if not path.is_file():
        return "not verified", "its file is not there"
    if elsewhere is None:
        return "failed", f"its SHA-256 is not {entry['sha256']}"
    if isinstance(elsewhere, str):
        return "failed", elsewhere
    model, recipe = keras.models.load_model(path), entry["recipe"]
    here = probe(model)
    if not np.allclose(here, elsewhere, rtol=SHARE):
        return "failed", f"backends differ: the same images have {here} nats here, {elsewhere} on {_other()}"
    try:
        figures = evaluate(model, recipe["data"], "test", data_options=recipe["data_options"])
    except (FileNotFoundError, ImportError) as error:
        return "not verified", f"loads on both backends, but there is no data: {error}"
    words = f"{figures['nats']:.4f} nats, {entry['nats']:.4f} on the card"
    good = abs(figures["nats"] - entry["nats"]) <= TOLERANCE and figures["images"] == entry["images"]
    return "verified" if good else "failed", f"{words}; {figures['images']:,} images; loads on both backends"


def _other():
    return OTHER_BACKEND[keras.backend.backend()]


def _probes_elsewhere(paths):
    """What `probe` returns on the other backend, in a process of its own; for a file that does not load there, why."""
    if not paths:
        return []
    environment = os.environ | {"KERAS_BACKEND": _other(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", __name__, *map(str, paths)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return [f"a process with KERAS_BACKEND={_other()} failed: {last}"] * len(paths)
    return json.loads(done.stdout.splitlines()[-1])


def _probe_or_reason(path):
    try:
        return probe(keras.models.load_model(path))
    except Exception as error:  # whatever a file can do to Keras is what is asked here
        return f"does not load on {keras.backend.backend()}: {type(error).__name__}: {error}"


if __name__ == "__main__":
    print(json.dumps([_probe_or_reason(path) for path in sys.argv[1:]]))
