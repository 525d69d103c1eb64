"""The operations that turn the values of a pixel into features, as one raster layer: embeddings and one-hot codes."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from pixel_zoo.layers import RasterLayer, ValueEmbedding
from pixel_zoo.layers.colours import feature_colours, join, sort_features
from pixel_zoo.sampling.nested_graph import GraphNode
from pixel_zoo.sampling.pointwise import is_known_pointwise, run_pointwise

# Operations that only move, repeat or drop features, or add and remove axes of length 1.
_REARRANGE = frozenset(
    ["ExpandDims", "GetItem", "Moveaxis", "Permute", "Reshape", "Squeeze", "Swapaxes", "Take", "Transpose"]
)


class Step(NamedTuple):
    """An operation on values or features of single pixels, whatever axes the pixels have.

    Attributes:
        node: the `GraphNode`.
        run: maps a tensor (*pixels, ...) and the shape `pixels` to a tensor (*pixels, ...).
        origins: maps an int array (...), the last colour that each feature of the input depends on, to that of the
            output.
    """

    node: GraphNode
    run: Callable
    origins: Callable


class ImageEncoding(RasterLayer):
    """A chain of operations that computes features from the values of each pixel.

    The walker cannot apply these operations one by one: they add and remove axes, so what lies between them is not a
    map (batch, height, width, features), and an embedding has weights.

    Args:
        chain: list of `Step`s; each operation reads the output of the one before, the first one reads the image.
        colours: int, number of colours of the image.
    """

    def __init__(self, chain, colours):
        super().__init__(colours=colours, name=chain[-1].node.operation.name)
        self.chain = tuple(chain)

    @property
    def reach(self):
        return (0, 0)

    def call(self, x, bias=None):
        """The features of pixels (..., colours), in their natural order."""
        pixels = ops.shape(x)[:-1]
        for step in self.chain:
            x = step.run(x, pixels)
        return x

    def prepare(self):
        return []

    def enter_pixel(self, weights, context, memory):
        return []

    def step(self, weights, base, inputs, colour):
        # The features of a colour do not depend on later colours, so zeros may take their place.
        later = [ops.zeros_like(inputs[0])] * (self.colours - colour - 1)
        features = self.call(join([*inputs[: colour + 1], *later]))
        return (features[..., colour :: self.colours],)

    def row(self, weights, context, x):
        features = self.call(x)
        return sort_features(features, feature_colours(features.shape[-1], self.colours)), []


def join_encodings(nodes, image, output):
    """Replace each chain of operations from the image to a map of features by one `ImageEncoding`.

    Chains of pointwise operations stay as they are, because the walker can apply those to any map.

    Args:
        nodes: list of `GraphNode`s in order.
        image: the symbolic image.
        output: the symbolic tensor that the graph returns.

    Returns:
        List of `GraphNode`s in order.

    Raises:
        ValueError: if the features of a chain are not a map, or depend on later colours than they may.
    """
    joined, chains, done = [], {id(image): []}, {id(image)}

    def finish(tensor):
        """Append what computes a tensor at the end of a chain."""
        if id(tensor) in done or id(tensor) not in chains:
            return
        chain = chains[id(tensor)]
        if _is_pointwise(chain):
            joined.extend(step.node for step in chain if id(step.node.outputs[0]) not in done)
            done.update(id(step.node.outputs[0]) for step in chain)
        else:
            _check_features(chain, tensor, image)
            layer = ImageEncoding(chain, image.shape[-1])
            joined.append(GraphNode(layer, type(chain[0].node.arguments)(image), [tensor]))
            done.add(id(tensor))

    for node in nodes:
        chain = _continued(chains, node)
        if chain is None:
            for tensor in node.input_tensors:
                finish(tensor)
            joined.append(node)
        else:
            chains[id(node.outputs[0])] = chain
    finish(output)
    return joined


def _is_pointwise(chain):
    return all(is_known_pointwise(step.node) for step in chain)


def _continued(chains, node):
    """The chain that an operation continues, with it at the end, or None."""
    if len(node.input_tensors) != 1 or len(node.outputs) != 1 or id(node.input_tensors[0]) not in chains:
        return None
    (x,), (y,) = node.input_tensors, node.outputs
    chain = chains[id(x)]
    if y.shape[:3] != x.shape[:3] or None in y.shape[1:]:
        return None
    if is_known_pointwise(node) and (_is_pointwise(chain) or len(x.shape) != 4):
        return [*chain, Step(node, functools.partial(_run_pointwise, node), lambda origins: origins)]
    step = _step(node, x.shape[3:], y.shape[3:])
    return None if step is None else [*chain, step]


def _step(node, shape, output_shape):
    """The `Step` of an operation that maps features of one shape to another, or None if it is no such operation."""
    operation, kind = node.operation, type(node.operation)
    if kind is ValueEmbedding:
        return Step(node, lambda x, pixels: operation(x), lambda origins: np.tile(origins, operation.embedding_dim))
    if kind is keras.layers.Embedding:
        run = lambda x, pixels: operation(x)  # noqa: E731
    elif kind is keras.layers.CategoryEncoding:
        # Applied to slices, the layer itself would take an axis of one pixel for one of features.
        if operation.output_mode != "one_hot" or operation.sparse:
            return None
        run = functools.partial(_one_hot, operation.num_tokens, operation.dtype, output_shape)
    elif kind.__name__ == "OneHot" and kind.__module__.startswith("keras."):
        if operation.axis not in (-1, 2 + len(output_shape)) or operation.sparse:
            return None
        run = functools.partial(_one_hot, operation.num_classes, operation.dtype, output_shape)
    else:
        return _rearrangement(node, shape, output_shape)
    length = math.prod(output_shape) // math.prod(shape)
    return Step(node, run, lambda origins: np.repeat(origins, length).reshape(output_shape))


def _run_pointwise(node, x, pixels):
    args, kwargs = node.arguments.fill_in({id(node.input_tensors[0]): x})
    return run_pointwise(node.operation, args, kwargs)


def _one_hot(length, dtype, output_shape, x, pixels):
    return ops.reshape(ops.one_hot(x, length, dtype=dtype), (*pixels, *output_shape))


def _rearrangement(node, shape, output_shape):
    """The `Step` of an operation that only rearranges the features of each pixel, or None."""
    kind = type(node.operation)
    if kind.__name__ not in _REARRANGE or not kind.__module__.startswith("keras."):
        return None
    count = math.prod(shape)
    order = np.arange(count)
    if math.prod(output_shape) != count or kind.__name__ not in ("ExpandDims", "Reshape", "Squeeze"):
        order = _order(node, shape)
        if order is None:
            return None

    def run(x, pixels):
        if not np.array_equal(order, np.arange(count)):
            x = ops.take(ops.reshape(x, (*pixels, count)), order, axis=-1)
        return ops.reshape(x, (*pixels, *output_shape))

    return Step(node, run, lambda origins: origins.reshape(-1)[order].reshape(output_shape))


def _order(node, shape):
    """Which input feature each output feature of a pixel is, an int array; None if pixels differ or are mixed."""
    (x,), count = node.input_tensors, math.prod(shape)
    pixels = math.prod(x.shape[1:3])
    numbered = ops.reshape(ops.arange(pixels * count, dtype="int32"), (1, *x.shape[1:]))
    args, kwargs = node.arguments.fill_in({id(x): numbered})
    try:
        found = ops.convert_to_numpy(node.operation(*args, **kwargs)).reshape(pixels, -1)
    except Exception:  # an operation that fixes the size of the batch may raise anything
        return None
    order = found - np.arange(pixels)[:, None] * count
    good = (order == order[0]).all() and (order[0] >= 0).all() and (order[0] < count).all()
    return order[0] if good else None


def _check_features(chain, tensor, image):
    """Raise unless a chain ends in a map of features, none of which depends on later colours than its own."""
    name, colours = chain[-1].node.operation.name, image.shape[-1]
    if len(tensor.shape) != 4:
        raise ValueError(
            f"{name!r} gives features of shape {tuple(tensor.shape[1:])} where a map (height, width, features) is "
            f"needed: use pixel_zoo.layers.ValueEmbedding, or reshape them to "
            f"({', '.join(map(str, tensor.shape[1:3]))}, {math.prod(tensor.shape[3:])})"
        )
    origins = np.arange(colours)
    for step in chain:
        origins = step.origins(origins)
    own = feature_colours(len(origins), colours)
    if (origins > own).any():
        feature = int(np.argmax(origins > own))
        raise ValueError(
            f"{name!r} makes feature {feature} from colour {origins[feature]}, but feature {feature} of a map belongs "
            f"to colour {own[feature]} ({feature} % {colours}): use pixel_zoo.layers.ValueEmbedding(levels, "
            f"embedding_dim, colours={colours})"
        )
