"""The likelihood of a whole split."""

import math
import time
from typing import Any

import keras
import numpy as np

from pixel_zoo import data
from pixel_zoo.inputs import other_inputs, stages_of


def evaluate(
    model: keras.Model,
    name: data.DataLike,
    split: str = "test",
    *,
    batch_size: int = 64,
    data_options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Score every image of a split, each given its label or its small image if the model takes them.

    Args:
        model: a model of `pixel_zoo.models`.
        name: a data set, as of `pixel_zoo.data.arrays`.
        split: "train", "validation" or "test".
        batch_size: images scored at once.
        data_options: options of the data set, such as `{"path": "photos", "size": 32}` of "images".

    Returns:
        Dictionary: `data`, `split`, `description` of the data (which names the binarisation), `images`, `nats` (mean
        negative log-likelihood of an image), `likelihood` ("exact", or "lower bound" of it: then the true nats are
        fewer), `standard_error` of that mean, `bits_per_dim` (nats / (ln 2 x height x
        width x channels)), `images_per_second` (scoring alone, compiled).

    Raises:
        ValueError: there is no such data set or split, its images are not of the model's shape and levels, its labels
            not the model's, or the log-likelihood of an image is not finite.

    Example:

    >>> from pixel_zoo.models import PixelCNN
    >>> untrained = PixelCNN(image_shape=(8, 8, 1), levels=17, filters=4, num_blocks=1, head_filters=4)
    >>> result = evaluate(untrained, "digits", "test")
    >>> sorted(result)[:3]
    ['bits_per_dim', 'data', 'description']
    """
    data_options = data_options or {}
    info = data.info(name, **data_options)
    check_fits(model, info)
    images = data.arrays(name, split, **data_options)
    given = conditions(model, info, split)
    some = {name: values[:batch_size] for name, values in given.items()}
    _log_likelihood(model, images[:batch_size], some, batch_size)  # compiles; the clock below does not
    start = time.perf_counter()
    nats = -_log_likelihood(model, images, given, batch_size).astype("float64")
    seconds = time.perf_counter() - start
    if not np.isfinite(nats).all():
        wrong = np.count_nonzero(~np.isfinite(nats))
        raise ValueError(
            f"model: the log-likelihood of {wrong:,} of {len(images):,} images is not finite, such as "
            f"{-nats[~np.isfinite(nats)][0]}; the training diverged, or the file is damaged"
        )
    return {
        "data": info.name,
        "split": split,
        "description": info.description,
        "images": len(images),
        "likelihood": model.likelihood_kind,
        "nats": nats.mean(),
        "standard_error": nats.std(ddof=1) / math.sqrt(len(nats)),
        "bits_per_dim": nats.mean() / (math.log(2) * np.prod(model.image_shape)),
        "images_per_second": len(images) / seconds,
    }


def conditions(model: keras.Model, data_set: data.DataSet, split: str) -> dict[str, np.ndarray]:
    """The labels and small images of a split that a model takes, by the names of its inputs.

    Example:

    >>> model = pz.models.PixelCNN((8, 8, 1), levels=17, filters=2, num_blocks=1, num_classes=10)
    >>> list(conditions(model, data.info("digits"), "test"))
    ['label']
    """
    given = {} if model.num_classes is None else {"label": data.labels(data_set, split)}
    return given if _small_shape(model) is None else given | {"small": data.small_images(data_set, split)}


def as_arguments(given: dict[str, np.ndarray]) -> dict[str, Any]:
    """Conditions by the names of a model's inputs as arguments of `log_likelihood` and `generate`.

    Example:

    >>> as_arguments({"label": np.arange(2)})
    {'labels': array([0, 1])}
    """
    labels = {"labels": given["label"]} if "label" in given else {}
    return labels | ({"conditioning": [given["small"]]} if "small" in given else {})


def _log_likelihood(
    model: keras.Model, images: np.ndarray, given: dict[str, np.ndarray], batch_size: int
) -> np.ndarray:
    return model.log_likelihood(images, **as_arguments(given), batch_size=batch_size)


def _small_shape(model: keras.Model) -> tuple[int, int] | None:
    """(height, width) of the small image that a model is given, or None."""
    inputs = {tensor.name: tensor.shape for tensor in other_inputs(stages_of(model)[0])}
    return (inputs["small"][1], inputs["small"][2]) if "small" in inputs else None


def check_fits(model: keras.Model, data_set: data.DataSet, given_labels: bool = False) -> None:
    """Raise unless a model takes the images of a data set, its small images, and its labels unless others are given."""
    if tuple(data_set.image_shape) != tuple(model.image_shape) or data_set.levels != model.levels:
        raise ValueError(
            f"data: the images of {data_set.name!r} have shape {tuple(data_set.image_shape)} and {data_set.levels} "
            f"levels, the model takes {tuple(model.image_shape)} and {model.levels}"
        )
    if _small_shape(model) not in (None, data_set.small_shape):
        raise ValueError(
            f"data: the model is given small images {_small_shape(model)}, {data_set.name!r} has "
            f"{data_set.small_shape or 'none; choose them with its option small'}"
        )
    if not given_labels and model.num_classes not in (None, data_set.classes):
        raise ValueError(
            f"data: {data_set.name!r} has {data_set.classes or 'no'} classes, the model {model.num_classes}"
        )
