"""The predictions of a recipe's teacher for the training images, computed once before training."""

import math
import pathlib

import keras
import numpy as np

from pixel_zoo.files import replacing
from pixel_zoo.models.teacher import Teacher
from pixel_zoo.progress import progress_bar

#: Bytes of predictions that are kept. If there are more, the teacher predicts each batch when it is trained on.
LARGEST = 2**30

#: Images between two steps of the progress bar.
IMAGES_AT_A_TIME = 1024


def predict_once(
    model: keras.Model, columns: np.ndarray | dict[str, np.ndarray], path: pathlib.Path, progress: bool | None = None
) -> np.ndarray | None:
    """Have the teacher of a compiled model predict the training images, which are the same in every epoch.

    They can be the targets of training steps while `Teacher.targets_are_predictions` is set. So the teacher costs one
    pass over the images instead of one in each epoch, and is no part of the compiled step.

    Args:
        model: compiled model.
        columns: the model's inputs, one row an image, as of `pixel_zoo.training.feed.columns`.
        path: file that keeps the predictions for a run that is resumed; if it is there, it is read.
        progress: as of `pixel_zoo.progress.progress_bar`.

    Returns:
        float32 array (N, ...) of logits, or None: the model has no teacher, or the predictions would be too large.

    Example:

    >>> import tempfile
    >>> from pixel_zoo import models
    >>> model = models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)
    >>> model.compile(teacher=models.PixelCNN((4, 4, 1), filters=2, num_blocks=1))
    >>> images, path = np.zeros((3, 4, 4, 1), "uint8"), pathlib.Path(tempfile.mkdtemp(), "teacher.npy")
    >>> predict_once(model, images, path).shape
    (3, 4, 4, 1)
    """
    teacher: Teacher | None = model._teacher
    if teacher is None or shape_of_predictions(teacher, columns) is None:
        return None
    if not path.exists():
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.save(file, _predict(teacher, model, columns, progress))
    return np.load(path)


def shape_of_predictions(teacher: Teacher, columns: np.ndarray | dict[str, np.ndarray]) -> tuple[int, ...] | None:
    """The shape of a teacher's predictions for all images, or None if they would be too large to keep."""
    shape = (len(keras.tree.flatten(columns)[0]), *teacher.prediction_shape)
    return shape if math.prod(shape) * np.dtype("float32").itemsize <= LARGEST else None


def some_images(columns: np.ndarray | dict[str, np.ndarray], first: int) -> np.ndarray | dict[str, np.ndarray]:
    """Those rows of the model's inputs, from `first` on, that a teacher predicts at a time."""
    return keras.tree.map_structure(lambda column: column[first : first + IMAGES_AT_A_TIME], columns)


def _predict(teacher, model, columns, progress):
    firsts = range(0, len(keras.tree.flatten(columns)[0]), IMAGES_AT_A_TIME)
    parts = []
    with progress_bar("The teacher's predictions", len(firsts), progress) as one_more:
        for first in firsts:
            parts.append(teacher.predict(model, some_images(columns, first)))
            one_more()
    return np.concatenate(parts)
