"""The part of a graph that depends on the rows above alone: the vertical stack."""

import keras
from keras import ops

from pixel_zoo.sampling.pointwise import run_pointwise
from pixel_zoo.sampling.raster_graph import autocast


class RowsAbove:
    """Runs the nodes of a graph that depend on the rows above alone, for a whole row when it is entered.

    As in the walker a row of a map is a tensor (width, batch, features), but features are in their natural order: in
    the rows above no colour is hidden.

    Args:
        graph: `RasterGraph`.
    """

    def __init__(self, graph):
        self.nodes, self.width = graph.above, graph.image_shape[1]
        self.layer_nodes = [node for node in graph.above if node.raster is not None]

    def start(self, batch, width):
        """(weights, states) before the first row."""
        layers = [node.operation for node in self.layer_nodes]
        weights = [layer.prepare() for layer in layers]
        return weights, [layer.initial_state(w, batch, width) for layer, w in zip(layers, weights, strict=True)]

    def enter_row(self, weights, states, conditioning):
        """All maps that are known when a row is entered.

        Args:
            weights, states: from `start`; states from `leave_row` of the row above.
            conditioning: dictionary from ids of symbolic tensors to rows.

        Returns:
            Dictionary like `conditioning`, with the rows of all nodes' outputs added.
        """
        maps = dict(conditioning)
        for node in self.nodes:
            if node.raster is None:
                args, kwargs = node.arguments.fill_in({tensor: maps[tensor] for tensor in node.reads})
                maps[node.output] = run_pointwise(node.operation, args, kwargs)
            else:
                context = enter_row(node, weights[node.raster], states[node.raster], maps, self.width)
                x = autocast(node.operation, maps[node.input]) if node.input in maps else None
                maps[node.output], _ = node.operation.row(weights[node.raster], context, x)
        return maps

    def leave_row(self, weights, states, maps):
        """States for the row below, from all maps of a finished row that the nodes read."""
        return [
            node.operation.leave_row(w, state, [], [autocast(node.operation, maps[node.input])])
            for node, w, state in zip(self.layer_nodes, weights, states, strict=True)
        ]


def enter_row(node, weights, state, maps, width):
    """The context of a raster layer's row; its conditioning map, if it has one, is among `maps`."""
    layer = node.operation
    bias = None if node.bias is None else layer.prepare_bias(autocast(layer, maps[node.bias]))
    context = layer.enter_row(weights, state, bias)
    return keras.tree.map_structure(lambda rows: all_columns(rows, width), context)


def all_columns(rows, width):
    """Rows (width, batch, ...) of what may be (1, batch, ...), where all columns are alike."""
    return rows if rows.shape[0] == width else ops.broadcast_to(rows, (width, *ops.shape(rows)[1:]))
