"""Which operations are pointwise, so that the walker may apply them to one pixel and one colour at a time."""

import math
import numbers

import keras
import numpy as np
from keras import activations, ops

from pixel_zoo.layers import GatedActivation, MixtureLogits, ValueEmbedding

# Layers that are known to be pointwise. All others are tried out: see `is_pointwise`.
_LAYERS = frozenset(
    [
        keras.layers.ReLU,
        keras.layers.LeakyReLU,
        keras.layers.ELU,
        keras.layers.Identity,
        keras.layers.Add,
        keras.layers.Subtract,
        keras.layers.Multiply,
        keras.layers.Average,
        keras.layers.Maximum,
        keras.layers.Minimum,
        keras.layers.Concatenate,
        GatedActivation,
        MixtureLogits,
    ]
)
# Layers that do nothing outside of training.
_IDENTITY_LAYERS = frozenset(
    [
        keras.layers.ActivityRegularization,
        keras.layers.AlphaDropout,
        keras.layers.Dropout,
        keras.layers.GaussianDropout,
        keras.layers.GaussianNoise,
        keras.layers.SpatialDropout2D,
    ]
)
_ACTIVATIONS = frozenset(
    [
        activations.elu,
        activations.gelu,
        activations.leaky_relu,
        activations.linear,
        activations.relu,
        activations.selu,
        activations.sigmoid,
        activations.silu,
        activations.softplus,
        activations.tanh,
    ]
)
# Operations of `keras.ops` that appear in a graph as themselves: x + y, keras.ops.relu(x) ...
_OPERATIONS = frozenset(
    ["Add", "Cast", "Divide", "Gelu", "Multiply", "Negative", "Relu", "Sigmoid", "Subtract", "Tanh"]
)

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
_NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.SpectralNormalization,
)
_ENCODINGS = (keras.layers.CategoryEncoding, keras.layers.Embedding, ValueEmbedding)


def run_pointwise(operation, args, kwargs):
    """Apply a pointwise operation to slices of its maps."""
    if type(operation) in _IDENTITY_LAYERS:
        return args[0]
    if type(operation) is keras.layers.Concatenate:
        return ops.concatenate(args[0], axis=-1)
    return operation(*args, **kwargs)


def is_known_pointwise(node):
    """Whether an operation is one of the common ones that are pointwise, at no cost.

    Args:
        node: node of a Keras graph.
    """
    operation, kind = node.operation, type(node.operation)
    known = (
        kind in _LAYERS | _IDENTITY_LAYERS
        or (kind is keras.layers.Activation and operation.activation in _ACTIVATIONS)
        or (kind is keras.layers.Rescaling and np.ndim(operation.scale) == np.ndim(operation.offset) == 0)
        or (kind.__module__.startswith("keras.") and kind.__name__ in _OPERATIONS)
    )
    same_width = kind is keras.layers.Concatenate or len({tensor.shape[-1] for tensor in node.input_tensors}) == 1
    arguments = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
    return known and same_width and not _trains(node) and not any(map(_is_array, arguments))


def is_pointwise(node, colours):
    """Whether an operation does the same for each pixel and colour, as seen from what it does, not from its name.

    It is applied to a small random map as a whole, then to single pixels, to a row, and to the features of one colour
    at a time, as the walker does. The results must agree. Layers with weights are never pointwise, because the walker
    does not carry their weights.

    Args:
        node: node of a Keras graph.
        colours: int, into how many groups the features are split; 1 if the operation may mix all features of a pixel.
    """
    if is_known_pointwise(node):
        return True
    if getattr(node.operation, "weights", []) or len(node.outputs) != 1 or _trains(node):
        return False
    if any(len(tensor.shape) not in (4, 5) for tensor in node.input_tensors):
        return False
    try:
        return _slices_agree(node, colours)
    except Exception:  # an operation that cannot take a slice may raise anything
        return False


_PIXELS = (2, 2, 3)  # batch, height, width of the map that an operation is tried out on


def _trains(node):
    """Whether the operation always runs as in training: a dropout that drops features while the model scores."""
    return bool(node.arguments.kwargs.get("training"))


