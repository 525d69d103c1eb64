"""Models of one functional graph."""

import collections
import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.inputs import condition_values, image_input, image_of, image_shape_of, join_inputs
from pixel_zoo.likelihoods import BitsPerDim, Nats, NegativeLogLikelihood, likelihood_of_logits
from pixel_zoo.models.configured import Configured, freeze_alike
from pixel_zoo.models.image_model import ImageModel
from pixel_zoo.models.unknown import in_one_line
from pixel_zoo.sampling.raster_graph import RasterGraph
from pixel_zoo.types import Structure, Tensor

# Half precision has no more distinct values than these in [0.5, 1).
_LEVELS_TOLD_APART = {"bfloat16": 128, "float16": 1024}


@keras.saving.register_keras_serializable(package="pixel_zoo")
class PixelModel(ImageModel, keras.Model):
    """A functional model of raster layers with an exact likelihood (van den Oord et al. 2016, equations 1 and 2).

    p(x) is the product over pixels in raster order, and inside a pixel over colours, of p(value | values before).

    Any graph of `pixel_zoo.layers` and pointwise Keras layers gets likelihoods, training defaults, sampling and
    completion by being wrapped in it.

    Args:
        inputs: symbolic integer images (height, width, colours); or a list or dictionary of them, then named "image",
            and of their conditions: p(x | the other inputs).
        outputs: symbolic logits (height, width, colours, levels), or (height, width, colours) for binary images.

    Raises:
        ValueError: if a layer is neither a raster layer nor pointwise, or the logits depend on what they predict. The
            error names the layer and says what to use instead.

    Example:
    >>> image = keras.Input((8, 8, 1), dtype="int32", name="image")
    >>> x = keras.layers.Rescaling(2.0, -1.0)(image)
    >>> x = pz.layers.MaskedConv2D(8, 5, "A")(x)
    >>> model = PixelModel(image, pz.layers.Logits(2)(keras.layers.ReLU()(x)))
    >>> model.generate(num_images=2).shape
    (2, 8, 8, 1)
    """

    def __init__(self, inputs: Structure, outputs: Tensor, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        RasterGraph(self)  # refuses layers that are not causal or cannot be sampled
        self._warn_of_equal_levels()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """As in Keras; a layer that is not known here is a ValueError that names it."""
        with in_one_line():
            return super().from_config(config, custom_objects)

    def _warn_of_equal_levels(self):
        """Warn if a layer reads the image in half precision, in which some of its values are equal."""
        for node in image_input(self)._keras_history.operation._outbound_nodes:
            dtype = getattr(node.operation, "compute_dtype", None)
            if self.levels > _LEVELS_TOLD_APART.get(dtype, self.levels):
                warnings.warn(
                    f"{node.operation.name!r} reads the image in {dtype}, in which some of {self.levels} levels are "
                    "equal once they are scaled: give it dtype='float32'",
                    stacklevel=3,
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, colours)."""
        return image_shape_of(self)

    @property
    def levels(self) -> int:
        """How many values a colour of a pixel takes."""
        return likelihood_of_logits(self.outputs[0].shape).levels

    #: What `log_likelihood` is: log p(x) itself, or a lower bound of it.
    likelihood_kind = "exact"

    @property
    def num_classes(self) -> int | None:
        """How many labels an image may be given with, or None for a model that takes no label."""
        return None

    @property
    def conditioning_dim(self) -> int | None:
        """The length of the vector that an image is given with, or None for a model that takes no vector."""
        return None

    @property
    def stages(self) -> Sequence["PixelModel"]:
        """The functional models that draw an image, one after the other: a list of the model itself."""
        return collections.UserList([self])  # in a plain list, `load_model` would search for weights for ever

    # Training

    def default_loss(self) -> keras.losses.Loss:
        return NegativeLogLikelihood()

    def default_metrics(self) -> list[keras.metrics.Metric]:
        return [Nats(), BitsPerDim()]

    def _target(self, x):
        """The images are their own targets."""
        return image_of(self, x)

    # Likelihood

    def in_batches(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        images: np.ndarray,
        conditions: dict[str, np.ndarray],
        batch_size: int,
    ) -> np.ndarray:
        """A function of images and their logits, compiled, for all images.

        Args:
            function: maps an int32 tensor (batch, height, width, colours) and its logits to a tensor (batch, ...).
            images: integer array (count, height, width, colours).
            conditions: dictionary from `pixel_zoo.inputs.check_conditions`.
            batch_size: int, how many images at a time.

        Returns:
            NumPy array (count, ...).
        """
        compiled = self._compiled(function)
        values = (images.astype("int32"), *condition_values(self, conditions))
        firsts = range(0, len(images), batch_size)
        return np.concatenate([_of_batch(compiled, *(v[i : i + batch_size] for v in values)) for i in firsts])

    def _compiled(self, function):
        """A function of (images, logits) as one of images and their conditions, kept with the model."""
        kept = self.__dict__.setdefault("_pixel_zoo_compiled", {})
        if function not in kept:

            def run(images, *conditions):
                return function(images, self(join_inputs(self, images, conditions), training=False))

            kept[function] = backend.compiled(run, self.variables)
        return kept[function]


def _of_batch(function, *values):
    """A compiled function of arrays; it gets a power of two of images, so that few sizes are compiled."""
    count = len(values[0])
    size = 1 << (count - 1).bit_length()
    padded = [np.resize(value, (size, *value.shape[1:])) for value in values]
    return ops.convert_to_numpy(function(*padded))[:count]


class ClonableModel(PixelModel):
    """A `PixelModel` whose constructor takes other arguments than a graph, for `keras.models.clone_model`.

    Keras clones the graph, and calls the constructor with (inputs, outputs, name) if that accepts any arguments. So the
    constructors of subclasses are wrapped: they take a cloned graph too. A clone whose graph was changed on the way, by
    `clone_function` or `call_function`, is not what the constructor describes: it becomes a plain `PixelModel`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__signature__ = _without_self(cls.__init__)  # what users see
            cls.__init__ = _or_of_clone(cls.__init__)  # type: ignore[method-assign]

    def _run_through_graph(self, *args, **kwargs):
        """As in Keras; symbolic outputs, such as those of a clone, remember which model they come from."""
        outputs = super()._run_through_graph(*args, **kwargs)
        if isinstance(outputs, keras.KerasTensor):
            outputs._pixel_zoo_cloned_from = self
        return outputs

    def _become_clone(self, original, inputs, outputs, name):
        PixelModel.__init__(self, inputs, outputs, name=name)
        if _graph(self) == _graph(original):
            self._take_arguments_of(original)
            freeze_alike(self, original)
        else:
            self.__class__ = PixelModel

    def _take_arguments_of(self, original: Self) -> None:
        """Keep what the constructor keeps of its arguments, besides the graph."""


def _or_of_clone(constructor):
    """A constructor that also takes the graph of a clone, and which Keras sees to accept any arguments."""

    def construct(self, *args, **kwargs):
        original = getattr(args[1], "__dict__", {}).pop("_pixel_zoo_cloned_from", None) if len(args) == 2 else None
        if original is None:
            constructor(self, *args, **kwargs)
        else:
            self._become_clone(original, *args, **kwargs)

    signature = inspect.signature(construct)
    functools.update_wrapper(construct, constructor)
    construct.__signature__ = signature  # else Keras finds that of `constructor`
    return construct


def _without_self(method):
    signature = inspect.signature(method)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _graph(model):
    """The configuration of all layers of a functional model, and how they are connected."""
    config = PixelModel.get_config(model)
    return {key: config[key] for key in ("layers", "input_layers", "output_layers")}


class ConfiguredModel(Configured, ClonableModel):
    """A `PixelModel` that is saved as the arguments of its constructor, `config`, not as a graph."""

    def __init__(
        self, inputs: Structure, outputs: Tensor, config: dict[str, Any], name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(inputs, outputs, name=name, **kwargs)
        self._config = config

    def _take_arguments_of(self, original: Self) -> None:
        self._config = original._config

    @property
    def num_classes(self) -> int | None:
        return self._config.get("num_classes")

    @property
    def conditioning_dim(self) -> int | None:
        return self._config.get("conditioning_dim")
