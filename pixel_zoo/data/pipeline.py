"""Splits as arrays, as a tf.data pipeline, and as a hash."""

import functools
import hashlib
import itertools
import math
import mmap
import numbers

import numpy as np

from pixel_zoo.checks import positive_integer
from pixel_zoo.data.permutation import permutation
from pixel_zoo.data.registry import info, names
from pixel_zoo.data.registry import options as data_options


def arrays(name, split, **options):
    """All images of a split, as one NumPy array.

    The split is read once in a process and kept, so the array is read-only: copy it to change it.

    Args:
        name: one of `pixel_zoo.data.names()`.
        split: "train", "validation" or "test".
        **options: of the data set, as of `pixel_zoo.data.info`.

    Returns:
        Array (N, H, W, C), values 0 .. levels - 1, always in the same order: uint8, or int32 for more than 256 levels.
        It may be mapped from a file.

    Raises:
        ValueError: there is no such data set, split or option, the split is empty, or what is stored is not that data
            set.
        FileNotFoundError: the set is not here and can't be downloaded; says how to get it.

    Example:

    >>> images = arrays("digits", "test")
    >>> images.shape, images.dtype, int(images.max())
    ((300, 8, 8, 1), dtype('uint8'), 16)
    """
    data_set = info(name, **options)
    _check_split(data_set, split)
    return _read(data_set, split)


def labels(name, split, **options):
    """The label of each image of a split.

    Args:
        name: one of `pixel_zoo.data.names()` whose `info(name).classes` is not None.
        split, **options: as of `arrays`.

    Returns:
        int64 array (N,), values 0 .. classes - 1, in the order of `arrays`. It is read-only.

    Raises:
        ValueError: the set has no labels; and as of `arrays`.
        FileNotFoundError: as of `arrays`.

    Example:

    >>> labels("digits", "test")[:4]
    array([8, 8, 2, 2])
    """
    data_set = info(name, **options)
    _check_split(data_set, split)
    if data_set.classes is None:
        labelled = [name for name in names() if not data_options(name) and info(name).classes is not None]
        raise ValueError(f"labels: {name} has none; these have: {', '.join(labelled)}")
    return _read_labels(data_set, split)


def _check_split(data_set, split):
    if split not in list(data_set.splits):
        raise ValueError(f"split must be one of {', '.join(data_set.splits)} for {data_set.name}, got {split!r}")
    if not data_set.splits[split]:
        raise ValueError(f"split: {split} of {data_set.name} is empty, as {data_set.source} holds too few images")


@functools.cache
def _read(data_set, split):
    images = np.require(data_set.read(split), requirements="C")
    shape, dtype = (data_set.splits[split], *data_set.image_shape), data_set.dtype
    fits = images.shape == shape and images.dtype == dtype
    # Where the type allows no other values, an array that lies on disk is not read through to look for some.
    if not fits or (np.iinfo(dtype).max >= data_set.levels and images.max() >= data_set.levels):
        raise ValueError(
            f"what is stored as {data_set.name} is not that data set: its {split} split must be {dtype} {shape} of "
            f"values below {data_set.levels}, got {images.dtype} {images.shape} of values up to {images.max()}"
        )
    images.flags.writeable = False
    return images


@functools.cache
def _read_labels(data_set, split):
    labels = np.ascontiguousarray(data_set.read_labels(split), dtype=np.int64)
    labels.flags.writeable = False
    return labels


def content_hash(name, split, **options):
    """SHA-256 of the bytes of a split, image after image: tells whether two runs saw the same data.

    Args and Raises: as of `arrays`.

    Returns:
        64 hexadecimal digits.

    Example:

    >>> content_hash("digits", "test")[:16]
    'ccd5b41cbafc53da'
    """
    images = arrays(name, split, **options)
    _advise(images, "MADV_SEQUENTIAL")
    return hashlib.sha256(images).hexdigest()


