"""Sums of 1x1 convolutions as one convolution: fewer and larger matrix products."""

import keras
from keras import ops

from pixel_zoo.layers import MaskedConv2D
from pixel_zoo.sampling.nested_graph import GraphNode


class JoinedProjections(MaskedConv2D):
    """The sum of the 1x1 convolutions of several maps, applied to all their features side by side.

    Args:
        layers: list of `MaskedConv2D`s of one size and dtype. The features of each one's input are a multiple of the
            colours, so that side by side they keep their colours.
    """

    def __init__(self, layers):
        first = layers[0]
        super().__init__(
            first.filters, 1, "B", colours=first.colours, dtype=first.dtype_policy, name=f"{first.name}_and_others"
        )
        self.parts = tuple(layers)
        self.use_bias = any(layer.use_bias for layer in layers)

    def build(self, input_shape):
        self.built = True  # the weights are those of the layers

    @property
    def bias(self):
        """The sum of all biases."""
        return sum(ops.convert_to_tensor(layer.bias) for layer in self.parts if layer.use_bias)

    def masked_kernel(self):
        """All kernels, masked, one above the other."""
        return ops.concatenate([layer.masked_kernel() for layer in self.parts], axis=2)

    def initial_state(self, weights, batch, width):
        return []


def join_projections(nodes, output):
    """Replace the 1x1 convolutions that are added up, such as skip connections, by one.

    Args:
        nodes: list of `GraphNode`s in order.
        output: the symbolic tensor that the graph returns.

    Returns:
        List of `GraphNode`s in order.
    """
    readers = {id(output): 1}
    for node in nodes:
        for tensor in node.input_tensors:
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    alone = {
        id(node.outputs[0]): node for node in nodes if _is_projection(node) and readers.get(id(node.outputs[0])) == 1
    }
    joined, replaced = [], set()
    for node in nodes:
        added = node.input_tensors if type(node.operation) is keras.layers.Add else []
        terms = [alone[id(x)] for x in added if id(x) in alone]
        terms = [term for term in terms if _kind(term) == _kind(terms[0])]
        if len(terms) > 1:
            replaced |= {id(term) for term in terms}
            joined += _joined(node, terms)
        else:
            joined.append(node)
    return [node for node in joined if id(node) not in replaced]


def _is_projection(node):
    layer = node.operation
    return (
        type(layer) is MaskedConv2D
        and (*layer.kernel_size, layer.mask_type) == (1, 1, "B")
        and len(node.input_tensors) == 1
        and node.input_tensors[0].shape[-1] % layer.colours == 0
    )


def _kind(node):
    return node.operation.filters, node.operation.colours, node.operation.compute_dtype


def _joined(node, terms):
    """The nodes of a sum: the inputs of its 1x1 convolutions side by side, their sum, and the whole sum."""
    arguments, inputs = type(node.arguments), [term.input_tensors[0] for term in terms]
    layer = JoinedProjections([term.operation for term in terms])
    features = keras.KerasTensor((*inputs[0].shape[:-1], sum(x.shape[-1] for x in inputs)), inputs[0].dtype)
    concatenation = keras.layers.Concatenate(dtype=layer.dtype_policy)
    side_by_side = GraphNode(concatenation, arguments(inputs), [features])
    outputs = {id(term.outputs[0]) for term in terms}
    rest = [x for x in node.input_tensors if id(x) not in outputs]
    if not rest:
        return side_by_side, GraphNode(layer, arguments(features), node.outputs)
    sum_of_terms = GraphNode(layer, arguments(features), terms[0].outputs)
    return side_by_side, sum_of_terms, GraphNode(node.operation, arguments([*rest, *terms[0].outputs]), node.outputs)
