"""The predictions of a recipe's teacher for the training images, computed once before training."""

import hashlib
import math
import pathlib
import time

import keras
import numpy as np

from pixel_zoo.files import replacing
from pixel_zoo.models.teacher import Teacher
from pixel_zoo.progress import progress_bar
from pixel_zoo.training.device_loop import has_room

#: Bytes of predictions that are kept. If there are more, the teacher predicts each batch when it is trained on.
LARGEST = 2**30

#: Images that a teacher predicts between two steps of the progress bar.
IMAGES_AT_A_TIME = 1024

_NAME = "teacher-{}.npy"

Columns = np.ndarray | dict[str, np.ndarray]


def shape_of_predictions(teacher: Teacher, columns: Columns) -> tuple[int, ...]:
    """The shape of a teacher's predictions for all images: (N, ...)."""
    return (len(keras.tree.flatten(columns)[0]), *teacher.prediction_shape)


def are_kept(teacher: Teacher, columns: Columns, steps_per_call: int) -> bool:
    """Whether there is room for a teacher's predictions: in memory, and for several steps a call on the device, too."""
    size = math.prod(shape_of_predictions(teacher, columns)) * np.dtype("float32").itemsize
    return size <= LARGEST and (steps_per_call == 1 or has_room(columns, size))


def some_images(columns: Columns, first: int) -> Columns:
    """Those rows of a model's inputs, from `first` on, that a teacher predicts at a time."""
    return keras.tree.map_structure(lambda column: column[first : first + IMAGES_AT_A_TIME], columns)


def forget_predictions(folder: pathlib.Path) -> None:
    """Remove the files of predictions from the folder of a run."""
    for path in folder.glob(_NAME.format("*")):
        path.unlink()


def predictions_of_teacher(
    model: keras.Model,
    columns: Columns,
    folder: pathlib.Path,
    deadline: float = math.inf,
    progress: bool | None = None,
) -> np.ndarray:
    """Have the teacher of a compiled model predict the training images, which are the same in every epoch.

    The predictions can be the targets of training steps while `Teacher.targets_are_predictions` is set. So the teacher
    costs one pass over the images instead of one in each epoch, and is no part of the compiled step.

    Args:
        model: compiled model that has a teacher.
        columns: the model's inputs, one row an image, as of `pixel_zoo.training.feed.columns`.
        folder: path of the run, where a file keeps the predictions. If it is there, only what it lacks is predicted.
        deadline: value of `time.monotonic()` after which to stop.
        progress: as of `pixel_zoo.progress.progress_bar`.

    Returns:
        float32 array (N, ...) of logits, mapped from the file.

    Raises:
        TimeoutError: the deadline has passed; what was predicted is in the file.
        ValueError: the file is damaged.

    Example:

    >>> import tempfile
    >>> from pixel_zoo import models
    >>> model = models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)
    >>> model.compile(teacher=models.PixelCNN((4, 4, 1), filters=2, num_blocks=1))
    >>> predictions_of_teacher(model, np.zeros((3, 4, 4, 1), "uint8"), pathlib.Path(tempfile.mkdtemp())).shape
    (3, 4, 4, 1)
    """
    teacher, path = model._teacher, _file(folder, columns)
    kept = _open(path, shape_of_predictions(teacher, columns))
    firsts = range(0, len(kept), IMAGES_AT_A_TIME)
    with progress_bar("The teacher's predictions", len(firsts), progress) as one_more:
        for first in firsts:
            if np.isnan(kept[first : first + IMAGES_AT_A_TIME]).any():  # not predicted yet, or not whole
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"minutes: the time was over when the teacher had predicted {first:,} of {len(kept):,} "
                        "images; resume the run with more time"
                    )
                kept[first : first + IMAGES_AT_A_TIME] = teacher.predict(model, some_images(columns, first))
            one_more()
    kept.flush()
    return np.load(path, mmap_mode="r")


def _file(folder, columns):
    """The file that keeps the predictions for these inputs; others, such as corrected labels, have another one."""
    digest = hashlib.sha256()
    for column in keras.tree.flatten(columns):
        digest.update(np.ascontiguousarray(column).data)
    return folder / _NAME.format(digest.hexdigest()[:16])


def _open(path, shape):
    """The file of predictions, mapped to be written to; a new one holds NaN."""
    if not path.exists():
        with replacing(path) as temporary:
            np.lib.format.open_memmap(temporary, "w+", "float32", shape)[:] = np.nan
    try:
        kept = np.load(path, mmap_mode="r+")
        whole = kept.shape == shape and kept.dtype == "float32"
    except (ValueError, EOFError, OSError):
        whole = False
    if not whole:
        raise ValueError(f"resume: {str(path)!r} is damaged; delete it, and the teacher predicts the images again")
    return kept
