"""A functional model as the walker sees it: which operations read the image, and how each of them is run."""

import dataclasses

import keras

from pixel_zoo.inputs import image_input
from pixel_zoo.layers import GatedActivation, PositionEmbedding, RasterLayer
from pixel_zoo.sampling.encoding import join_encodings
from pixel_zoo.sampling.joined_projections import join_projections
from pixel_zoo.sampling.nested_graph import nodes_in_order
from pixel_zoo.sampling.pointwise import is_known_pointwise, is_pointwise, way_out


@dataclasses.dataclass(frozen=True)
class RasterNode:
    """One application of an operation that reads the image.

    Attributes:
        operation: the Keras layer or operation.
        arguments: its arguments, with symbolic tensors where the graph's values go.
        reads: ids of all symbolic tensors among the arguments.
        output: id of the symbolic tensor that it returns.
        raster: index among the applications of raster layers of its list, or None for a pointwise operation.
        input: id of the map that a raster layer is applied to, or None.
        bias: id of the conditioning map of a raster layer, or None.
        predicts: whether its output at a pixel and colour can be computed before that value is known.
    """

    operation: object
    arguments: object
    reads: tuple
    output: int
    raster: int | None
    input: int | None
    bias: int | None
    predicts: bool


class RasterGraph:
    """The operations of a functional model of raster and pointwise layers, in order.

    A functional model that is a layer of another one is replaced by its own operations. What embeds the values of the
    image or makes one-hot codes of them becomes one raster layer, `ImageEncoding`. A sum of 1x1 convolutions, such as
    that of all skip connections, becomes one convolution, `JoinedProjections`.

    Args:
        model: functional Keras model with an integer input (height, width, colours), named "image" if there are
            others, and one output of logits (height, width, colours, levels), or (height, width, colours) if binary.

    Attributes:
        image: id of the symbolic image.
        image_shape: (height, width, colours).
        nodes: list of `RasterNode`s that carry the image, in an order in which they can run pixel by pixel.
        above: list of `RasterNode`s that depend on the rows above only, in order. They run for a whole row when it is
            entered.
        conditioning: list of `GraphNode`s that do not depend on the image, in order. They run once, in full. A
            position embedding is one of them, because it reads only the shape of its input.
        conditioning_of_rows: list of the last of these, those that do the same at every position. They run again for
            every row: their outputs, a bias for every layer, would fill the memory if all rows were kept.
        maps: list of symbolic tensors that rows read of `conditioning` and of the model's inputs.
        output: id of the symbolic logits.

    Raises:
        ValueError: if a layer is neither a raster layer nor pointwise, or an output sees the value that it predicts.
    """

    def __init__(self, model):
        if not isinstance(model, keras.models.Model) or not hasattr(model, "_nodes_by_depth"):
            raise TypeError(f"model must be a functional Keras model of raster layers, got {type(model).__name__}")
        image = image_input(model)
        if None in image.shape[1:] or len(image.shape) != 4:
            raise ValueError(
                f"the image input must have a static shape (height, width, colours), got {image.shape[1:]}"
            )
        if len(model.outputs) != 1:
            raise ValueError(f"model must have one output, the logits, got {len(model.outputs)}")
        self.image, self.image_shape = id(image), tuple(image.shape[1:])
        self.colours = image.shape[-1]
        self.model_inputs = list(model.inputs)
        self.nodes, self.above, self.conditioning = [], [], []
        self._waits = {self.image: True}  # tensors that depend on the image: must a value be known before its features?
        self._above = set()  # tensors that depend on the rows above only
        nodes, output = nodes_in_order(model)
        for node in join_projections(join_encodings(nodes, image, output), output):
            self._add(node)
        self.conditioning, self.conditioning_of_rows = _split_conditioning(self.conditioning)
        self.maps = self._maps_of_rows(model)
        self.output = id(output)
        shape = tuple(model.outputs[0].shape[1:])
        if shape[:3] != self.image_shape or len(shape) > 4:
            raise ValueError(
                f"the output must be logits of shape {self.image_shape}, or {(*self.image_shape, 'levels')} for more "
                f"than 2 levels, got {shape}: end with pixel_zoo.layers.Logits"
            )
        if self._waits.get(self.output, True):
            raise ValueError(
                "the logits depend on the values that they predict, or not on the image at all: the first layer needs "
                "mask_type='A'; pixel_zoo.check_causality says which output sees which input"
            )

    def _add(self, node):
        read = {id(tensor) for tensor in node.input_tensors}
        if isinstance(node.operation, PositionEmbedding) or not read & (self._waits.keys() | self._above):
            self.conditioning.append(node)
            return
        operation = node.operation
        raster = isinstance(operation, RasterLayer)
        above = operation.of_rows_above if raster else not read & self._waits.keys()
        if above:
            self.above.append(self._raster_node(node, self.above, predicts=True))
            self._above.add(self.above[-1].output)
            return
        waits = any(self._waits.get(tensor, False) for tensor in read) and (not raster or operation.sees_itself)
        self.nodes.append(self._raster_node(node, self.nodes, predicts=not waits))
        self._waits[self.nodes[-1].output] = waits

    def _raster_node(self, node, others, predicts):
        """The `RasterNode` of a node, which is appended to the list `others`."""
        operation, raster, input_, bias = node.operation, None, None, None
        if isinstance(operation, RasterLayer):
            raster = sum(other.raster is not None for other in others)
            input_, bias = self._maps_of_layer(node)
        else:
            self._check_pointwise(node, pixelwise=others is self.nodes)
        reads = tuple(id(tensor) for tensor in _symbolic(node.arguments))
        return RasterNode(operation, node.arguments, reads, id(node.outputs[0]), raster, input_, bias, predicts)

    def _maps_of_layer(self, node):
        """Ids of the map that a raster layer is applied to, and of its conditioning map or None."""
        layer = node.operation
        arguments = dict(zip(("x", layer.map_argument), node.arguments.args, strict=False)) | node.arguments.kwargs
        x, bias = arguments["x"], arguments.get(layer.map_argument)
        if layer.of_rows_above:
            if layer.sees_itself and id(x) in self._waits:
                raise ValueError(
                    f"layer {layer.name!r} sees its own row on both sides, so its input must depend on the rows above "
                    "only: the first layer of a vertical stack needs mask_type='A'"
                )
        elif layer.colours != self.colours:
            raise ValueError(f"layer {layer.name!r} has colours={layer.colours}, but the image has {self.colours}")
        if id(bias) in self._waits:
            raise ValueError(
                f"bias= of layer {layer.name!r} depends on the image's own row; it may depend on conditioning and "
                "on the rows above only"
            )
        return id(x), None if bias is None else id(bias)

    def _check_pointwise(self, node, pixelwise):
        operation = node.operation
        if isinstance(operation, keras.layers.Concatenate):
            self._check_axis(node)
        if pixelwise:
            self._check_colours(node)
        if not is_pointwise(node, self.colours if pixelwise else 1):
            raise ValueError(
                f"layer {operation.name!r} ({type(operation).__name__}) is neither a raster layer nor pointwise: "
                f"{way_out(operation, self.colours)}"
            )

    def _check_axis(self, node):
        if node.operation.axis not in (-1, len(node.outputs[0].shape) - 1):
            raise ValueError(
                f"layer {node.operation.name!r} must concatenate features (axis=-1), got {node.operation.axis}"
            )

    def _check_colours(self, node):
        """Raise unless every feature keeps its colour."""
        widths = [tensor.shape[-1] for tensor in node.input_tensors]
        if isinstance(node.operation, GatedActivation) and widths[0] // 2 % self.colours:
            raise ValueError(
                f"layer {node.operation.name!r} halves {widths[0]} features; a half must be a multiple of the "
                f"{self.colours} colours, so that both halves of a gate have one colour, as in GatedConv2D"
            )
        if isinstance(node.operation, keras.layers.Concatenate) and any(width % self.colours for width in widths[:-1]):
            raise ValueError(
                f"layer {node.operation.name!r} concatenates maps of {widths} features; all but the last must be "
                f"multiples of the {self.colours} colours, so that every feature keeps its colour"
            )

    def _maps_of_rows(self, model):
        """The maps that rows read of the conditioning and do not compute themselves."""
        read = set(self.conditioning_maps()) | {
            id(tensor) for node in self.conditioning_of_rows for tensor in node.input_tensors
        }
        there = [tensor for tensor in model.inputs if id(tensor) != self.image]
        there += [tensor for node in self.conditioning for tensor in node.outputs]
        return [tensor for tensor in there if id(tensor) in read]

    def maps_beside_image(self):
        """Ids of the tensors, known when a row is entered, that operations combine with the image's features."""
        reads = [(node.input,) if node.raster is not None else node.reads for node in self.nodes]
        return _unique(tensor for read in reads for tensor in read if tensor not in self._waits)

    def conditioning_maps(self):
        """Ids of the conditioning tensors that nodes read, in order."""
        reads = [tensor for node in (*self.above, *self.nodes) for tensor in node.reads]
        return _unique(tensor for tensor in reads if tensor not in self._waits and tensor not in self._above)

    def maps_of_biases_alone(self):
        """Ids of the conditioning tensors that are used as biases of layers only."""
        nodes = (*self.above, *self.nodes)
        read = {tensor for node in nodes for tensor in ((node.input,) if node.raster is not None else node.reads)}
        return {node.bias for node in nodes} - read

    def maps_read_below(self):
        """Ids of the image's tensors that nodes of the rows above read in the rows below, in order."""
        return _unique(node.input for node in self.above if node.input in self._waits)


