"""How the images of each source are read, a whole split at a time."""

import os

import numpy as np

DIGITS_SPLITS = {"train": 1297, "validation": 200, "test": 300}


def permutation(size, seed):
    """A permutation of range(size) that depends on the seed (an integer or a list of them) alone.

    NumPy promises the stream of RandomState for good (NEP 19), that of its newer generators only within a version.
    """
    return np.random.RandomState(seed).permutation(size)


def read_digits(split):
    """A split of scikit-learn's digits: uint8 (N, 8, 8, 1), values 0 .. 16."""
    from sklearn.datasets import load_digits

    images = load_digits().images.astype(np.uint8)[..., np.newaxis]
    # The file goes through its writers one after the other; permuted, each split holds all of them.
    images = images[permutation(len(images), seed=0)]
    train, validation, _ = DIGITS_SPLITS.values()
    first = {"train": 0, "validation": train, "test": train + validation}[split]
    return images[first : first + DIGITS_SPLITS[split]]


def tfds_reader(builder, **slices):
    """A function split -> uint8 (N, H, W, C) that reads a set of TensorFlow Datasets, and downloads it where it must.

    Args:
        builder: its name there with a version; within a major version the images stay the same.
        slices: for each split that is a slice there, what TFDS calls it.
    """

    def read(split):
        import tensorflow_datasets as tfds

        features = _prepared(builder).as_dataset(
            split=slices.get(split, split),
            batch_size=-1,  # the whole split as one tensor
            decoders=tfds.decode.PartialDecoding({"image": True}),
        )
        return features["image"].numpy()

    return read


def _prepared(name):
    """The TFDS builder of a set that lies in TFDS_DATA_DIR (or TFDS's own default), downloaded if it has to be."""
    import requests
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))
    if not builder.is_prepared():
        try:
            # Without a network TFDS would try again for minutes before it said so.
            requests.get(next(iter(builder.url_infos)), stream=True, timeout=10).close()
            builder.download_and_prepare()
        except OSError as error:
            raise FileNotFoundError(
                f"{builder.name} is not prepared in {builder.data_path} and can't be downloaded "
                f"({type(error).__name__}): run `tfds build {builder.name}` where there is a network, or point "
                "TFDS_DATA_DIR to a directory that holds it"
            ) from error
    return builder
