"""One list names every layer, one every model. Tests that cut across them run over it."""

import types
from typing import NamedTuple

import keras
import numpy as np

from pixel_zoo import backend, layers, models


class LayerEntry(NamedTuple):
    """A layer to test: its class, the arguments it is made with, and how many features its input has."""

    layer_class: type
    arguments: dict
    input_features: int

    def make(self, **more):
        """A new layer; `more` are further arguments, such as a dtype."""
        return self.layer_class(**self.arguments, **more)

    def __str__(self):
        arguments = ",".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.layer_class.__name__}({arguments})".replace(" ", "")


# Every raster layer with one colour and, where it knows colours, with several; features that split evenly among the
# colours, and that do not.
LAYERS = [
    LayerEntry(layers.MaskedConv2D, {"filters": 2, "kernel_size": 5, "mask_type": "A"}, 1),
    LayerEntry(layers.MaskedConv2D, {"filters": 2, "kernel_size": 3, "mask_type": "B"}, 2),
    LayerEntry(layers.MaskedConv2D, {"filters": 5, "kernel_size": 3, "mask_type": "A", "colours": 3}, 3),
    LayerEntry(layers.MaskedConv2D, {"filters": 4, "kernel_size": (3, 5), "mask_type": "B", "colours": 3}, 5),
    LayerEntry(layers.MaskedConv2D, {"filters": 3, "kernel_size": 1, "mask_type": "A", "colours": 3}, 3),
    LayerEntry(layers.MaskedConv2D, {"filters": 3, "kernel_size": 1, "mask_type": "B", "use_bias": False}, 2),
    LayerEntry(layers.GatedConv2D, {"units": 2, "kernel_size": (1, 3), "mask_type": "B"}, 2),
    LayerEntry(layers.GatedConv2D, {"units": 4, "kernel_size": 3, "mask_type": "B", "colours": 3}, 5),
    LayerEntry(layers.GatedConv2D, {"units": 3, "kernel_size": (1, 5), "mask_type": "A", "colours": 3}, 3),
    LayerEntry(layers.VerticalConv2D, {"filters": 2, "kernel_size": 5, "mask_type": "A"}, 2),
    LayerEntry(layers.VerticalConv2D, {"filters": 3, "kernel_size": (3, 5), "mask_type": "B"}, 2),
    LayerEntry(layers.VerticalConv2D, {"filters": 2, "kernel_size": 1, "mask_type": "B", "use_bias": False}, 3),
    LayerEntry(layers.RowLSTM, {"units": 2}, 2),
    LayerEntry(layers.RowLSTM, {"units": 4, "kernel_size": 3, "colours": 3}, 3),
    LayerEntry(layers.RowLSTM, {"units": 3, "kernel_size": 5, "colours": 2}, 3),
    LayerEntry(layers.RowLSTM, {"units": 2, "kernel_size": 1}, 1),
    LayerEntry(layers.DiagonalBiLSTM, {"units": 2}, 2),
    LayerEntry(layers.DiagonalBiLSTM, {"units": 4, "colours": 3}, 5),
    LayerEntry(layers.Logits, {"levels": 2}, 2),
    LayerEntry(layers.Logits, {"levels": 2, "colours": 3}, 5),
    LayerEntry(layers.Logits, {"levels": 5, "colours": 3}, 4),
    LayerEntry(layers.CopyingLogits, {"levels": 2, "colours": 3}, 5),
    LayerEntry(layers.CopyingLogits, {"levels": 5, "colours": 3}, 4),
]


class ModelEntry(NamedTuple):
    """A model to test: its class and the arguments that keep it small."""

    model_class: type
    arguments: dict

    def make(self, **more):
        """A new model; `more` override the entry's arguments."""
        return self.model_class(**self.arguments | more)

    def __str__(self):
        arguments = ",".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.model_class.__name__}({arguments})"


class MixtureEntry(NamedTuple):
    """A mixture to test: the entries of its members, which `make` hands its arguments on to."""

    members: tuple
    model_class: type = models.Mixture
    arguments: dict = types.MappingProxyType({})

    def make(self, **more):
        return self.model_class([member.make(**more) for member in self.members])

    def __str__(self):
        return f"Mixture({','.join(map(str, self.members))})"


