"""Splits as arrays, as a tf.data pipeline, and as a hash."""

import functools
import hashlib
import itertools
import math
import mmap
import numbers
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pixel_zoo.checks import one_of, positive_integer
from pixel_zoo.data.data_set import DataLike
from pixel_zoo.data.permutation import permutation
from pixel_zoo.data.registry import info, names
from pixel_zoo.data.registry import options as data_options

if TYPE_CHECKING:
    import tensorflow as tf


def arrays(data: DataLike, split: str, **options: Any) -> np.ndarray:
    """All images of a split, as one NumPy array.

    The split is read once in a process and kept, so the array is read-only: copy it to change it.

    Args:
        data: one of `pixel_zoo.data.names()`, or a data set of your own, as of `pixel_zoo.data.info`.
        split: "train", "validation" or "test".
        **options: of the data set, as of `pixel_zoo.data.info`.

    Returns:
        Array (N, H, W, C), values 0 .. levels - 1, always in the same order: uint8, or int32 for more than 256 levels.
        It may be mapped from a file.

    Raises:
        ValueError: there is no such data set, split or option, the split is empty, or the stored arrays are not that
            data set.
        FileNotFoundError: the set is not on this machine and can't be downloaded; the message says how to get it.

    Example:

    >>> images = arrays("digits", "test")
    >>> images.shape, images.dtype, int(images.max())
    ((300, 8, 8, 1), dtype('uint8'), 16)
    """
    data_set = info(data, **options)
    _check_split(data_set, split)
    return _read(data_set, split)


