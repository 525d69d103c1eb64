"""Splits as arrays, as a tf.data pipeline, and as a hash."""

import functools
import hashlib
import itertools
import math
import numbers

import numpy as np

from pixel_zoo.data.permutation import permutation
from pixel_zoo.data.registry import info, names
from pixel_zoo.layers.checks import positive_integer


def arrays(name, split):
    """All images of a split, as one NumPy array.

    The split is read once in a process and kept, so the array is read-only: copy it to change it.

    Args:
        name: one of `pixel_zoo.data.names()`.
        split: "train", "validation" or "test".

    Returns:
        uint8 array (N, H, W, C), values 0 .. levels - 1, always in the same order.

    Raises:
        ValueError: there is no such data set or split, or what is stored is not that data set.
        FileNotFoundError: the set is not prepared here and can't be downloaded; says how to prepare it.

    Example:

    >>> images = arrays("digits", "test")
    >>> images.shape, images.dtype, int(images.max())
    ((300, 8, 8, 1), dtype('uint8'), 16)
    """
    _check_split(info(name), split)
    return _read(name, split)


def labels(name, split):
    """The label of each image of a split.

    Args:
        name: one of `pixel_zoo.data.names()` whose `info(name).classes` is not None.
        split: "train", "validation" or "test".

    Returns:
        int64 array (N,), values 0 .. classes - 1, in the order of `arrays`. It is read-only.

    Raises:
        ValueError: the set has no labels; and as of `arrays`.
        FileNotFoundError: as of `arrays`.

    Example:

    >>> labels("digits", "test")[:4]
    array([8, 8, 2, 2])
    """
    data_set = info(name)
    _check_split(data_set, split)
    if data_set.classes is None:
        labelled = ", ".join(name for name in names() if info(name).classes is not None)
        raise ValueError(f"labels: {name} has none; these have: {labelled}")
    return _read_labels(name, split)


def _check_split(data_set, split):
    if split not in list(data_set.splits):
        raise ValueError(f"split must be one of {', '.join(data_set.splits)} for {data_set.name}, got {split!r}")


@functools.cache
def _read(name, split):
    data_set = info(name)
    images = data_set.read(split)
    shape = (data_set.splits[split], *data_set.image_shape)
    if images.shape != shape or images.dtype != np.uint8 or images.max() >= data_set.levels:
        raise ValueError(
            f"what is stored as {name} is not that data set: its {split} split must be uint8 {shape} of values below "
            f"{data_set.levels}, got {images.dtype} {images.shape} of values up to {images.max()}"
        )
    images = np.ascontiguousarray(images)
    images.flags.writeable = False
    return images


@functools.cache
def _read_labels(name, split):
    data_set = info(name)
    labels = np.ascontiguousarray(data_set.read_labels(split), dtype=np.int64)
    labels.flags.writeable = False
    return labels


def content_hash(name, split):
    """SHA-256 of the bytes of a split, image after image: tells whether two runs saw the same data.

    Args and Raises: as of `arrays`.

    Returns:
        64 hexadecimal digits.

    Example:

    >>> content_hash("digits", "test")[:16]
    'ccd5b41cbafc53da'
    """
    return hashlib.sha256(arrays(name, split)).hexdigest()


def pipeline(name, split, batch_size, seed=None, labels=False):
    """A split as a tf.data pipeline: one pass over all its images, in batches, prefetched.

    With a seed each pass has another order, and the order of the n-th pass depends on the seed and n alone: the same
    pipeline made again, here or on another machine, repeats it. Without one, images come in the order of `arrays`.

    Args:
        name: one of `pixel_zoo.data.names()`.
        split: "train", "validation" or "test".
        batch_size: images in a batch; the last one of a pass holds what remains.
        seed: integer 0 .. 2**32 - 1, or None.
        labels: whether each image comes with its label.

    Returns:
        tf.data.Dataset, of known length, of uint8 tensors (batch, H, W, C); with `labels` of 1-tuples of a dictionary,
        which Keras's `fit` takes as a model's inputs by name: `image`, as above, and `label`, int64 (batch,).

    Raises:
        ValueError: bad `batch_size` or `seed`, or `labels` of a set that has none; and as of `arrays`.
        FileNotFoundError: as of `arrays`.
        ModuleNotFoundError: TensorFlow is not installed (`arrays` does for any other backend).

    Example:

    >>> batches = pipeline("digits", "train", batch_size=100, seed=1)
    >>> len(batches), next(iter(batches)).shape
    (13, TensorShape([100, 8, 8, 1]))
    """
    batch_size = positive_integer("batch_size", batch_size)
    if seed is not None and not (isinstance(seed, numbers.Integral) and 0 <= seed < 2**32):
        raise ValueError(f"seed must be None or an integer from 0 to 2**32 - 1, got {seed!r}")
    columns = _labelled(name, split) if labels else arrays(name, split)
    count = info(name).splits[split]

    import tensorflow as tf

    passes = itertools.count()

    def order():
        yield np.arange(count) if seed is None else permutation(count, [seed, next(passes)])

    with tf.device("CPU"):  # the images of all epochs live in main memory, one batch at a time on the device
        stored = tf.nest.map_structure(tf.constant, columns)
    batches = (
        tf.data.Dataset.from_generator(order, output_signature=tf.TensorSpec((count,), tf.int64))
        .unbatch()
        .batch(batch_size)
        .map(lambda indices: tf.nest.map_structure(lambda column: tf.gather(column, indices), stored))
        .apply(tf.data.experimental.assert_cardinality(math.ceil(count / batch_size)))
        .prefetch(2)
    )
    options = tf.data.Options()
    # Nothing here is worth tuning, and the tuner's thread lets an iterator end only at its next tick, seconds later.
    options.autotune.enabled = False
    return batches.with_options(options)


def _labelled(name, split):
    """Images and labels of a split in the structure of a batch: a tuple, so that `fit` takes all of it as inputs."""
    return ({"image": arrays(name, split), "label": labels(name, split)},)