def pipeline(
    name,
    split,
    batch_size,
    seed=None,
    labels=False,
    drop_remainder=False,
    position=None,
    multiple_of=1,
    share=(0, 1),
    **options,
):
    """A split as a tf.data pipeline: one pass over all its images, in batches, prefetched.

    With a seed each pass has another order, and the order of the n-th pass depends on the seed and n alone: the same
    pipeline made again, here or on another machine, repeats it. Without one, images come in the order of `arrays`.

    Args:
        name: one of `pixel_zoo.data.names()`.
        split: "train", "validation" or "test".
        batch_size: images in a batch; the last one of a pass holds what remains.
        seed: integer 0 .. 2**32 - 1, or None.
        labels: whether each image comes with its label.
        drop_remainder: whether a last batch of fewer images is left out; with a seed other ones in each pass.
        position: for a run that is taken up again: a function of nothing, asked at the start of each pass, which
            returns its number and how many of its batches to leave out; None counts passes from 0.
        multiple_of: what a pass holds beyond a multiple of so many images is left out, so that devices get alike.
        share: (k, n), the k-th of n workers' share of each batch: every n-th image from the k-th on.
        **options: of the data set, as of `pixel_zoo.data.info`.

    Returns:
        tf.data.Dataset, of known length, of tensors (batch, H, W, C), uint8 or int32 as of `arrays`. With `labels` it
        is of 1-tuples of a dictionary, which Keras's `fit` takes as a model's inputs by name: `image`, as above, and
        `label`, int64 (batch,).

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
    columns = _labelled(name, split, **options) if labels else arrays(name, split, **options)
    count = info(name, **options).splits[split]

    import tensorflow as tf

    count -= count % multiple_of
    number_and_left_out = passes(position)

    def order():
        yield order_of_pass(count, batch_size, seed, *number_and_left_out())

    advice = "MADV_NORMAL" if seed is None else "MADV_RANDOM"
    rows = tf.nest.map_structure(lambda column: _rows(column, advice), columns)
    batches = (
        tf.data.Dataset.from_generator(order, output_signature=tf.TensorSpec((None,), tf.int64))
        .unbatch()
        .batch(batch_size, drop_remainder)
        .map(lambda indices: indices[share[0] :: share[1]])
        .map(lambda indices: tf.nest.map_structure(lambda rows_of_column: rows_of_column(indices), rows))
        .prefetch(2)
        .apply(tf.data.experimental.assert_cardinality(batches_of(count, batch_size, drop_remainder)))
    )
    # Nothing here is worth tuning, and the tuner's thread lets an iterator end only at its next tick, seconds later.
    tf_options = tf.data.Options()
    tf_options.autotune.enabled = False
    return batches.with_options(tf_options)


def passes(position):
    """`position`, or where it is None a function of nothing that counts passes from 0: (number, batches left out)."""
    numbers = itertools.count()
    return position or (lambda: (next(numbers), 0))


def order_of_pass(count, batch_size, seed, number, left_out):
    """The indices of `count` images in the order of a pass, without those of the first `left_out` batches.

    Example:

    >>> order_of_pass(6, batch_size=2, seed=None, number=0, left_out=1)
    array([2, 3, 4, 5])
    """
    indices = np.arange(count) if seed is None else permutation(count, [seed, number])
    return indices[left_out * batch_size :]


def batches_of(count, batch_size, drop_remainder):
    """How many batches a pass over `count` images has.

    Example:

    >>> batches_of(10, 4, drop_remainder=False), batches_of(10, 4, drop_remainder=True)
    (3, 2)
    """
    return count // batch_size if drop_remainder else math.ceil(count / batch_size)


def _advise(array, advice):
    """Say in which order an array that lies on disk is about to be read; untold, each row costs its neighbours too."""
    if isinstance(array, np.memmap) and hasattr(mmap, advice):  # not on every system
        array._mmap.madvise(getattr(mmap, advice))


def _labelled(name, split, **options):
    """Images and labels of a split in the structure of a batch: a tuple, so that `fit` takes all of it as inputs."""
    return ({"image": arrays(name, split, **options), "label": labels(name, split, **options)},)


def _rows(column, advice):
    """A function of indices (n,) to those rows of an array, as a tensor (n, ...)."""
    import tensorflow as tf

    if isinstance(column, np.memmap):  # stays on disk: only the rows of a batch are read

        def read(indices):
            _advise(column, advice)
            return np.asarray(column[indices])

        return lambda indices: tf.ensure_shape(
            tf.numpy_function(read, [indices], column.dtype), (None, *column.shape[1:])
        )

    with tf.device("CPU"):  # the images of all epochs live in main memory, one batch at a time on the device
        stored = tf.constant(column)
    return lambda indices: tf.gather(stored, indices)