def labels(data: DataLike, split: str, **options: Any) -> np.ndarray:
    """The label of each image of a split.

    Args:
        data: as of `arrays`; its `info(data).classes` is not None.
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
    data_set = info(data, **options)
    _check_split(data_set, split)
    if data_set.classes is None:
        labelled = [name for name in names() if not data_options(name) and info(name).classes is not None]
        raise ValueError(f"labels: {data_set.name} has none; these have: {', '.join(labelled)}")
    return _read_labels(data_set, split)


def _check_split(data_set, split):
    one_of(f"split of {data_set.name}", split, data_set.splits)
    if not data_set.splits[split]:
        raise ValueError(f"split: {split} of {data_set.name} is empty, as {data_set.source} holds too few images")


def small_images(data: DataLike, split: str, **options: Any) -> np.ndarray:
    """The small image that each image of a split is given with, such as the top codes of bottom codes.

    Args:
        data: as of `arrays`; its `info(data).small_shape` is not None.
        split, **options: as of `arrays`.

    Returns:
        Array (N, h, w, C) of the dtype of `arrays` and in its order. It is read-only.

    Raises:
        ValueError: the set has no small images; and as of `arrays`.
        FileNotFoundError: as of `arrays`.

    Example:

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/codes.npz"
    >>> np.savez(path, top=np.arange(128).reshape(32, 2, 2), bottom=np.arange(512).reshape(32, 4, 4) % 128)
    >>> small_images("codes", "train", path=path, array="bottom", small="top").shape
    (32, 2, 2, 1)
    """
    data_set = info(data, **options)
    _check_split(data_set, split)
    if data_set.read_small is None or data_set.small_shape is None:
        raise ValueError(f"small_images: {data_set.name} has none; `codes` has them with small=NAME, another array")
    return _read_checked(data_set, split, data_set.read_small, (*data_set.small_shape, data_set.image_shape[-1]))


@functools.cache
def _read(data_set, split):
    return _read_checked(data_set, split, data_set.read, data_set.image_shape)


def _read_checked(data_set, split, read, image_shape):
    """The images (N, *image_shape) that `read` reads of a split, checked and read-only."""
    images = np.require(read(split), requirements="C")
    shape, dtype = (data_set.splits[split], *image_shape), data_set.dtype
    fits = images.shape == shape and images.dtype == dtype
    # If the dtype allows no other values, an array on disk is not read just to check them.
    if not fits or (np.iinfo(dtype).max >= data_set.levels and not _within(images, data_set.levels)):
        raise ValueError(
            f"what is stored as {data_set.name} is not that data set: its {split} split must be {dtype} {shape} of "
            f"values 0 to {data_set.levels - 1}, got {images.dtype} {images.shape} of values {_range(images)}"
        )
    return _read_only(images)


def _within(values, levels):
    return values.min() >= 0 and values.max() < levels


def _range(values):
    return f"{values.min()} to {values.max()}" if values.size else "none"


def _read_only(array):
    """A read-only view. The array itself stays writable, because it may belong to the user."""
    view = array.view()
    view.flags.writeable = False
    return view


@functools.cache
def _read_labels(data_set, split):
    labels = np.asarray(data_set.read_labels(split))
    count, classes = data_set.splits[split], data_set.classes
    if labels.shape != (count,) or labels.dtype.kind not in "iu" or not _within(labels, classes):
        raise ValueError(
            f"the labels of {data_set.name} must be {count} integers 0 to {classes - 1} in the {split} split, "
            f"got {labels.dtype} {labels.shape} of values {_range(labels)}"
        )
    return _read_only(np.ascontiguousarray(labels, dtype=np.int64))


def content_hash(data: DataLike, split: str, **options: Any) -> str:
    """SHA-256 of the bytes of a split, image after image: equal hashes mean that two runs saw the same data.

    Args and Raises: as of `arrays`.

    Returns:
        64 hexadecimal digits.

    Example:

    >>> content_hash("digits", "test")[:16]
    'ccd5b41cbafc53da'
    """
    images = arrays(data, split, **options)
    _advise(images, "MADV_SEQUENTIAL")
    return hashlib.sha256(images.data).hexdigest()


def pipeline(
    data: DataLike,
    split: str,
    batch_size: int,
    seed: int | None = None,
    labels: bool = False,
    drop_remainder: bool = False,
    position: Callable[[], tuple[int, int]] | None = None,
    multiple_of: int = 1,
    share: tuple[int, int] = (0, 1),
    small_images: bool = False,
    targets: np.ndarray | None = None,
    **options: Any,
) -> "tf.data.Dataset":
    """A split as a tf.data pipeline: one pass over all its images, in batches, prefetched.

    With a seed, each pass has a different order, and the order of the n-th pass depends on the seed and n alone: the
    same pipeline made again, on any machine, repeats it. Without a seed, images come in the order of `arrays`.

    Args:
        data: as of `arrays`.
        split: "train", "validation" or "test".
        batch_size: images in a batch; the last one of a pass holds what remains.
        seed: integer 0 .. 2**32 - 1, or None.
        labels: whether each image comes with its label.
        drop_remainder: whether to drop a last batch of fewer images; with a seed, each pass drops other images.
        position: for a run that is resumed: a zero-argument callable, called at the start of each pass, that returns
            the number of the pass and how many of its batches to skip; None counts passes from 0.
        multiple_of: images of a pass beyond a multiple of this number are dropped, so that devices get equal batches.
        share: (k, n), the share of the k-th of n workers in each batch: every n-th image from the k-th on.
        small_images: whether each image comes with its small image.
        targets: array (N, ...) in the order of `arrays`, such as a teacher's predictions, or None.
        **options: of the data set, as of `pixel_zoo.data.info`.

    Returns:
        tf.data.Dataset, of known length, of tensors (batch, H, W, C), uint8 or int32 as of `arrays`. With `labels` or
        `small_images` it is of 1-tuples of a dictionary, which Keras's `fit` takes as a model's inputs by name:
        `image`, as above, `label`, int64 (batch,), and `small`, as of the function `small_images`. With `targets`, it
        is of pairs of the inputs and the targets.

    Raises:
        ValueError: bad `batch_size` or `seed`, `labels` or `small_images` of a set that has none; and as of `arrays`.
        FileNotFoundError: as of `arrays`.
        ModuleNotFoundError: TensorFlow is not installed (use `arrays` with other backends).

    Example:

    >>> batches = pipeline("digits", "train", batch_size=100, seed=1)
    >>> len(batches), next(iter(batches)).shape
    (13, TensorShape([100, 8, 8, 1]))
    """
    batch_size = positive_integer("batch_size", batch_size)
    if seed is not None and not (isinstance(seed, numbers.Integral) and 0 <= seed < 2**32):
        raise ValueError(f"seed must be None or an integer from 0 to 2**32 - 1, got {seed!r}")
    data_set = info(data, **options)
    columns = inputs(data_set, split, labels, small_images)
    if targets is not None:
        columns = (columns, targets)
    elif isinstance(columns, dict):
        columns = (columns,)  # `fit` takes all of a 1-tuple as inputs
    count = data_set.splits[split]

    try:
        import tensorflow as tf
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "pipeline needs TensorFlow, which is not installed: pip install pixel-zoo, or hand the images of "
            "pixel_zoo.data.arrays to fit"
        ) from error

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
    # Tuning gains nothing here, and its thread delays the end of an iterator by up to some seconds.
    tf_options = tf.data.Options()
    tf_options.autotune.enabled = False
    return batches.with_options(tf_options)


def passes(position):
    """`position`, or if it is None a zero-argument callable that counts passes from 0: (number, batches to skip)."""
    numbers = itertools.count()
    return position or (lambda: (next(numbers), 0))


def order_of_pass(count, batch_size, seed, number, left_out):
    """The indices of `count` images in the order of a pass, without the first `left_out` batches.

    Example:

    >>> order_of_pass(6, batch_size=2, seed=None, number=0, left_out=1)
    array([2, 3, 4, 5])
    """
    indices = np.arange(count) if seed is None else permutation(count, [seed, number])
    return indices[left_out * batch_size :]


def batches_of(count, batch_size, drop_remainder):
    """The number of batches in a pass over `count` images.

    Example:

    >>> batches_of(10, 4, drop_remainder=False), batches_of(10, 4, drop_remainder=True)
    (3, 2)
    """
    return count // batch_size if drop_remainder else math.ceil(count / batch_size)


def _advise(array, advice):
    """Tell the system in which order an array on disk will be read; by default it reads a row's neighbours too."""
    if isinstance(array, np.memmap) and hasattr(mmap, advice):  # not on every system
        array._mmap.madvise(getattr(mmap, advice))


def inputs(data_set, split, with_labels, with_small):
    """The images of a split; with labels or small images, a dictionary of a model's inputs by name."""
    columns = {"image": arrays(data_set, split)}
    if with_labels:
        columns["label"] = labels(data_set, split)
    if with_small:
        columns["small"] = small_images(data_set, split)
    return columns if len(columns) > 1 else columns["image"]


def _rows(column, advice):
    """A function of indices (n,) to those rows of an array, as a tensor (n, ...)."""
    import tensorflow as tf

    if isinstance(column, np.memmap):  # it stays on disk; only the rows of a batch are read

        def read(indices):
            _advise(column, advice)
            return np.asarray(column[indices])

        return lambda indices: tf.ensure_shape(
            tf.numpy_function(read, [indices], column.dtype), (None, *column.shape[1:])
        )

    with tf.device("CPU"):  # all images stay in main memory, one batch at a time goes to the device
        stored = tf.constant(column)
    return lambda indices: tf.gather(stored, indices)