def _slices_agree(node, colours):
    draw = np.random.default_rng(0)
    maps = {id(tensor): _random_map(draw, tensor) for tensor in node.input_tensors}
    whole = _run(node, maps)
    if whole.shape != (*_PIXELS, *node.outputs[0].shape[3:]):
        return False
    for pixels in [(math.prod(_PIXELS),), (3, 4)]:
        for colour in range(colours):
            part = _run(node, {tensor: _of_colour(x, colour, colours, pixels) for tensor, x in maps.items()})
            expected = _of_colour(whole, colour, colours, pixels)
            if part.shape != expected.shape or not _agree(part, expected, node.outputs[0].dtype):
                return False
    return True


def _random_map(draw, tensor):
    """A small NumPy array like a symbolic map (batch, height, width, ...)."""
    pixels = [1 if extent == 1 else size for extent, size in zip(tensor.shape[:3], _PIXELS, strict=True)]
    shape, dtype = (*pixels, *tensor.shape[3:]), keras.backend.standardize_dtype(tensor.dtype)
    if dtype == "bool":
        return draw.random(shape) < 0.5
    return draw.integers(0, 3, shape).astype(dtype) if "int" in dtype else draw.normal(scale=2.0, size=shape)


def _run(node, maps):
    """The operation's result as a NumPy array; floats in float64."""
    dtypes = {id(tensor): tensor.dtype for tensor in node.input_tensors}
    tensors = {key: ops.convert_to_tensor(value, dtypes[key]) for key, value in maps.items()}
    args, kwargs = node.arguments.fill_in(tensors)
    result = ops.convert_to_numpy(run_pointwise(node.operation, args, kwargs))
    return result if result.dtype == bool else result.astype("float64")


def _of_colour(x, colour, colours, pixels):
    """The features of one colour of a map: (*pixels, features); of logits (..., colours, levels): (*pixels, levels)."""
    x = np.broadcast_to(x, (*_PIXELS, *x.shape[3:])).reshape(*pixels, *x.shape[3:])
    return x[..., colour, :] if x.ndim == len(pixels) + 2 else x[..., colour::colours]


def _agree(x, y, dtype):
    tolerance = 0.02 if keras.backend.standardize_dtype(dtype) in ("bfloat16", "float16") else 1e-5
    return np.allclose(x, y, rtol=tolerance, atol=tolerance, equal_nan=True)


def _is_array(argument):
    constant = isinstance(argument, (keras.KerasTensor, numbers.Number, str, bool, type(None)))
    return not constant and getattr(argument, "shape", ()) != ()


def way_out(operation, colours):
    """Why an operation cannot be part of a model that is sampled pixel by pixel, and what to use instead.

    Args:
        operation: Keras layer or operation.
        colours: int, number of colours of the image.
    """
    own = "" if colours == 1 else f", colours={colours}"
    if isinstance(operation, keras.layers.Dense):
        return f"use pixel_zoo.layers.MaskedConv2D({operation.units}, 1, 'B'{own})"
    if isinstance(operation, _CONVOLUTIONS):
        filters = getattr(operation, "filters", "filters")
        if tuple(operation.kernel_size) == (1, 1):
            return f"use pixel_zoo.layers.MaskedConv2D({filters}, 1, 'B'{own})"
        size = operation.kernel_size[0] if len(set(operation.kernel_size)) == 1 else tuple(operation.kernel_size)
        return (
            "it sees pixels that come later; "
            f"use pixel_zoo.layers.MaskedConv2D({filters}, {size}, 'B'{own}), with mask 'A' in the first layer"
        )
    if isinstance(operation, _NORMALIZATIONS):
        return "it mixes images, pixels or colours; leave it out"
    if isinstance(operation, keras.Model):
        return "apply its layers one by one"
    if isinstance(operation, _ENCODINGS) or type(operation).__name__ == "OneHot":
        mode = ", output_mode='one_hot'" if isinstance(operation, keras.layers.CategoryEncoding) else ""
        return f"apply it to the image{mode}, or use pixel_zoo.layers.ValueEmbedding(levels, embedding_dim{own})"
    if getattr(operation, "weights", []):
        return "it has weights; derive it from pixel_zoo.layers.RasterLayer"
    mixes = "" if colours == 1 else ", or mixes colours"
    return (
        f"it mixes pixels{mixes}, or does not accept single pixels (batch, features); a pointwise operation does the "
        "same at every position, on slices of any rank"
    )
