"""Knowledge distillation: a model that learns from the predictions of another."""

import contextlib
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from pixel_zoo.inputs import image_of, logits_of, named_inputs, other_inputs
from pixel_zoo.likelihoods import CrossEntropy
from pixel_zoo.types import Structure, Tensor

if TYPE_CHECKING:
    from pixel_zoo.models.pixel_model import PixelModel


class Teacher:
    """A trained model whose predictions another one, the student, learns (Hinton, Vinyals and Dean 2015).

    The prediction for a pixel is a distribution over its values; the image shows only one value drawn from it. So the
    teacher's predictions tell the student more about each pixel than the image does.

    Args:
        teacher: `PixelModel` that gives the distributions. It runs without dropout, and its weights are not trained.
        student: `PixelModel` that is trained.

    Raises:
        TypeError: one of them is not a `PixelModel`.
        ValueError: they do not agree in image shape, levels or classes, the student lacks an input of the teacher, or
            they share weights.
    """

    #: Whether the targets of a step hold the teacher's predictions, from `predict`, instead of images.
    targets_are_predictions = False

    def __init__(self, teacher: "PixelModel", student: "PixelModel") -> None:
        _check(teacher, student)
        self._model, self._cross_entropy = teacher, CrossEntropy()

    @property
    def prediction_shape(self) -> tuple[int, ...]:
        """The shape of the logits of one image: (height, width, channels), with more than two levels (..., levels)."""
        return tuple(self._model.output_shape[1:])

    def predict(self, student: "PixelModel", inputs: Structure, batch_size: int = 128) -> np.ndarray:
        """The teacher's predictions for images, to be given to every step as its targets.

        Args:
            student: the model that is trained.
            inputs: what the student is called with for all of the images, as NumPy arrays.
            batch_size: int, how many images the teacher sees at a time.

        Returns:
            float32 NumPy array (number of images, *prediction_shape) of logits.
        """
        images, conditions = image_of(student, inputs), named_inputs(student, inputs)
        return self._model.in_batches(_in_float32, images, conditions, batch_size)

    def loss(
        self,
        student: "PixelModel",
        inputs: Structure,
        targets: Tensor | None,
        logits: Tensor,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        """Cross-entropy between the teacher's predictions and the student's: the mean over the batch, in nats.

        ```
        - sum over pixels, colours and values of p_teacher(value | values before) log p_student(value | values before)
        ```

        Args:
            student: the model that is trained.
            inputs: what the student was called with.
            targets: the targets of the step; read if `targets_are_predictions`.
            logits: what the student returned.
            sample_weight: weight of each image, or None.

        Returns:
            Scalar float32 tensor.
        """
        expected = targets if self.targets_are_predictions else self._predictions(student, inputs)
        return self._cross_entropy(ops.stop_gradient(expected), logits, sample_weight)

    def _predictions(self, student, inputs):
        with self._weights_on_the_host():
            # The image may have another name in the teacher, and the student may have more inputs.
            return logits_of(self._model, image_of(student, inputs), named_inputs(student, inputs))

    def _weights_on_the_host(self) -> contextlib.AbstractContextManager:
        """On JAX, where the step is compiled with them: a process can't compile arrays that several processes share."""
        if keras.backend.backend() != "jax":
            return contextlib.nullcontext()
        return keras.StatelessScope([(variable, np.asarray(variable.value)) for variable in self._model.variables])


def _in_float32(images: Tensor, logits: Tensor) -> Tensor:
    return ops.cast(logits, "float32")


def _check(teacher: Any, student: Any) -> None:
    """Raise unless the predictions of a teacher are for the same pixels and values as those of a student."""
    from pixel_zoo.models.pixel_model import PixelModel

    for role, model in (("teacher", teacher), ("model to train", student)):
        if not isinstance(model, PixelModel):
            raise TypeError(
                f"teacher: the {role} must be a pixel_zoo.models.PixelModel, which predicts pixels in raster order, "
                f"got {type(model).__name__}; load a file with keras.models.load_model"
            )
    classes = ["num_classes"] if teacher.num_classes is not None else []
    for name in ("image_shape", "levels", *classes):
        ours, theirs = getattr(student, name), getattr(teacher, name)
        if ours != theirs:
            raise ValueError(f"teacher: its {name} must be {ours}, as of the model to train, got {theirs}")
    inputs = {tensor.name: (tuple(tensor.shape[1:]), tensor.dtype) for tensor in other_inputs(student)}
    for tensor in other_inputs(teacher):
        if inputs.get(tensor.name) != (tuple(tensor.shape[1:]), tensor.dtype):
            raise ValueError(
                f"teacher: it needs the input {tensor.name!r}, {tensor.dtype} {tuple(tensor.shape[1:])}, with each "
                "image, and the model to train does not take it; inputs of the model to train other than the image: "
                f"{inputs or 'none'}"
            )
    if {id(variable) for variable in teacher.variables} & {id(variable) for variable in student.variables}:
        raise ValueError("teacher: it shares weights with the model to train, which would change it; use a copy")
