"""Mixture of models."""

from typing import Any, Self

import keras

from pixel_zoo.inputs import join_inputs, other_inputs
from pixel_zoo.layers import MixtureLogits
from pixel_zoo.layers.mixture_logits import check_weights
from pixel_zoo.models.multi_scale import MultiScalePixelRNN
from pixel_zoo.models.pixel_model import ClonableModel, PixelModel


@keras.saving.register_keras_serializable(package="pixel_zoo")
class Mixture(ClonableModel):
    """The mean of several models' probabilities at each pixel: a linear opinion pool (Stone 1961).

    ```
    p(value | values before) = sum over m of weight_m * p_m(value | values before)
    ```

    The members are mixed at every value, not once for each image. So p(x) is autoregressive in raster order as the
    members are: it is exact, and it is drawn from pixel by pixel.

    Args:
        members: list of at least two models: `PixelCNN`, `PixelRNN`, a `PixelModel` composed by hand, another `Mixture`
            and so on. The mixture holds copies of them, named member0, member1 ...: training it leaves them unchanged.
        weights: list of positive numbers, one for each member, of which only the ratios matter; None: all alike. Choose
            them on validation images: they are not trained.
        name: str or None.

    Input: as of the members, which are all given the same image and the same label, vector or other inputs. Output:
    float32 logits (batch, height, width, colours, levels), or (batch, height, width, colours) for 2 levels.

    Raises:
        TypeError, ValueError: a member is not a model in raster order, or the members do not agree in image shape,
            levels, number of classes, or in their inputs other than the image.

    Example:
    >>> import numpy as np
    >>> small = {"levels": 4, "num_blocks": 1, "head_filters": 4}
    >>> cnn = pz.models.PixelCNN((4, 4, 1), filters=4, **small)
    >>> rnn = pz.models.PixelRNN((4, 4, 1), units=4, **small)
    >>> images = np.zeros((2, 4, 4, 1), "uint8")
    >>> probabilities = [np.exp(model.log_probabilities(images)) for model in (cnn, rnn, Mixture([cnn, rnn]))]
    >>> bool(np.allclose((probabilities[0] + probabilities[1]) / 2, probabilities[2], atol=1e-6))
    True
    """

    def __init__(
        self, members: list[PixelModel], weights: list[float] | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        _check(members, weights)
        first = members[0]
        image = keras.Input(first.image_shape, dtype="int32", name="image")
        others = [
            keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
            for tensor in other_inputs(first)
        ]
        conditions = {tensor.name: tensor for tensor in others}
        copies = [_copy(member, f"member{index}") for index, member in enumerate(members)]
        logits = [copy(join_inputs(copy, image, [conditions[t.name] for t in other_inputs(copy)])) for copy in copies]
        dtype = keras.backend.result_type("float32", *(tensor.dtype for tensor in logits))
        outputs = MixtureLogits(first.levels, weights, dtype=dtype, name="mixture_logits")(logits)
        super().__init__({"image": image, **conditions} if conditions else image, outputs, name=name, **kwargs)

    @property
    def members(self) -> list[PixelModel]:
        """The models that are mixed."""
        return [layer for layer in self.layers if isinstance(layer, PixelModel)]

    @property
    def num_classes(self) -> int | None:
        return self.members[0].num_classes

    @property
    def conditioning_dim(self) -> int | None:
        return self.members[0].conditioning_dim

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "members": [_described(member) for member in self.members],
            "weights": self.get_layer("mixture_logits").get_config()["weights"],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        members = [keras.saving.deserialize_keras_object(member, custom_objects) for member in config["members"]]
        return cls(**config | {"members": members})


def _described(member):
    """The configuration of a member, without an optimiser: a mixture has one of its own."""
    described = keras.saving.serialize_keras_object(member)
    return {key: value for key, value in described.items() if key != "compile_config"}


def _copy(member, name):
    """A model with the same weights and frozen layers, named, like its weights, after its position in the mixture."""
    described = _described(member)
    described["config"] = described["config"] | {"name": name}
    with keras.name_scope(name):
        copy = keras.saving.deserialize_keras_object(described)
    copy.set_weights(member.get_weights())
    for layer, copied in zip(member._flatten_layers(), copy._flatten_layers(), strict=True):
        if not layer.trainable:
            for part in copied._flatten_layers():  # a frozen model that Keras rebuilds does not freeze its layers
                part.trainable = False
    return copy


def _check(members, weights):
    """Raise unless the members are models that can be mixed, by these weights."""
    if not isinstance(members, (list, tuple)) or len(members) < 2:
        raise ValueError(f"members must be a list of at least two models, got {members!r}")
    for index, member in enumerate(members):
        if isinstance(member, MultiScalePixelRNN):
            raise TypeError(
                f"members[{index}] is a multi-scale model, which predicts the pixels of its small image first; only "
                "models that predict all pixels in raster order can be mixed pixel by pixel"
            )
        if not isinstance(member, PixelModel):
            raise TypeError(
                f"members[{index}] must be a pixel_zoo.models.PixelModel, got {type(member).__name__}; wrap a "
                "functional Keras model: PixelModel(model.input, model.output)"
            )
    if weights is not None and len(check_weights(weights)) != len(members):
        raise ValueError(f"weights must be one for each of {len(members)} members, got {weights!r}")
    for index, member in enumerate(members[1:], start=1):
        _check_agreement(members[0], member, index)


def _check_agreement(first, member, index):
    """Raise unless a member is given and predicts what the first one does."""
    for name in ("image_shape", "levels", "num_classes", "conditioning_dim"):
        ours, theirs = getattr(first, name), getattr(member, name)
        if ours != theirs:
            raise ValueError(
                f"members must have the same {name}, got {ours} of members[0], {theirs} of members[{index}]"
            )
    ours, theirs = _conditions(first), _conditions(member)
    if ours != theirs:
        raise ValueError(
            f"members must have the same inputs other than the image, by name, shape and dtype, got {ours} of "
            f"members[0], {theirs} of members[{index}]"
        )


def _conditions(model):
    """Name -> (shape, dtype) of a model's inputs other than the image."""
    return {tensor.name: (tuple(tensor.shape[1:]), tensor.dtype) for tensor in other_inputs(model)}
