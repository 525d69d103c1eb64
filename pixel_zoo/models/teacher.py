"""Knowledge distillation: a model that learns from the predictions of another."""

from typing import TYPE_CHECKING, Any

from keras import ops

from pixel_zoo.inputs import image_of, logits_of, named_inputs, other_inputs
from pixel_zoo.likelihoods import cross_entropy
from pixel_zoo.types import Structure, Tensor

if TYPE_CHECKING:
    from pixel_zoo.models.pixel_model import PixelModel


class Teacher:
    """A trained model whose predictions another one, the student, learns (Hinton, Vinyals and Dean 2015).

    The prediction for a pixel is a distribution over its values; the image has a single draw from it. So the teacher's
    predictions tell the student more about each pixel than the image does.

    Args:
        teacher: `PixelModel` that gives the distributions. Its weights are not trained.
        student: `PixelModel` that is trained.

    Raises:
        TypeError: one of them is not a model in raster order.
        ValueError: they do not agree in image shape or levels, or the student lacks an input of the teacher.
    """

    def __init__(self, teacher: "PixelModel", student: "PixelModel") -> None:
        _check(teacher, student)
        self.model = teacher

    def cross_entropy(self, student: "PixelModel", inputs: Structure, logits: Tensor) -> Tensor:
        """Cross-entropy of the student's predictions under those of the teacher, in nats per image.

        ```
        - sum over pixels, colours and values of p_teacher(value | values before) log p_student(value | values before)
        ```

        Args:
            student: the model that is trained.
            inputs: what the student was called with.
            logits: what it returned.

        Returns:
            float32 tensor (batch,).
        """
        # The image may have another name in the teacher, and the student may have more inputs.
        taught = logits_of(self.model, image_of(student, inputs), named_inputs(student, inputs))
        return cross_entropy(ops.stop_gradient(taught), logits)


def _check(teacher: Any, student: Any) -> None:
    """Raise unless the predictions of a teacher are for the same pixels and values as those of a student."""
    for role, model in (("teacher", teacher), ("model to train", student)):
        if len(getattr(model, "stages", ())) != 1:  # multi-scale models have several
            raise TypeError(
                f"teacher: the {role} must be a pixel_zoo.models.PixelModel, which predicts pixels in raster order, "
                f"got {type(model).__name__}"
            )
    for name in ("image_shape", "levels"):
        ours, theirs = getattr(student, name), getattr(teacher, name)
        if ours != theirs:
            raise ValueError(f"teacher: its {name} must be {ours}, as of the model to train, got {theirs}")
    ours = {tensor.name: (tuple(tensor.shape[1:]), tensor.dtype) for tensor in other_inputs(student)}
    for tensor in other_inputs(teacher):
        if ours.get(tensor.name) != (tuple(tensor.shape[1:]), tensor.dtype):
            raise ValueError(
                f"teacher: it takes {tensor.name!r}, {tensor.dtype} {tuple(tensor.shape[1:])}, with each image, which "
                f"the model to train does not; its inputs other than the image: {ours or 'none'}"
            )
