"""Checks of the data that Keras's own methods take: `fit`, `evaluate`, `predict` and the like."""

import contextlib
import re
import types

import keras
import numpy as np

from pixel_zoo import backend
from pixel_zoo.arguments import check_images, check_labels, check_vectors
from pixel_zoo.checks import positive_integer

_OUT_OF_RANGE = re.compile(r"(images|small|labels|y|vectors) must (have|be) [^\]\n\"]*, got (\[[\d ]*\]|[^\]\n\"\\]*)")


class DataCheck:
    """Checks what a model is trained on, as `log_likelihood` does: arrays at once, pipelines batch by batch.

    It holds no tensors, so that worker processes can be given a copy.

    Args:
        names: list of str, the model's inputs in order; the image is called "image" here.
        image_name: str, what the image is called in dictionaries of inputs.
        image_shape: (height, width, colours).
        levels: int.
        num_classes: int, or None if the model takes no labels.
        conditioning_dim: int, or None if the model takes no vectors.
        small_shape: (height, width, colours) of a small image, or None if the model takes none.
        check_targets: bool, whether targets, where there are any, must be images too.
    """

    def __init__(
        self, names, image_name, image_shape, levels, num_classes, conditioning_dim, small_shape, check_targets
    ):
        self.names, self.image_name = names, image_name
        self.image_shape, self.levels = image_shape, levels
        self.num_classes, self.conditioning_dim, self.small_shape = num_classes, conditioning_dim, small_shape
        self.check_targets = check_targets
        self.error = None

    @contextlib.contextmanager
    def errors(self):
        """Raise the check's own error instead of the one that the engine derives from it in a pipeline."""
        try:
            yield
        except Exception as error:
            found = _OUT_OF_RANGE.search(str(error)) if type(error).__name__ == "InvalidArgumentError" else None
            if self.error is None and found is None:
                raise
            mine = self.error or ValueError(found.group())
        else:
            return
        raise mine from None

    def data(self, x, y=None):
        """Check arrays, or return a pipeline that checks its batches; anything else is returned unchanged.

        A `PyDataset` with a true attribute `is_checked` is returned unchanged, too.
        """
        if getattr(x, "is_checked", False):
            return x
        if backend.is_tf_dataset(x):
            return self._dataset(x)
        if isinstance(x, keras.utils.PyDataset):
            return _CheckedDataset(x, self)
        if isinstance(x, types.GeneratorType):
            return (self.batch(batch) for batch in x)
        if _are_arrays(x):
            self.arrays(x, y)
        return x

    def batch(self, batch):
        """Check a batch of a pipeline: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        try:
            self.arrays(x, y)
        except (TypeError, ValueError) as error:
            self.error = error
            raise
        return batch

    def arrays(self, x, y=None):
        """Raise an error that says what is wrong with arrays.

        Raises:
            TypeError, ValueError: naming the argument that is wrong or missing.
        """
        named = self._by_name(x)
        if named.get("image") is None:
            return  # Keras says what is missing
        count = len(check_images(_numpy(named["image"]), self.image_shape, self.levels))
        positive_integer("the number of images", count)
        if self.num_classes is not None:
            check_labels(_column(named.get("label")), self.num_classes, count)
        if self.conditioning_dim is not None:
            check_vectors(_numpy(named.get("vector")), self.conditioning_dim, count)
        if self.small_shape is not None and named.get("small") is not None:
            check_images(_numpy(named["small"]), self.small_shape, self.levels, name="small")
        if self.check_targets and y is not None and y is not named["image"]:
            check_images(_numpy(y), self.image_shape, self.levels, name="y")

    def _dataset(self, dataset):
        """A tf.data pipeline: types, and shapes where they are known, are checked now, the rest by the pipeline."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(backend.specs_of_dataset(dataset))
        shapes = self._shapes()
        named = {name: _example(spec, shapes.get(name)) for name, spec in self._by_name(x).items()}
        self.arrays(
            {self.image_name if name == "image" else name: value for name, value in named.items()},
            None if isinstance(y, dict | list | tuple) else _example(y, self.image_shape),
        )

        def expected(batch):
            x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
            named, most = self._by_name(x), self.levels - 1
            largest = {"image": most, "small": most, "vector": None}
            if self.num_classes is not None:
                largest["label"] = self.num_classes - 1
            words = {"image": ("images", "have values"), "small": ("small", "have values")}
            words |= {"label": ("labels", "be"), "vector": ("vectors", "be")}
            found = [
                (*words[name], named[name], shape or None, largest[name])  # labels (n, 1) are fine too
                for name, shape in shapes.items()
                if name in named
            ]
            if self.check_targets and y is not None:
                found.append(("y", "have values", y, self.image_shape, most))
            return found

        return backend.check_batches(dataset, expected)

    def _shapes(self):
        """The shape of an entry of each input that is checked, by name."""
        shapes = {"image": self.image_shape}
        if self.num_classes is not None:
            shapes["label"] = ()
        if self.conditioning_dim is not None:
            shapes["vector"] = (self.conditioning_dim,)
        return shapes if self.small_shape is None else shapes | {"small": self.small_shape}

    def _by_name(self, x):
        """Inputs by name, where they may be the image alone, a list in the model's order or a dictionary."""
        if isinstance(x, dict):
            return {"image" if name == self.image_name else name: value for name, value in x.items()}
        return dict(zip(self.names, keras.tree.flatten(x), strict=False))


class _CheckedDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked."""

    def __init__(self, dataset, check):
        super().__init__(
            workers=getattr(dataset, "workers", 1),  # missing where a user's class does not call its base class
            use_multiprocessing=getattr(dataset, "use_multiprocessing", False),
            max_queue_size=getattr(dataset, "max_queue_size", 10),
        )
        self.dataset, self.check = dataset, check

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def __getitem__(self, index):
        return self.check.batch(self.dataset[index])

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()


def is_endless(x):
    """Whether Keras cannot shuffle a pipeline and warns if asked to, which it is by default."""
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is None
    return backend.is_tf_dataset(x) or isinstance(x, types.GeneratorType)


def _are_arrays(x):
    leaves = keras.tree.flatten(x)
    return bool(leaves) and all(hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves)


def _example(spec, shape):
    """An entry of zeros of what a pipeline gives, of the expected shape where it leaves that open: array (1, ...)."""
    if spec is None or shape is None:
        return None
    known = spec.shape is not None and None not in spec.shape[1:]
    return np.zeros((1, *(spec.shape[1:] if known else shape)), spec.dtype)


def _numpy(x):
    return x if x is None or isinstance(x, np.ndarray) else keras.ops.convert_to_numpy(x)


def _column(labels):
    """Labels (n,), where Keras also takes (n, 1)."""
    labels = _numpy(labels)
    return labels[:, 0] if np.ndim(labels) == 2 and labels.shape[1] == 1 else labels
