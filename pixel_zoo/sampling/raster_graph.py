"""A functional model as the walker sees it: which operations read the image, and how they may be taken apart."""

import dataclasses
import numbers

import keras

from pixel_zoo.inputs import image_input
from pixel_zoo.layers import GatedActivation, MixtureLogits, PositionEmbedding, RasterLayer
from pixel_zoo.sampling.nested_graph import nodes_in_order

# Layers that do the same at every position and feature, so that they may be applied to any slice of a map.
_POINTWISE_LAYERS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Rescaling,
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
)
# What is left of these when nothing is trained: nothing.
_IDENTITY_LAYERS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)
# Operations of `keras.ops` that appear in a graph as themselves: x + y, keras.ops.relu(x) ...
_ARITHMETIC = frozenset(
    ["Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Negative", "Maximum", "Minimum", "Cast"]
)
_FUNCTIONS = frozenset(["Exp", "Log", "Log1p", "Square", "Sqrt", "Power", "Absolute", "Clip"])
_SIGMOIDS = frozenset(["Sigmoid", "Tanh", "Softplus", "Softsign", "LogSigmoid"])
_RECTIFIERS = frozenset(["Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Silu", "Gelu", "HardSigmoid", "HardSilu"])
_POINTWISE_OPERATIONS = _ARITHMETIC | _FUNCTIONS | _SIGMOIDS | _RECTIFIERS


@dataclasses.dataclass(frozen=True)
class RasterNode:
    """One application of an operation that reads the image.

    Attributes:
        operation: the Keras layer or operation.
        arguments: its arguments, with symbolic tensors where the graph's values go.
        reads: ids of all symbolic tensors among the arguments.
        output: id of the symbolic tensor that it makes.
        raster: index among the applications of raster layers of its list, or None for a pointwise operation.
        input: id of the map that a raster layer is applied to, or None.
        bias: id of the conditioning map of a raster layer, or None.
        predicts: whether its output at a pixel and colour is known before that value is. What is not, waits for it.
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

    A functional model that is a layer of another one is replaced by its own operations.

    Args:
        model: functional Keras model with an integer input (height, width, colours), named "image" if there are
            others, and one output of logits (height, width, colours, levels), or (height, width, colours) if binary.

    Attributes:
        image: id of the symbolic image.
        image_shape: (height, width, colours).
        nodes: list of `RasterNode`s that carry the image, in an order in which they can run pixel by pixel.
        above: list of those that carry rows above alone, in order: run for a whole row when it is entered.
        conditioning: list of `GraphNode`s that do not, in order: run once, in full. A position embedding is one
            of them: of what it is applied to it reads the shape alone.
        conditioning_of_rows: list of those that come last and do the same at every position: run anew for every row.
            What they make, a bias for every layer, would fill the memory if all rows were kept.
        maps: list of symbolic tensors, what rows take from `conditioning` and the model's inputs.
        output: id of the symbolic logits.

    Raises:
        ValueError: if a layer is neither raster nor pointwise, or an output sees the value that it predicts.
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
        self._waits = {self.image: True}  # symbolic tensors that carry the image: does a value have to be known first?
        self._above = set()  # those that carry rows above alone
        nodes, output = nodes_in_order(model)
        for node in nodes:
            self._add(node)
        self.conditioning, self.conditioning_of_rows = _split_conditioning(self.conditioning)
        self.maps = self._maps_of_rows(model)
        self.output = id(output)
        if self._waits.get(self.output, True):
            raise ValueError(
                "the logits see the very value that they predict, or no image at all: the first layer needs "
                "mask_type='A'; pixel_zoo.check_causality tells which output sees what"
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
        """The node as it joins a list of `others`."""
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
                    f"layer {layer.name!r} sees its own row on both sides, so what it is applied to must depend on the "
                    "rows above alone: the first layer of a vertical stack needs mask_type='A'"
                )
        elif layer.colours != self.colours:
            raise ValueError(f"layer {layer.name!r} has colours={layer.colours}, but the image has {self.colours}")
        if id(bias) in self._waits:
            raise ValueError(
                f"bias= of layer {layer.name!r} depends on the image's own row; only conditioning and maps of the rows "
                "above may go there"
            )
        return id(x), None if bias is None else id(bias)

    def _check_pointwise(self, node, pixelwise):
        operation = node.operation
        if not _is_pointwise(node):
            raise ValueError(
                f"layer {operation.name!r} ({type(operation).__name__}) is neither a raster layer nor pointwise, "
                "so it cannot be run pixel by pixel"
            )
        if isinstance(operation, keras.layers.Concatenate):
            self._check_axis(node)
        if pixelwise:
            self._check_colours(node)

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
                f"{self.colours} colours, so that both halves of a gate have one colour: GatedConv2D sees to that"
            )
        if isinstance(node.operation, keras.layers.Concatenate) and any(width % self.colours for width in widths[:-1]):
            raise ValueError(
                f"layer {node.operation.name!r} concatenates maps of {widths} features; all but the last must be "
                f"multiples of the {self.colours} colours, so that every feature keeps its colour"
            )

    def _maps_of_rows(self, model):
        """What rows read of the conditioning and don't make themselves."""
        read = set(self.conditioning_maps()) | {
            id(tensor) for node in self.conditioning_of_rows for tensor in node.input_tensors
        }
        there = [tensor for tensor in model.inputs if id(tensor) != self.image]
        there += [tensor for node in self.conditioning for tensor in node.outputs]
        return [tensor for tensor in there if id(tensor) in read]

    def maps_beside_image(self):
        """Ids of the tensors known when a row is entered that are combined with the image's features, in order."""
        reads = [(node.input,) if node.raster is not None else node.reads for node in self.nodes]
        return _unique(tensor for read in reads for tensor in read if tensor not in self._waits)

    def conditioning_maps(self):
        """Ids of the conditioning tensors that nodes read, in order."""
        reads = [tensor for node in (*self.above, *self.nodes) for tensor in node.reads]
        return _unique(tensor for tensor in reads if tensor not in self._waits and tensor not in self._above)

    def maps_of_biases_alone(self):
        """Ids of the conditioning tensors that are biases of layers and nothing else."""
        nodes = (*self.above, *self.nodes)
        read = {tensor for node in nodes for tensor in ((node.input,) if node.raster is not None else node.reads)}
        return {node.bias for node in nodes} - read

    def maps_read_below(self):
        """Ids of the tensors which rows below read that depend on the rows above alone, in order."""
        return _unique(node.input for node in self.above if node.input in self._waits)


