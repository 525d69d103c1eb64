"""The operations of a functional model, those of the models inside it included."""

import dataclasses

import keras


@dataclasses.dataclass(frozen=True)
class GraphNode:
    """One application of an operation in a functional model.

    Attributes:
        operation: the Keras layer or operation; never a functional model.
        arguments: its arguments, Keras's `SymbolicArguments`.
        outputs: list of the symbolic tensors that it makes.
    """

    operation: object
    arguments: object
    outputs: list

    @property
    def input_tensors(self):
        """The symbolic tensors among the arguments."""
        return self.arguments.keras_tensors


def nodes_in_order(model):
    """The operations of a functional model with one output, each after those it reads.

    A functional model that is called inside another one, such as a member of a mixture, is replaced by its operations.

    Args:
        model: functional Keras model.

    Returns:
        (nodes, output): list of `GraphNode`s; the symbolic output, which one of the nodes makes.

    Example:
    >>> inner_input, outer_input = keras.Input((3,)), keras.Input((3,))
    >>> inner = keras.Model(inner_input, keras.layers.ReLU()(inner_input))
    >>> nodes, _ = nodes_in_order(keras.Model(outer_input, inner(outer_input)))
    >>> [type(node.operation).__name__ for node in nodes]
    ['ReLU']
    """
    nodes = []
    (output,) = _inline(model, model.inputs, nodes)
    return nodes, output


def _inline(model, inputs, nodes):
    """Append the operations of a model that is called with symbolic `inputs` to `nodes`; returns its outputs."""
    actual = {id(own): outer for own, outer in zip(model.inputs, inputs, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if not node.is_input:
                outputs = _apply(node, actual, nodes)
                actual.update((id(own), output) for own, output in zip(node.outputs, outputs, strict=True))
    return [actual[id(output)] for output in model.outputs]


def _apply(node, actual, nodes):
    """Append one node of a model's graph, with the tensors it `actual`ly reads; returns its outputs."""
    args, kwargs = node.arguments.convert(lambda value: actual.get(id(value), value))
    if hasattr(node.operation, "_nodes_by_depth"):
        return _inline(node.operation, keras.tree.flatten(args), nodes)
    # A model that is called twice has the same nodes both times: their outputs must be told apart.
    outputs = [keras.KerasTensor(output.shape, output.dtype) for output in node.outputs]
    nodes.append(GraphNode(node.operation, type(node.arguments)(*args, **kwargs), outputs))
    return outputs
