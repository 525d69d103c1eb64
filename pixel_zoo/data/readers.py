"""Readers of the package's own data sets, which read a whole split at a time."""

import importlib.util
import os
from collections.abc import Callable

import numpy as np

from pixel_zoo.data.permutation import permutation

DIGITS_SPLITS = {"train": 1297, "validation": 200, "test": 300}


def read_digits(split: str) -> np.ndarray:
    """A split of scikit-learn's digits: uint8 (N, 8, 8, 1), values 0 .. 16."""
    from sklearn.datasets import load_digits

    return _digits_split(load_digits().images.astype(np.uint8)[..., np.newaxis], split)


def read_digit_labels(split: str) -> np.ndarray:
    """The digit in each image of `read_digits`: integers (N,), 0 .. 9."""
    from sklearn.datasets import load_digits

    return _digits_split(load_digits().target, split)


def _digits_split(rows, split):
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
        import tensorflow_datasets as tfds

        decoders = None if feature == "image" else {"image": tfds.decode.SkipDecoding()}
        # A batch size of -1 is the whole split as one tensor.
        examples = _prepared(builder).as_dataset(split=slices.get(split, split), batch_size=-1, decoders=decoders)
        return examples[feature].numpy()

    return read


def tfds_is_here(builder: str) -> Callable[[], bool]:
    """A zero-argument function that tells whether `tfds_reader` reads that set without a download."""
    return lambda: importlib.util.find_spec("tensorflow") is not None and _builder(builder).is_prepared()


def _builder(name):
    """The TFDS builder of a set in TFDS_DATA_DIR, or in TFDS's default directory."""
    import tensorflow_datasets as tfds

    return tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))


def _prepared(name):
    """The TFDS builder of a set, which is downloaded if needed."""
    import requests

    builder = _builder(name)
    if not builder.is_prepared():
        try:
            # Without a network TFDS would retry for minutes before it fails.
            requests.get(next(iter(builder.url_infos)), stream=True, timeout=10).raise_for_status()
            builder.download_and_prepare()
        except OSError as error:
            raise FileNotFoundError(
                f"{builder.name} is not prepared in {builder.data_path} and can't be downloaded "
                f"({type(error).__name__}): run `tfds build {builder.name}` on a machine with a network, or set "
                "TFDS_DATA_DIR to a directory that contains it"
            ) from error
    return builder
