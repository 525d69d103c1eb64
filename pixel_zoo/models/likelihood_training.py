"""Training defaults of all models."""

import inspect
import sys
from typing import TYPE_CHECKING, Any

import keras

from pixel_zoo import backend
from pixel_zoo.inputs import image_input, other_inputs
from pixel_zoo.models.checked_data import DataCheck, is_endless
from pixel_zoo.models.teacher import Teacher
from pixel_zoo.models.unknown import in_one_line
from pixel_zoo.types import Structure, Tensor

# Type checkers should know the methods of the model that comes after this class among the bases.
if TYPE_CHECKING:
    from keras import Model as _Model

    from pixel_zoo.models.pixel_model import PixelModel
else:
    _Model = object


class LikelihoodTraining(_Model):
    """Makes `model.compile(); model.fit(images)` maximise the likelihood; a base before `keras.Model`.

    The images are their own targets: `_target(x)` finds them among the inputs of a step.

    Keras's own methods (`fit`, `evaluate`, `predict`, `train_on_batch`, `test_on_batch`, `predict_on_batch`) check
    images, labels and vectors as `log_likelihood` does, and raise the same errors. Arrays are checked before the first
    step. tf.data pipelines, `PyDataset`s and generators are checked batch by batch, on the host.
    """

    train_function: Any  # as Keras names it
    _teacher: Teacher | None = None

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        loss: Any = "nats",
        metrics: Any = "default",
        teacher: "PixelModel | None" = None,
        **kwargs: Any,
    ) -> None:
        """As in Keras, with defaults for training: loss -log p(x) in nats per image, metrics nats and bits/dim.

        With a `teacher`, the model is trained by knowledge distillation (Hinton, Vinyals and Dean 2015): the training
        loss is the mean of two terms, the usual loss and the cross-entropy between the teacher's predictions and this
        model's, which is a mean over the batch. Metrics and validation are as without it.

        The teacher is not trained. It is not saved with this model: a model that is loaded from a file trains without
        it until it is compiled with it again. On JAX, it has the weights that it had when the step was compiled.

        Args:
            optimizer: as in Keras.
            loss: as in Keras; "nats" is -log p(x).
            metrics: as in Keras; "default" are nats and bits/dim.
            teacher: a trained `PixelModel` of the same image shape and levels, or None.
            **kwargs: as in Keras.

        Raises:
            TypeError, ValueError: the teacher's predictions are not for the same pixels, values and inputs, or it
                shares weights with this model.

        Example:
        >>> import numpy as np
        >>> small = {"image_shape": (4, 4, 1), "levels": 4, "num_blocks": 1, "head_filters": 4}
        >>> teacher, student = pz.models.PixelRNN(units=4, **small), pz.models.PixelCNN(filters=4, **small)
        >>> student.compile(teacher=teacher)
        >>> history = student.fit(np.zeros((8, 4, 4, 1), "uint8"), verbose=0).history
        >>> sorted(history)
        ['bits_per_dim', 'loss', 'nats']
        """
        checked = None if teacher is None else Teacher(teacher, self)
        loss = self.default_loss() if loss == "nats" else loss
        metrics = self.default_metrics() if metrics == "default" else metrics
        for metric in keras.tree.flatten(metrics):
            if isinstance(metric, keras.metrics.Metric) and metric.name in ("nats", "bits_per_dim"):
                metric._direction = "down"  # where callbacks of mode "auto" look for it
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)
        self._teacher = checked

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Called by `load_model`: Keras leaves this to models that override `compile`."""
        with in_one_line(", or load the model with compile=False"):
            arguments = keras.saving.deserialize_keras_object(config)
        self.compile(**arguments)
        self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self,
        x: Structure = None,
        y: Tensor | None = None,
        y_pred: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        images = self._images(x, y)
        loss = super().compute_loss(x=x, y=images, y_pred=y_pred, sample_weight=sample_weight, training=training)
        if self._teacher is None or not training:
            return loss
        return (loss + self._teacher.loss(self, x, y, y_pred, sample_weight)) / 2.0

    def compute_metrics(
        self, x: Structure, y: Tensor | None, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> dict[str, Any]:
        return super().compute_metrics(x, self._images(x, y), y_pred, sample_weight=sample_weight)

    def _images(self, x, y):
        """The images of a step: its targets, unless there are none or they are a teacher's predictions."""
        return self._target(x) if y is None or self._targets_are_predictions() else y

    def _targets_are_predictions(self):
        return self._teacher is not None and self._teacher.targets_are_predictions

    def make_train_function(self, force: bool = False) -> Any:
        """As in Keras. Creates the optimiser's variables first: otherwise TensorFlow traces the step twice.

        On JAX the step is compiled by `backend.compiled_step`, where one device takes single steps.
        """
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        if not self._takes_single_jax_steps():
            return super().make_train_function(force=force)
        if force or self.train_function is None:
            step = backend.compiled_step(self.train_step, donate_argnums=0)
            self.train_function = lambda state, batches: step(state, next(batches))
        return None

    def _takes_single_jax_steps(self):
        compiles = keras.backend.backend() == "jax" and self.jit_compile and not self.run_eagerly
        compiles = compiles and not keras.config.is_nnx_enabled()
        return compiles and self.steps_per_execution == 1 and keras.distribution.distribution() is None

    def jax_state_sync(self) -> None:
        """As in Keras. If the first step of `fit` fails, raise its error again.

        Keras calls this when a step has failed, too. In the first one it has taken the values out of the variables and
        has no others: averaging the weights would fail next, and that error would hide the first.
        """
        super().jax_state_sync()
        error = sys.exception()
        if error is not None and any(variable._value is None for variable in self.variables):
            raise error

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """As in Keras, with checked data."""
        return self._with_checked_data(super().fit, args, kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """As in Keras, with checked data."""
        if kwargs.get("_use_cached_eval_dataset"):  # called by `fit`, which has checked the data
            return super().evaluate(*args, **kwargs)
        return self._with_checked_data(super().evaluate, args, kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """As in Keras, with checked data."""
        return self._with_checked_data(super().predict, args, kwargs)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """As in Keras, with checked data."""
        return self._with_checked_data(super().train_on_batch, args, kwargs)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """As in Keras, with checked data."""
        return self._with_checked_data(super().test_on_batch, args, kwargs)

    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """As in Keras, with checked data."""
        return self._with_checked_data(super().predict_on_batch, args, kwargs)

    def _with_checked_data(self, method, args, kwargs):
        """Call a method of `keras.Model` with checked arguments `x`, `y` and `validation_data`."""
        backend.ignore_retracing_of_fit()
        signature = inspect.signature(method)
        bound = signature.bind(*args, **kwargs)
        arguments, check = bound.arguments, self._data_check()
        if "shuffle" in signature.parameters and is_endless(arguments.get("x")):
            arguments.setdefault("shuffle", False)  # Keras's default, True, warns
        with check.errors(), backend.keep_values(self._state()):
            if arguments.get("x") is not None:
                arguments["x"] = check.data(arguments["x"], arguments.get("y"))
            if arguments.get("validation_data") is not None:
                x, y, _ = keras.utils.unpack_x_y_sample_weight(arguments["validation_data"])
                checked = check.data(x, y)
                arguments["validation_data"] = arguments["validation_data"] if checked is x else checked
            return method(*bound.args, **bound.kwargs)

    def _state(self):
        """All variables that Keras on JAX takes out of the model while it trains."""
        optimizer = getattr(self, "optimizer", None)
        if keras.backend.backend() != "jax" or optimizer is None:
            return self.variables
        if not optimizer.built:  # else `fit` builds it, and loses its values too
            optimizer.build(self.trainable_variables)
        return [*self.variables, *optimizer.variables]

    def _data_check(self):
        """The `DataCheck` of this model."""
        default = self.default_loss()
        loss = getattr(self, "loss", None)
        first = getattr(self, "stages", [self])[0]  # the others take the image of the stage before, too
        image = image_input(first)
        small = [tensor for tensor in other_inputs(first) if tensor.name == "small" and "int" in tensor.dtype]
        return DataCheck(
            ["image" if tensor is image else tensor.name for tensor in first.inputs],
            image.name,
            self.image_shape,
            self.levels,
            self.num_classes,
            self.conditioning_dim,
            tuple(small[0].shape[1:]) if small else None,
            check_targets=not self._targets_are_predictions()
            and (loss is default or (isinstance(default, keras.losses.Loss) and type(loss) is type(default))),
        )