def autocast(layer, tensors):
    """The floats of a structure of tensors in a layer's compute dtype, as Keras casts what a layer is called with."""

    def cast(x):
        return keras.ops.cast(x, layer.compute_dtype) if keras.backend.is_float_dtype(x.dtype) else x

    return keras.tree.map_structure(cast, tensors)


def is_projection(operation):
    """Whether an operation is an unmasked 1x1 convolution."""
    return (
        isinstance(operation, keras.layers.Conv2D)
        and (*operation.kernel_size, *operation.strides, operation.groups) == (1, 1, 1, 1, 1)
        and operation.data_format == "channels_last"
    )


def _split_conditioning(nodes):
    """Split conditioning nodes into those that run once, in full, and those that no such node needs: row by row."""
    in_full, of_rows, needed = [], [], set()
    for node in reversed(nodes):
        maps = all(len(tensor.shape) == 4 for tensor in [*node.input_tensors, *node.outputs])
        by_row = maps and (is_projection(node.operation) or is_known_pointwise(node))
        if by_row and not needed.intersection(map(id, node.outputs)):
            of_rows.insert(0, node)
        else:
            in_full.insert(0, node)
            needed.update(map(id, node.input_tensors))
    return in_full, of_rows


def _symbolic(arguments):
    flat = keras.tree.flatten((arguments.args, arguments.kwargs))
    return [arg for arg in flat if isinstance(arg, keras.KerasTensor)]


def _unique(items):
    return list(dict.fromkeys(items))
