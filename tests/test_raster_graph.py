"""What a `PixelModel` may be made of: it is refused when it is built, or sampled as it is scored."""

import keras
import numpy as np
import pytest
from catalogue import image_input, scrambled
from keras import activations, layers, ops

import pixel_zoo as pz
from pixel_zoo.sampling.joined_projections import JoinedProjections
from pixel_zoo.sampling.raster_graph import RasterGraph
from pixel_zoo.sampling.walker import Walker

COLOURS = {"colours": 3}


def model_with(operation, colours=1, filters=6, levels=3, shape=(2, 3)):
    """A model whose features pass through an operation before the logits."""
    image, x = image_input(*shape, colours)
    x = operation(pz.layers.MaskedConv2D(filters, 3, "A", colours=colours)(x))
    return pz.models.PixelModel(image, pz.layers.Logits(levels, colours=colours)(x))


def check_samples_are_scored_alike(model):
    """What the walker sums up while it draws is the log-likelihood that the whole graph gives."""
    scrambled(model)
    images, nats = model.generate(3, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(images), rtol=1e-4, atol=1e-5)


class Swish(layers.Layer):
    """A pointwise layer of a user."""

    def call(self, x):
        return x * ops.sigmoid(x)


class MeanOfFeatures(layers.Layer):
    def call(self, x):
        return x - ops.mean(x, axis=-1, keepdims=True)


class Scale(layers.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return self.scale * x


POINTWISE = {
    "a layer of a user": Swish(),
    "an activation by name": layers.Activation("hard_tanh"),
    "an activation that is a function": layers.Activation(lambda x: ops.sin(x) * x),
    "keras.ops": lambda x: ops.erf(ops.sinh(x)) + ops.where(x > 0, ops.floor(x), ops.cos(x)),
    "two maps": lambda x: ops.logaddexp(x, 2 * x) - ops.arctan2(x, x + 1),
    "a layer without weights": layers.LeakyReLU(),
    "dropout": layers.SpatialDropout2D(0.5),
    "a dtype": lambda x: ops.cast(ops.isfinite(x) & (x > 0), "float32"),
}


@pytest.mark.parametrize("operation", POINTWISE.values(), ids=POINTWISE)
def test_a_pointwise_operation_is_accepted(operation):
    model_with(operation, **COLOURS)


def test_pointwise_operations_are_sampled_as_they_are_scored():
    check_samples_are_scored_alike(
        model_with(lambda x: sum((operation(x) for operation in POINTWISE.values()), start=x), **COLOURS)
    )


MIXES_FEATURES = {
    "softmax by name": layers.Activation("softmax"),
    "log_softmax by name": layers.Activation("log_softmax"),
    "glu": activations.glu,
    "the Softmax layer": layers.Softmax(),
    "softmax as an operation": ops.softmax,
    "a function of a user": layers.Activation(lambda x: x - ops.max(x, axis=-1, keepdims=True)),
    "a layer of a user": MeanOfFeatures(),
    "sums of features": lambda x: ops.cumsum(x, axis=-1),
    "features in another order": lambda x: ops.flip(x, axis=-1),
}


@pytest.mark.parametrize("operation", MIXES_FEATURES.values(), ids=MIXES_FEATURES)
def test_an_operation_that_mixes_colours_is_refused(operation):
    with pytest.raises(ValueError, match="is neither a raster layer nor pointwise: it mixes pixels, or mixes colours"):
        model_with(operation, filters=8, **COLOURS)


def test_features_of_one_colour_may_be_mixed():
    """Gray images have one colour; in a vertical stack no colour is hidden."""

    def activation(x):
        return ops.softmax(activations.glu(x))

    check_samples_are_scored_alike(model_with(activation))
    image, x = image_input(3, 2, 3)
    above = activation(pz.layers.VerticalConv2D(6, 3, "A")(x))
    above = pz.layers.VerticalConv2D(4, 1, "B")(above)
    x = pz.layers.MaskedConv2D(4, 3, "A", colours=3)(x, bias=above)
    check_samples_are_scored_alike(pz.models.PixelModel(image, pz.layers.Logits(2, colours=3)(x)))


def test_logits_may_be_mixed_within_a_value():
    """`log_softmax` of logits mixes the levels of one value alone."""
    image, x = image_input(2, 2, 3)
    x = pz.layers.Logits(4, colours=3)(pz.layers.MaskedConv2D(6, 3, "A", colours=3)(x))
    check_samples_are_scored_alike(pz.models.PixelModel(image, ops.log_softmax(x / 2.0)))


REFUSED = {
    "conv": (
        layers.Conv2D(5, 3, padding="same", name="plain"),
        r"layer 'plain' \(Conv2D\) .*pixels that come later.*MaskedConv2D\(5, 3, 'B', colours=3\), with mask 'A' in",
    ),
    "1x1 conv": (layers.Conv2D(5, 1, name="plain"), r"'plain' .*use pixel_zoo.layers.MaskedConv2D\(5, 1, 'B', col"),
    "dense": (layers.Dense(5, name="plain"), r"'plain' \(Dense\).*use pixel_zoo.layers.MaskedConv2D\(5, 1, 'B', col"),
    "batch normalization": (layers.BatchNormalization(name="plain"), r"'plain' \(BatchNorm.* leave it out"),
    "layer normalization": (layers.LayerNormalization(name="plain"), r"'plain' \(LayerNorm.* leave it out"),
    "a layer with weights": (Scale(name="plain"), r"'plain' \(Scale\).* it has weights; derive it from .*RasterLayer"),
    "pooling": (layers.MaxPooling2D(2, 1, "same", name="plain"), r"'plain' \(MaxPooling2D\).*it mixes pixels"),
    "a model": (
        lambda x: keras.Sequential([layers.ReLU()], name="plain")(x),
        r"'plain' \(Sequential\).*apply its layers one by one",
    ),
    "pixels to the right": (lambda x: ops.roll(x, -1, axis=2), "it mixes pixels"),
    "the whole image": (lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True), "it mixes pixels"),
    "dropout that never ends": (lambda x: layers.Dropout(0.5, name="plain")(x, training=True), "'plain' .*neither"),
    "a split": (lambda x: ops.split(x, 2, axis=-1)[1], r"\(Split\) is neither"),
    "a gate of two colours": (
        pz.layers.GatedActivation(name="plain"),
        "'plain' halves 8 features; a half must be a multiple of the 3 colours",
    ),
    "a concatenation": (
        lambda x: layers.Concatenate(name="plain")([x, layers.ReLU()(x)]),
        r"'plain' concatenates maps of \[8, 8\] features",
    ),
    "one feature beside many": (lambda x: x * ops.mean(x, axis=-1, keepdims=True), "is neither a raster layer nor"),
    "a scale for each colour": (
        lambda x: layers.Rescaling(np.arange(8.0).tolist())(x),
        "is neither a raster layer nor",
    ),
}