def given_with(model, count, seed=0):
    """The conditions of `count` images, as arguments of the model's methods: labels, vectors, or nothing."""
    draw = np.random.default_rng(seed)
    given = {}
    if model.num_classes is not None:
        given["labels"] = draw.integers(0, model.num_classes, count)
    if model.conditioning_dim is not None:
        given["vectors"] = draw.normal(size=(count, model.conditioning_dim)).astype("float32")
    small = [tensor for tensor in model.inputs if tensor.name == "small"]
    if small:
        given["conditioning"] = draw.integers(0, model.levels, (1, count, *small[0].shape[1:])).astype("uint8")
    return given


def inputs(images, labels=None, vectors=None, conditioning=(None,)):
    """The input of a model and of `fit`: images, or a dictionary of images and their conditions."""
    others = {
        name: value
        for name, value in zip(("label", "vector", "small"), (labels, vectors, *conditioning), strict=True)
        if value is not None
    }
    return {"image": images, **others} if others else images


def logits_of(model, fed):
    """The logits as a NumPy array. JAX would compile each operation by itself; TensorFlow runs them as they come."""
    if keras.backend.backend() == "jax":
        return np.asarray(backend.compiled(lambda fed: model(fed, training=False), model.variables)(fed))
    return keras.ops.convert_to_numpy(model(fed))


SMALL = {"num_blocks": 2, "head_filters": 6}

MODELS = [
    ModelEntry(models.PixelCNN, {"filters": 4, **SMALL}),
    ModelEntry(models.PixelCNN, {"filters": 4, "residual": False, "skip": False, **SMALL}),
    ModelEntry(models.GatedPixelCNN, {"filters": 4, **SMALL}),
    ModelEntry(models.PixelRNN, {"recurrence": "row", "units": 4, **SMALL}),
    ModelEntry(models.PixelRNN, {"recurrence": "diagonal", "units": 4, "residual": False, **SMALL}),
    ModelEntry(models.PixelCNN, {"filters": 4, "num_classes": 3, "conditioning_dim": 2, **SMALL}),
    ModelEntry(models.PixelCNN, {"filters": 4, "position_embedding": True, **SMALL}),
    ModelEntry(
        models.GatedPixelCNN,
        {
            "filters": 4,
            "num_classes": 3,
            "conditioning_dim": 2,
            "position_embedding": True,
            "embedding_dim": 2,
            **SMALL,
        },
    ),
    ModelEntry(
        models.PixelRNN,
        {
            "recurrence": "row",
            "units": 4,
            "num_classes": 3,
            "position_embedding": True,
            "embedding_dim": 2,
            **SMALL,
        },
    ),
    ModelEntry(
        models.PixelRNN, {"recurrence": "diagonal", "units": 4, "conditioning_dim": 2, "embedding_dim": 2, **SMALL}
    ),
    MixtureEntry(
        (
            ModelEntry(models.GatedPixelCNN, {"filters": 4, "num_classes": 3, "position_embedding": True, **SMALL}),
            ModelEntry(models.PixelRNN, {"recurrence": "row", "units": 4, "num_classes": 3, **SMALL}),
        )
    ),
    # One pixel divides images of any shape. Copied pixels are another matter: see test_multi_scale.py.
    ModelEntry(
        models.PixelCNN, {"filters": 4, "small_shape": (1, 1), "copy_known": False, "embedding_dim": 2, **SMALL}
    ),
]


def one_of_each_kind(entries):
    """The last of the entries of each architecture."""
    return list({(entry.model_class, entry.arguments.get("recurrence")): entry for entry in entries}.values())


# Where a test takes seconds a model, it runs over one of each kind: plain, or with what else a model can be given.
PLAIN_MODELS = one_of_each_kind(reversed(MODELS))
GIVEN_MODELS = one_of_each_kind(MODELS)


def image_input(*shape):
    """A symbolic image and its values as floats."""
    image = keras.Input(shape, dtype="int32", name="image")
    return image, keras.layers.Rescaling(1.0)(image)


def scrambled(model, seed=0):
    """The model with random weights, biases and initial states included, so that nothing hides behind a zero."""
    draw = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(draw.normal(scale=0.4, size=weight.shape).astype("float32"))
    return model