def run_pointwise(operation, args, kwargs):
    """Apply a pointwise operation to slices of its maps."""
    if isinstance(operation, _IDENTITY_LAYERS):
        return args[0]
    if isinstance(operation, keras.layers.Concatenate):
        return keras.ops.concatenate(args[0], axis=-1)
    return operation(*args, **kwargs)


def is_projection(operation):
    """Whether an operation is an unmasked 1x1 convolution."""
    return (
        isinstance(operation, keras.layers.Conv2D)
        and (*operation.kernel_size, *operation.strides, operation.groups) == (1, 1, 1, 1, 1)
        and operation.data_format == "channels_last"
    )


def _split_conditioning(nodes):
    """Conditioning nodes that run once in full, and those that may run row by row: nothing in full needs them."""
    in_full, of_rows, needed = [], [], set()
    for node in reversed(nodes):
        maps = all(len(tensor.shape) == 4 for tensor in [*node.input_tensors, *node.outputs])
        by_row = maps and (is_projection(node.operation) or _is_pointwise(node))
        if by_row and not needed.intersection(map(id, node.outputs)):
            of_rows.insert(0, node)
        else:
            in_full.insert(0, node)
            needed.update(map(id, node.input_tensors))
    return in_full, of_rows


def _is_pointwise(node):
    operation = node.operation
    known = isinstance(operation, _POINTWISE_LAYERS + _IDENTITY_LAYERS) or (
        type(operation).__module__.startswith("keras.") and type(operation).__name__ in _POINTWISE_OPERATIONS
    )
    constants = [arg for arg in keras.tree.flatten((node.arguments.args, node.arguments.kwargs)) if _is_array(arg)]
    return known and not constants


def _symbolic(arguments):
    flat = keras.tree.flatten((arguments.args, arguments.kwargs))
    return [arg for arg in flat if isinstance(arg, keras.KerasTensor)]


def _is_array(arg):
    constant = isinstance(arg, (keras.KerasTensor, numbers.Number, str, bool, type(None)))
    return not constant and getattr(arg, "shape", ()) != ()


def _unique(items):
    return list(dict.fromkeys(items))
