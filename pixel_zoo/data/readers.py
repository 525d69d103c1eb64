"""Readers of the package's own data sets, which read a whole split at a time."""

import importlib.util
import os
import pathlib
from collections.abc import Callable

import numpy as np

from pixel_zoo.data.permutation import permutation
from pixel_zoo.data.stored import load_arrays

DIGITS_SPLITS = {"train": 1297, "validation": 200, "test": 300}
_DIGITS = pathlib.Path(__file__).with_name("digits.npz")  # written by tools/digits.py


def read_digits(split: str) -> np.ndarray:
    """A split of scikit-learn's digits: uint8 (N, 8, 8, 1), values 0 .. 16."""
    return _digits_split("image", split)


def read_digit_labels(split: str) -> np.ndarray:
    """The digit in each image of `read_digits`: integers (N,), 0 .. 9."""
    return _digits_split("label", split)


def _digits_split(what, split):
    rows = load_arrays(_DIGITS)[what]
    # The file is sorted by writer; after a permutation each split has images of all writers.
    rows = rows[permutation(len(rows), seed=0)]
    train, validation, test = np.split(rows, np.cumsum(list(DIGITS_SPLITS.values()))[:-1])
    return {"train": train, "validation": validation, "test": test}[split]


def tfds_reader(builder: str, feature: str = "image", **slices: str) -> Callable[[str], np.ndarray]:
    """A function split -> array (N, ...) that reads a set of TensorFlow Datasets, and downloads it if needed.

    Args:
        builder: its TFDS name with a version; within a major version the images stay the same.
        feature: what is read from each example: "image", uint8 (H, W, C), or "label", an integer.
        slices: the TFDS name of each split that is a slice of a TFDS split.
    """

    def read(split):
        tfds = _tensorflow_datasets(builder)
        decoders = None if feature == "image" else {"image": tfds.decode.SkipDecoding()}
        # A batch size of -1 is the whole split as one tensor.
        examples = _prepared(builder).as_dataset(split=slices.get(split, split), batch_size=-1, decoders=decoders)
        return examples[feature].numpy()

    return read


def tfds_is_here(builder: str) -> Callable[[], bool]:
    """A zero-argument function that tells whether `tfds_reader` reads that set without a download."""
    needed = ("tensorflow", "tensorflow_datasets")
    return lambda: all(map(importlib.util.find_spec, needed)) and _builder(builder).is_prepared()


def _tensorflow_datasets(name):
    """The package tensorflow_datasets, or an error that says how to do without it."""
    try:
        import tensorflow  # noqa: F401 (tensorflow_datasets imports it only when it is used)
        import tensorflow_datasets
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{name.partition(':')[0]} is read with {error.name}, which is not installed: pip install pixel-zoo, or "
            "set PIXEL_ZOO_DATA to a folder that holds its splits as .npy files"
        ) from error
    return tensorflow_datasets


def _builder(name):
    """The TFDS builder of a set in TFDS_DATA_DIR, or in TFDS's default directory."""
    return _tensorflow_datasets(name).builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))


def _prepared(name):
    """The TFDS builder of a set, which is downloaded if needed."""
    import httpx

    builder = _builder(name)
    if not builder.is_prepared():
        try:
            # Without a network TFDS would retry for minutes before it fails.
            address = next(iter(builder.url_infos))
            with httpx.stream("GET", address, timeout=10, follow_redirects=True) as response:
                response.raise_for_status()
            builder.download_and_prepare()
        except (OSError, httpx.HTTPError) as error:
            raise FileNotFoundError(
                f"{builder.name} is not prepared in {builder.data_path} and can't be downloaded "
                f"({type(error).__name__}): run `tfds build {builder.name}` on a machine with a network, or set "
                "TFDS_DATA_DIR to a directory that contains it"
            ) from error
    return builder