@pytest.mark.parametrize(("operation", "message"), REFUSED.values(), ids=REFUSED)
def test_a_layer_that_cannot_be_sampled_is_refused_by_name_when_the_model_is_built(operation, message):
    with pytest.raises(ValueError, match=message):
        model_with(operation, filters=8, **COLOURS)


def test_a_model_without_mask_a_is_refused():
    image, x = image_input(4, 4, 1)
    x = pz.layers.MaskedConv2D(3, 3, "B")(x)
    with pytest.raises(ValueError, match=r"mask_type='A'.*check_causality"):
        pz.models.PixelModel(image, pz.layers.Logits(2)(x))


def test_an_output_that_is_not_logits_is_refused():
    image, x = image_input(4, 4, 1)
    with pytest.raises(ValueError, match=r"logits of shape \(4, 4, 1\).*got \(4, 4, 5\): end with .*Logits"):
        pz.models.PixelModel(image, pz.layers.MaskedConv2D(5, 3, "A")(x))


def test_a_vertical_stack_without_mask_a_is_refused():
    image, x = image_input(4, 4, 1)
    above = pz.layers.VerticalConv2D(4, 3, "B", name="open")(x)
    logits = pz.layers.Logits(2)(pz.layers.GatedConv2D(2, 3, "A")(x, bias=above))
    with pytest.raises(ValueError, match=r"layer 'open' sees its own row on both sides.*mask_type='A'"):
        pz.models.PixelModel(image, logits)
    with pytest.raises(pz.CausalityError, match="sees"):
        pz.check_causality(scrambled(keras.Model(image, logits)))


def test_a_bias_of_the_own_row_is_refused():
    image, x = image_input(4, 4, 1)
    x = pz.layers.MaskedConv2D(4, 3, "A", name="first")(x)
    x = pz.layers.MaskedConv2D(4, 1, "B", name="second")(x, bias=x)
    with pytest.raises(ValueError, match="bias= of layer 'second' depends on the image's own row"):
        pz.models.PixelModel(image, pz.layers.Logits(2)(x))


@pytest.mark.parametrize("colours", [1, 3])
def test_sums_of_1x1_convolutions_are_sampled_as_they_are_scored(colours):
    """With and without biases and further terms, of different widths, of maps that are read elsewhere too."""

    def operation(x):
        def conv(x, **kwargs):
            return pz.layers.MaskedConv2D(6, 1, "B", colours=colours, **kwargs)(x)

        narrow = pz.layers.MaskedConv2D(3, 3, "B", colours=colours)(x)
        read_twice = conv(x)
        alone = layers.Add()([conv(x), conv(narrow, use_bias=False), conv(layers.ReLU()(read_twice))])
        with_others = layers.Add()([conv(narrow), x, conv(alone), read_twice])
        return layers.Add()([with_others, conv(with_others)])

    model = model_with(operation, colours)
    check_samples_are_scored_alike(model)
    joined = [node.operation for node in RasterGraph(model).nodes if type(node.operation) is JoinedProjections]
    assert [len(layer.parts) for layer in joined] == [3, 2]


def inputs_of_loops(num_blocks, image_shape):
    """How many tensors the largest loop of a model's walk passes on: along a wavefront, or over rows and pixels."""
    import tensorflow as tf

    walker = Walker(pz.models.PixelCNN(image_shape, filters=16, num_blocks=num_blocks, head_filters=16))
    options = pz.sampling.Sampler().options(10)
    walk = tf.function(lambda noise: walker(noise, options), autograph=False)
    graph = walk.get_concrete_function(tf.zeros((10, *image_shape))).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return max(len(node.input) for node in nodes if node.op in ("While", "StatelessWhile"))


@pytest.mark.parametrize(("image_shape", "more"), [((12, 24, 1), 0), ((2, 3, 1), 4)], ids=["wavefront", "rows"])
def test_a_loop_passes_on_no_more_than_a_state_for_each_block(image_shape, more):
    deep, shallow = (inputs_of_loops(num_blocks, image_shape) for num_blocks in (6, 2))
    assert deep - shallow <= more
