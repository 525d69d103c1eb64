"""The raster layers against the paper: their numbers, what they see, and both ways of computing them.

Three checks define the requirements of a layer. Each runs over every layer; at the end, each must catch layers broken
on purpose.
"""

import json

import keras
import numpy as np
import pytest
import reference
from backends import fewer_on_jax, tensorflow_alone
from catalogue import LAYERS, LayerEntry
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from keras import ops
from keras.src import testing

from pixel_zoo import layers
from pixel_zoo.layers.copying_logits import CopyingLogits
from pixel_zoo.layers.diagonal_bilstm import DiagonalBiLSTM
from pixel_zoo.layers.gated_activation import GatedActivation
from pixel_zoo.layers.gated_conv2d import GatedConv2D
from pixel_zoo.layers.logits import Logits
from pixel_zoo.layers.masked_conv2d import MaskedConv2D
from pixel_zoo.layers.position_embedding import PositionEmbedding
from pixel_zoo.layers.row_lstm import RowLSTM
from pixel_zoo.layers.value_embedding import ValueEmbedding
from pixel_zoo.layers.vertical_conv2d import VerticalConv2D

every_layer = pytest.mark.parametrize("entry", LAYERS, ids=str)
ONE_OF_EACH_CLASS = {  # that of most colours
    e.layer_class: e for e in sorted(reversed(LAYERS), key=lambda e: e.arguments.get("colours", 1))
}.values()
one_of_each_class = pytest.mark.parametrize("entry", ONE_OF_EACH_CLASS, ids=str)
every_class = pytest.mark.parametrize(
    "layer_class",
    [MaskedConv2D, GatedConv2D, VerticalConv2D, RowLSTM, DiagonalBiLSTM, Logits, CopyingLogits],
    ids=lambda layer_class: layer_class.__name__,
)
ON_JAX = keras.backend.backend() == "jax"
few_examples = settings(
    max_examples=1 if ON_JAX else 8,  # each new shape costs JAX a second of compiling
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # the shapes are tiny: a failure needs no shrinking
)


@pytest.fixture(scope="module", autouse=True)
def float64_on_jax():
    """The checks compare in float64; JAX, and Keras on it, make float32 of that unless told otherwise."""
    if not ON_JAX:
        yield
        return
    import jax

    # Without optimisations it compiles several times faster, and here everything is run once.
    wanted = {"jax_enable_x64": True, "jax_disable_most_optimizations": True}
    before = {name: jax.config.read(name) for name in wanted}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops, "tanh", jax.numpy.tanh)
        for name, value in wanted.items():
            jax.config.update(name, value)
        yield
    for name, value in before.items():
        jax.config.update(name, value)


# ----- What the checks share


def build(layer, input_features, seed=0):
    """Build a layer and give every weight random numbers, biases and initial states too."""
    if not layer.built:
        layer.build((None, None, None, input_features))
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(rng.normal(0.0, 0.8, weight.shape))
    return layer


def random_map(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


def random_bias(layer, *extent):
    """A conditioning map that `bias=` takes: with the features it is added to, or values of which some are known."""
    if isinstance(layer, CopyingLogits):
        known = np.random.default_rng(2).integers(-1, layer.levels, (*extent, layer.colours))
        return known.astype("float64")
    return random_map(*extent, getattr(layer, "input_to_state", layer).filters, seed=2)


def as_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float64"))


def output_map(layer, x, bias=None):
    """All positions at once, (batch, height, width, features): logits have their colours and levels side by side."""
    y = as_numpy(layer(x, **{layer.map_argument: bias}))
    return y.reshape(*y.shape[:3], -1)


def output_colour(layer, feature):
    """The colour of an output feature. Logits are ordered colour by colour; all other features are assigned in turn."""
    if isinstance(layer, Logits):
        logits_per_value = 1 if layer.levels == 2 else layer.levels
        return feature // logits_per_value
    return feature % layer.colours


# ----- Check 1: the numbers are those of the paper's equations


def reference_output(layer, x, bias):
    """One image by `tests/reference.py`, with the layer's weights."""
    weights = {weight.path.split("/", 1)[-1]: as_numpy(weight) for weight in layer.weights}
    if isinstance(layer, CopyingLogits):
        y = reference.logits(x, weights["kernel"], weights["bias"], layer.colours, layer.levels)
        return (y if bias is None else reference.copied(y, bias)).reshape(*y.shape[:2], -1)
    if isinstance(layer, Logits):
        y = reference.logits(x, weights["kernel"], weights["bias"], layer.colours, layer.levels, bias=bias)
        return y.reshape(*y.shape[:2], -1)
    if isinstance(layer, VerticalConv2D):
        return reference.vertical_conv2d(x, weights["kernel"], weights.get("bias"), layer.mask_type, bias=bias)
    if isinstance(layer, MaskedConv2D):
        convolution = reference.gated_conv2d if isinstance(layer, GatedConv2D) else reference.masked_conv2d
        return convolution(x, weights["kernel"], weights.get("bias"), layer.mask_type, layer.colours, bias=bias)
    recurrent_layer = reference.row_lstm if isinstance(layer, RowLSTM) else reference.diagonal_bilstm
    return recurrent_layer(
        x,
        weights["input_to_state/kernel"],
        weights["input_to_state/bias"],
        weights["recurrent_kernel"],
        weights["initial_h"],
        weights["initial_c"],
        layer.colours,
        bias=bias,
    )


def check_equals_reference(layer, x, bias=None):
    maps = [None] * len(x) if bias is None else np.broadcast_to(bias, (*x.shape[:3], bias.shape[-1]))
    expected = np.stack([reference_output(layer, image, map) for image, map in zip(x, maps, strict=True)])
    np.testing.assert_allclose(output_map(layer, x, bias), expected, rtol=0, atol=1e-10)


# ----- Check 2: an output sees what the paper says, no more and no less


def conv_sees(layer, colour, down, right, in_colour):
    """The window of the kernel, cut by the mask."""
    rows_above, columns_beside = layer.kernel_size[0] // 2, layer.kernel_size[1] // 2
    if down == 0 and right == 0:
        return in_colour < colour if layer.mask_type == "A" else in_colour <= colour
    if down == 0:
        return -columns_beside <= right < 0
    return -rows_above <= down < 0 and -columns_beside <= right <= columns_beside


def vertical_conv_sees(layer, colour, down, right, in_colour):
    """The window of the kernel, cut below the own row, or under mask A above it."""
    rows_above, columns_beside = layer.kernel_size[0] // 2, layer.kernel_size[1] // 2
    return -rows_above <= down <= (-1 if layer.mask_type == "A" else 0) and abs(right) <= columns_beside


def row_lstm_sees(layer, colour, down, right, in_colour):
    """A triangle: each row up, the state-to-state convolution reaches one half-width further to both sides.

    The input-to-state convolution, masked, reaches one half-width more, but only to the left.
    """
    half_width = layer.kernel_size // 2
    if down == 0 and right == 0:
        return in_colour <= colour
    if down == 0:
        return -half_width <= right < 0
    rows_up = -down
    return rows_up > 0 and -(rows_up + 1) * half_width <= right <= rows_up * half_width


def diagonal_bilstm_sees(layer, colour, down, right, in_colour):
    """Everything before, in raster order."""
    if down == 0 and right == 0:
        return in_colour <= colour
    return down < 0 or (down == 0 and right < 0)


def logits_see(layer, colour, down, right, in_colour):
    """The pixel itself."""
    return down == 0 and right == 0 and in_colour <= colour


SEES = {
    MaskedConv2D: conv_sees,
    VerticalConv2D: vertical_conv_sees,
    RowLSTM: row_lstm_sees,
    DiagonalBiLSTM: diagonal_bilstm_sees,
    Logits: logits_see,
    CopyingLogits: logits_see,
}


def check_sees_exactly(layer, input_features, height=4, width=6):
    """Change every input value in turn: of all output values, those change of which the paper says that they see it."""
    sees = next(SEES[c] for c in type(layer).__mro__ if c in SEES)
    shape = (height, width, input_features)
    image = random_map(1, *shape)
    changed_images = image + 3.0 * np.eye(image.size).reshape(-1, *shape)
    outputs = output_map(layer, np.concatenate([image, changed_images]))
    changes = abs(outputs[1:] - outputs[0]) > 1e-11  # in float64, far above rounding and far below any real influence

    for changed_input, (r, c, k) in zip(changes, np.ndindex(shape), strict=True):
        for (i, j, n), changed in np.ndenumerate(changed_input):
            expected = sees(layer, output_colour(layer, n), r - i, c - j, k % layer.colours)
            assert changed == expected, (
                f"{layer.name}: output feature {n} of pixel ({i}, {j}) {'sees' if changed else 'does not see'} "
                f"input feature {k} of pixel ({r}, {c})"
            )


# ----- Check 3: row by row, pixel by pixel, colour by colour equals all at once


def sorted_by_colour(x, colours):
    return np.take(x, np.argsort(np.arange(x.shape[-1]) % colours, kind="stable"), axis=-1)


def split_by_colour(features, colours):
    """Features sorted by colour, (batch, features) -> a list with one group per colour."""
    widths = np.bincount(np.arange(features.shape[-1]) % colours)
    return [features[:, end - width : end] for width, end in zip(widths, np.cumsum(widths), strict=True)]


def stack_structures(structures):
    return keras.tree.map_structure(lambda *tensors: ops.stack(tensors), *structures)


def take_structure(structure, index):
    return keras.tree.map_structure(lambda tensor: tensor[index], structure)


def pixel_by_pixel(layer, weights, context, x):
    """The contract of `RasterLayer` for one row (width, batch, c_in); a step is given only the inputs known by then."""
    outputs_of_row, records = [], []
    memory = layer.initial_memory(weights, x.shape[1])
    for column in range(len(x)):
        inputs = split_by_colour(x[column], layer.colours)
        base = layer.enter_pixel(weights, take_structure(context, column), memory)
        outputs = []
        for colour in range(layer.colours):
            known = inputs[: colour + 1] if layer.sees_itself else inputs[:colour]
            outputs.append(layer.step(weights, base, known, colour))
        memory, record = layer.leave_pixel(weights, memory, inputs, outputs)
        outputs_of_row.append(ops.concatenate([output[0] for output in outputs], axis=-1))
        records.append(record)
    return ops.stack(outputs_of_row), stack_structures(records)


def row_by_row(layer, x, bias, whole_rows):
    """The contract of `RasterLayer`: rows in `whole_rows` by `row`, all others pixel by pixel if the layer has steps.

    Returns:
        (batch, height, width, features), features sorted by colour.
    """
    batch, height, width, _ = x.shape
    x = sorted_by_colour(x.transpose(1, 2, 0, 3), layer.colours).astype(layer.compute_dtype)
    bias_rows = None
    if bias is not None:
        bias = np.broadcast_to(bias, (batch, height, width, bias.shape[-1])).transpose(1, 2, 0, 3)
        bias_rows = layer.prepare_bias(ops.convert_to_tensor(bias, layer.compute_dtype))

    weights = layer.prepare()
    state = layer.initial_state(weights, batch, width)
    rows, records = [], []
    for i in range(height):
        bias_row = None if bias is None else take_structure(bias_rows, i)
        context = layer.enter_row(weights, state, bias_row)
        if layer.reach is not None:
            check_windows_equal_row(layer, weights, context, bias_row, records, (width, batch))
        whole = layer.of_rows_above or i in whole_rows
        compute_row = layer.row if whole else lambda *args: pixel_by_pixel(layer, *args)
        y, record = compute_row(weights, context, ops.convert_to_tensor(x[i]))
        state = layer.leave_row(weights, state, context, record)
        rows.append(y)
        records.append(record)
    return as_numpy(ops.stack(rows)).transpose(2, 0, 1, 3)


def check_windows_equal_row(layer, weights, context, bias, records, shape):
    """`enter_window` of every column, given what the rows above left there, is what `enter_row` returned for it."""
    (width, batch), (rows, reach) = shape, layer.reach
    above = keras.tree.map_structure(
        lambda x: ops.broadcast_to(x, (width, *x.shape)), layer.initial_record(weights, batch)
    )
    for column in range(width):

        def window(row, column=column):
            padded = ops.pad(row, [[reach, reach], *[[0, 0]] * (len(row.shape) - 1)])
            return padded[column : column + 2 * reach + 1]

        state = layer.initial_state(weights, batch, 2 * reach + 1 if rows else 1)
        for record in [*[above] * rows, *records][-rows:] if rows else []:
            state = layer.leave_row(weights, state, [], keras.tree.map_structure(window, record))
        entered = layer.enter_window(weights, state, None if bias is None else take_structure(bias, column))
        keras.tree.assert_same_structure(entered, context)
        for x, y in zip(keras.tree.flatten(entered), keras.tree.flatten(context), strict=True):
            np.testing.assert_allclose(as_numpy(x), as_numpy(y[column]), rtol=0, atol=1e-10)


def check_row_by_row_equals_call(layer, x, bias=None, whole_rows=(), tolerance=1e-10):
    expected = output_map(layer, x, bias)
    by_colour = sorted(range(expected.shape[-1]), key=lambda n: output_colour(layer, n))  # stable
    stepped = row_by_row(layer, x, bias, whole_rows)
    np.testing.assert_allclose(stepped, expected[..., by_colour], rtol=0, atol=tolerance)


def passed_on(layer, x):
    """What `leave_row` takes, after row 0 of the images x."""
    weights = layer.prepare()
    state = layer.initial_state(weights, x.shape[0], x.shape[2])
    context = layer.enter_row(weights, state)
    rows = sorted_by_colour(x.transpose(1, 2, 0, 3), layer.colours).astype(layer.compute_dtype)
    return weights, state, context, layer.row(weights, context, ops.convert_to_tensor(rows[0]))[1]


# ----- Every layer passes the checks


def test_the_catalogue_names_every_layer():
    public = {getattr(layers, name) for name in layers.__all__}
    raster = {layer for layer in public if issubclass(layer, layers.RasterLayer)} - {layers.RasterLayer}
    assert raster == {entry.layer_class for entry in LAYERS}


odd = st.sampled_from([1, 3, 5])


@st.composite
def arguments_of(draw, layer_class, colours):
    if layer_class is MaskedConv2D:
        return {
            "filters": draw(st.integers(colours, 5)),
            "kernel_size": (draw(odd), draw(odd)),
            "mask_type": draw(st.sampled_from("AB")),
            "use_bias": draw(st.booleans()),
        }
    if layer_class is GatedConv2D:
        return {
            "units": draw(st.integers(colours, 5)),
            "kernel_size": (draw(odd), draw(odd)),
            "mask_type": draw(st.sampled_from("AB")),
        }
    if layer_class is VerticalConv2D:
        size, mask_type = draw(st.sampled_from([(1, "B"), (3, "A"), (3, "B"), (5, "A"), (5, "B")]))
        return {"filters": draw(st.integers(1, 5)), "kernel_size": (size, draw(odd)), "mask_type": mask_type}
    if layer_class is RowLSTM:
        return {"units": draw(st.integers(colours, 5)), "kernel_size": draw(odd)}
    if layer_class is DiagonalBiLSTM:
        return {"units": draw(st.integers(colours, 5))}
    return {"levels": draw(st.integers(2, 4))}


@st.composite
def trials(draw, layer_class):
    """A layer's arguments, the shape of its input, the extent of a conditioning map or None, and a seed."""
    colours = 1 if layer_class is VerticalConv2D else draw(st.integers(1, 4))
    arguments = draw(arguments_of(layer_class, colours)) | ({"colours": colours} if colours > 1 else {})
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    input_shape = (2, height, width, draw(st.integers(colours, 5)))
    bias_extent = draw(st.sampled_from([None, (2, height, width), (2, 1, 1), (1, height, width)]))
    return arguments, input_shape, bias_extent, draw(st.integers(0, 99))


def layer_and_maps(layer_class, trial):
    """The layer of a trial with random weights, its input, and its conditioning map or None."""
    arguments, input_shape, bias_extent, seed = trial
    layer = build(layer_class(dtype="float64", **arguments), input_shape[-1], seed)
    bias = None if bias_extent is None else random_bias(layer, *bias_extent)
    return layer, random_map(*input_shape), bias


@every_class
@few_examples
@given(data=st.data())
def test_equals_the_reference(layer_class, data):
    check_equals_reference(*layer_and_maps(layer_class, data.draw(trials(layer_class))))


@tensorflow_alone
@pytest.mark.parametrize(
    ("layer_class", "arguments"), [(MaskedConv2D, {"filters": 2, "mask_type": "A"}), (RowLSTM, {"units": 2})]
)
@pytest.mark.parametrize("width", [1, 2])
def test_a_kernel_may_be_wider_than_the_map(layer_class, arguments, width):
    layer = build(layer_class(kernel_size=7, dtype="float64", **arguments), 2)
    check_equals_reference(layer, random_map(2, 3, width, 2))
    check_row_by_row_equals_call(layer, random_map(2, 3, width, 2), whole_rows=(1,))


@tensorflow_alone
@one_of_each_class
def test_a_conditioning_map_broadcasts(entry):
    """`bias` may leave out what it does not depend on: images, rows, columns."""
    layer = build(entry.make(dtype="float64"), entry.input_features)
    x = random_map(2, 3, 4, entry.input_features)
    for extent in [(1, 3, 4), (2, 3, 1), (1, 1, 4), ()]:
        check_equals_reference(layer, x, random_bias(layer, *extent))


@pytest.mark.parametrize("entry", fewer_on_jax(LAYERS, ONE_OF_EACH_CLASS), ids=str)
def test_sees_exactly_what_the_paper_says(entry):
    check_sees_exactly(build(entry.make(dtype="float64"), entry.input_features), entry.input_features)


@tensorflow_alone
@pytest.mark.parametrize(
    ("entry", "with_bias"),
    [
        pytest.param(entry, with_bias, marks=[pytest.mark.slow] * (not with_bias and entry not in ONE_OF_EACH_CLASS))
        for entry in LAYERS
        for with_bias in (False, True)
    ],
    ids=str,
)
def test_row_by_row_equals_all_at_once(entry, with_bias):
    """Each way follows each way: two rows pixel by pixel, two as a whole, one pixel by pixel.

    On JAX, `test_fast_equals_slow_to_the_integer` shows it of whole models.
    """
    layer = build(entry.make(dtype="float64"), entry.input_features)
    bias = random_bias(layer, 2, 5, 4) if with_bias else None
    check_row_by_row_equals_call(layer, random_map(2, 5, 4, entry.input_features), bias, whole_rows=(2, 3))


@tensorflow_alone
@every_class
@few_examples
@given(data=st.data())
def test_row_by_row_equals_all_at_once_for_any_shape(layer_class, data):
    layer_and_its_maps = layer_and_maps(layer_class, data.draw(trials(layer_class)))
    check_row_by_row_equals_call(*layer_and_its_maps, whole_rows=data.draw(st.sets(st.integers(0, 3))))


# ----- Layers as Keras objects


@tensorflow_alone
@every_layer
def test_configuration_round_trip(entry):
    layer = build(entry.make(name="named"), entry.input_features)
    stored = json.dumps(keras.saving.serialize_keras_object(layer))
    for twin in (
        keras.saving.deserialize_keras_object(json.loads(stored)),
        type(layer).from_config(layer.get_config()),
    ):
        assert type(twin) is type(layer)
        assert twin.get_config() == layer.get_config()
        twin = build(twin, entry.input_features)
        assert [(w.path, w.shape) for w in twin.weights] == [(w.path, w.shape) for w in layer.weights]


@tensorflow_alone
@every_layer
def test_configuration_holds_every_argument(entry):
    config = entry.make().get_config()
    for name, value in entry.arguments.items():
        pair = (value, value) if name == "kernel_size" and issubclass(entry.layer_class, MaskedConv2D) else value
        assert config[name] in (value, pair), name


@tensorflow_alone
@every_layer
def test_output_shape_is_known_before_there_is_data(entry):
    inputs = keras.Input((3, 4, entry.input_features))
    model = keras.Model(inputs, entry.make()(inputs))
    y = model(random_map(2, 3, 4, entry.input_features))
    assert model.output_shape == (None, *y.shape[1:])
    assert y.shape[0] == 2


@tensorflow_alone  # Keras on JAX has no float64: its tanh gives float32; mixed precision is in Keras's own battery
@every_layer
@pytest.mark.parametrize(
    ("policy", "output_dtype", "weight_dtype"),
    [
        (None, "float32", "float32"),
        ("mixed_bfloat16", "bfloat16", "float32"),
        ("float64", "float64", "float64"),
    ],
)
def test_dtype_policy(entry, policy, output_dtype, weight_dtype):
    layer = build(entry.make(dtype=policy), entry.input_features)
    assert keras.backend.standardize_dtype(layer(random_map(2, 3, 2, entry.input_features)).dtype) == output_dtype
    assert {weight.dtype for weight in layer.weights} == {weight_dtype}


@tensorflow_alone
@one_of_each_class
def test_row_by_row_equals_all_at_once_in_mixed_precision(entry):
    layer = build(entry.make(dtype="mixed_bfloat16"), entry.input_features)
    bias = random_bias(layer, 1, 3, 2)
    check_row_by_row_equals_call(layer, random_map(2, 3, 2, entry.input_features), bias, (1,), tolerance=0.2)


@tensorflow_alone
@pytest.mark.parametrize(
    ("layer_class", "arguments", "named", "got"),
    [
        (MaskedConv2D, {"filters": 0, "kernel_size": 3, "mask_type": "B"}, "filters", "0"),
        (MaskedConv2D, {"filters": 2.5, "kernel_size": 3, "mask_type": "B"}, "filters", "2.5"),
        (MaskedConv2D, {"filters": 2, "kernel_size": 3, "mask_type": "B", "colours": 3}, "filters", "2"),
        (MaskedConv2D, {"filters": 4, "kernel_size": 4, "mask_type": "B"}, "kernel_size", "4"),
        (MaskedConv2D, {"filters": 4, "kernel_size": (3, 2), "mask_type": "B"}, "kernel_size", "2"),
        (MaskedConv2D, {"filters": 4, "kernel_size": (3, 3, 3), "mask_type": "B"}, "kernel_size", "(3, 3, 3)"),
        (MaskedConv2D, {"filters": 4, "kernel_size": -1, "mask_type": "B"}, "kernel_size", "-1"),
        (MaskedConv2D, {"filters": 4, "kernel_size": "3", "mask_type": "B"}, "kernel_size", "'3'"),
        (MaskedConv2D, {"filters": 4, "kernel_size": 3, "mask_type": "C"}, "mask_type", "'C'"),
        (MaskedConv2D, {"filters": 4, "kernel_size": 3, "mask_type": None}, "mask_type", "None"),
        (MaskedConv2D, {"filters": 4, "kernel_size": 3, "mask_type": "B", "colours": 0}, "colours", "0"),
        (GatedConv2D, {"units": 0, "kernel_size": 3, "mask_type": "B"}, "units", "0"),
        (GatedConv2D, {"units": 2, "kernel_size": 3, "mask_type": "B", "colours": 3}, "units", "2"),
        (VerticalConv2D, {"filters": 2, "kernel_size": 2, "mask_type": "B"}, "kernel_size", "2"),
        (VerticalConv2D, {"filters": 2, "kernel_size": (1, 3), "mask_type": "A"}, "kernel_size", "(1, 3)"),
        (RowLSTM, {"units": 0}, "units", "0"),
        (RowLSTM, {"units": True}, "units", "True"),
        (RowLSTM, {"units": 2, "colours": 3}, "units", "2"),
        (RowLSTM, {"units": 4, "colours": -1}, "colours", "-1"),
        (RowLSTM, {"units": 4, "kernel_size": 2}, "kernel_size", "2"),
        (RowLSTM, {"units": 4, "kernel_size": (1, 3)}, "kernel_size", "(1, 3)"),
        (DiagonalBiLSTM, {"units": -4}, "units", "-4"),
        (DiagonalBiLSTM, {"units": 2, "colours": 3}, "units", "2"),
        (DiagonalBiLSTM, {"units": 4, "colours": 1.5}, "colours", "1.5"),
        (Logits, {"levels": 1}, "levels", "1"),
        (Logits, {"levels": "256"}, "levels", "'256'"),
        (Logits, {"levels": 256, "colours": 0}, "colours", "0"),
        (PositionEmbedding, {"features": 0}, "features", "0"),
        (ValueEmbedding, {"levels": 0, "embedding_dim": 2}, "levels", "0"),
        (ValueEmbedding, {"levels": 3, "embedding_dim": 1.5}, "embedding_dim", "1.5"),
        (ValueEmbedding, {"levels": 3, "embedding_dim": 2, "colours": 0}, "colours", "0"),
    ],
)
def test_a_bad_argument_is_named(layer_class, arguments, named, got):
    with pytest.raises(ValueError) as error:
        layer_class(**arguments)
    message = str(error.value)
    assert named in message and f"got {got}" in message and "\n" not in message


@tensorflow_alone
@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, 4, 3, 1), "axis 1"), ((2, 3, 4), "batch, height"), ((None, None, 3, 1), "static height and width")],
    ids=str,
)
def test_a_position_embedding_refuses_another_size(shape, message):
    layer = PositionEmbedding(2)
    if message == "axis 1":
        layer(np.zeros((2, 3, 3, 1), "float32"))
    with pytest.raises(ValueError, match=message):
        layer(keras.KerasTensor(shape))


@tensorflow_alone
@every_layer
@pytest.mark.parametrize("shape", [(3, 4), (5, 3, 4), (2, 1, 5, 3, 4)], ids=str)
def test_an_input_of_the_wrong_rank_is_refused(entry, shape):
    with pytest.raises(ValueError, match=r"\(batch, height, width, channels\)") as error:
        entry.make()(np.zeros(shape, "float32"))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("entry", [entry for entry in LAYERS if entry.arguments.get("colours", 1) > 1], ids=str)
def test_an_input_with_fewer_features_than_colours_is_refused(entry):
    with pytest.raises(ValueError, match=f"colours={entry.arguments['colours']}.* got 1"):
        entry.make()(np.zeros((2, 3, 4, 1), "float32"))


def test_an_odd_number_of_features_cannot_be_gated():
    with pytest.raises(ValueError, match="'odd' halves its features, so their number must be even, got 3"):
        GatedActivation(name="odd")(np.zeros((1, 2, 2, 3), "float32"))


# ----- Keras's own battery: configuration, shapes, dtypes, serialisation, training, mixed precision

NOT_RASTER = [
    LayerEntry(layers.GatedActivation, {}, 4),
    LayerEntry(layers.PositionEmbedding, {"features": 3}, 2),
]


OF_SEVERAL_MAPS = LayerEntry(layers.MixtureLogits, {"levels": 3, "weights": (1.0, 2.0)}, 3)
OF_INTEGERS = LayerEntry(ValueEmbedding, {"levels": 4, "embedding_dim": 2, "colours": 3}, 3)
BATTERY = [*ONE_OF_EACH_CLASS, *NOT_RASTER, OF_SEVERAL_MAPS, OF_INTEGERS]


@pytest.mark.parametrize(
    "entry",
    [pytest.param(e, marks=[pytest.mark.slow_on_jax] * (e.layer_class in (RowLSTM, DiagonalBiLSTM))) for e in BATTERY],
    ids=str,
)
def test_keras_own_battery(entry):
    shape = (2, 3, 4, entry.input_features)
    if entry is OF_SEVERAL_MAPS:
        shape = [(2, 3, 4, 1, 3)] * 2
    layer = entry.make()
    layer.build(shape)
    testing.TestCase().run_layer_test(
        entry.layer_class,
        init_kwargs=entry.arguments,
        input_shape=shape,
        input_dtype="int32" if entry is OF_INTEGERS else None,
        expected_num_seed_generators=0,
        expected_num_losses=0,
        supports_masking=False,
        assert_built_after_instantiation=False,
        expected_num_trainable_weights=len(layer.weights),
        # On TensorFlow, the battery cannot train on lists; without weights there is nothing to train. Nor on integers.
        run_training_check=entry not in (OF_SEVERAL_MAPS, OF_INTEGERS),
    )


def test_the_battery_is_of_every_public_layer():
    public = {getattr(layers, name) for name in layers.__all__} - {layers.RasterLayer}
    assert {entry.layer_class for entry in BATTERY} == public


# ----- Layers broken on purpose: each check must be able to fail


class OneTapTooMany(MaskedConv2D):
    """Sees the pixel to the right."""

    def mask(self):
        mask = super().mask()
        mask[-1, self.columns_left + 1] = 1.0
        return mask


class SeesItself(MaskedConv2D):
    """Under mask A, sees its own colour of its own pixel."""

    def mask(self):
        mask = super().mask()
        for feature in range(min(mask.shape[2:])):
            mask[-1, self.columns_left, feature, feature] = 1.0
        return mask


class OneTapTooFew(MaskedConv2D):
    """Does not see the pixel to the left: causal, yet not what the paper says."""

    def mask(self):
        mask = super().mask()
        mask[-1, self.columns_left - 1] = 0.0
        return mask


class GatesDealtOutInTurn(GatedConv2D):
    """Deals [f, g] out as one map, so that halves of a gate have different colours."""

    def output_colours(self):
        return np.arange(self.filters) % self.colours


class SeesItsOwnRow(VerticalConv2D):
    """Under mask A, sees the own row."""

    def mask(self):
        return np.ones(self.kernel.shape, "float32")


class NotMovedDown(DiagonalBiLSTM):
    """Adds the mirrored map without moving it down: it has seen the pixels to the right."""

    def call(self, x, bias=None):
        taller = ops.pad(x, [[0, 0], [0, 1], [0, 0], [0, 0]])
        shut_mirrored_output_gates = np.zeros((1, 1, 1, 8 * self.units))
        shut_mirrored_output_gates[..., 4 * self.units : 5 * self.units] = -1e9
        right = super().call(taller, bias=shut_mirrored_output_gates)
        mirrored_moved_down = super().call(taller) - right
        return right[:, :-1] + mirrored_moved_down[:, 1:]


class ForgetsTheRowAbove(RowLSTM):
    def leave_row(self, weights, state, context, record):
        return state


class ForgetsThePixelBeside(DiagonalBiLSTM):
    def leave_pixel(self, weights, memory, inputs, outputs):
        _, record = super().leave_pixel(weights, memory, inputs, outputs)
        return memory, record


def built(layer_class, colours=3, **arguments):
    return build(layer_class(colours=colours, dtype="float64", **arguments), input_features=3)


class LeavesZeros(DiagonalBiLSTM):
    def leave_row(self, weights, state, context, record):
        return keras.tree.map_structure(ops.zeros_like, state)


@tensorflow_alone
def test_layers_that_finish_a_row_together_pass_on_what_each_does_alone():
    x = np.random.default_rng(0).normal(size=(2, 1, 5, 3))
    together = [built(DiagonalBiLSTM, units=units) for units in (6, 4, 6, 5)]
    together.append(build(DiagonalBiLSTM(colours=3, units=6, dtype="float32"), input_features=3))
    rows = [passed_on(layer, x) for layer in together]
    alone = [layer.leave_row(*row) for layer, row in zip(together, rows, strict=True)]
    states = DiagonalBiLSTM.leave_rows(together, *zip(*rows, strict=True))
    for layer, state, expected in zip(together, states, alone, strict=True):
        for part, expected_part in zip(state, expected, strict=True):
            assert keras.backend.standardize_dtype(part.dtype) == layer.compute_dtype
            np.testing.assert_allclose(part, expected_part, atol=1e-6 if layer.compute_dtype == "float32" else 1e-12)
    zeros = LeavesZeros.leave_rows([built(LeavesZeros, units=6)], *([each] for each in rows[0]))
    assert not any(np.any(part) for part in zeros[0])


BROKEN_MASKS = {
    "one tap too many": (OneTapTooMany, "A"),
    "one tap too many, mask B": (OneTapTooMany, "B"),
    "sees itself": (SeesItself, "A"),
    "one tap too few": (OneTapTooFew, "B"),
}


@tensorflow_alone
@pytest.mark.parametrize(("layer_class", "mask_type"), BROKEN_MASKS.values(), ids=BROKEN_MASKS)
def test_a_broken_mask_is_caught(layer_class, mask_type):
    broken = built(layer_class, filters=5, kernel_size=3, mask_type=mask_type)
    with pytest.raises(AssertionError, match="sees" if layer_class is not OneTapTooFew else "does not see"):
        check_sees_exactly(broken, 3)
    with pytest.raises(AssertionError):
        check_equals_reference(broken, random_map(1, 3, 4, 3))


@tensorflow_alone
@pytest.mark.parametrize(
    "broken",
    [
        lambda: built(GatesDealtOutInTurn, units=4, kernel_size=(1, 3), mask_type="B"),
        lambda: build(SeesItsOwnRow(3, 3, "A", dtype="float64"), input_features=3),
    ],
    ids=["gates dealt out in turn", "sees its own row"],
)
def test_a_broken_layer_of_a_gated_stack_is_caught(broken):
    with pytest.raises(AssertionError, match=r"\bsees"):
        check_sees_exactly(broken(), 3)
    with pytest.raises(AssertionError):
        check_equals_reference(broken(), random_map(1, 3, 4, 3))


@tensorflow_alone
@pytest.mark.parametrize("layer_class", [RowLSTM, DiagonalBiLSTM])
def test_gates_of_the_wrong_colour_are_caught(layer_class, monkeypatch):
    """Gate n is of the colour of its unit, n % units, not of colour n % colours."""
    broken = built(layer_class, units=4)
    convolution = type(broken.input_to_state)
    monkeypatch.setattr(convolution, "output_colours", lambda self: np.arange(self.filters) % self.colours)
    monkeypatch.setattr(convolution, "gate_colours", lambda self: np.arange(4 * self.units) % self.colours)
    with pytest.raises(AssertionError, match=r"\bsees"):
        check_sees_exactly(broken, 3)
    with pytest.raises(AssertionError):
        check_equals_reference(broken, random_map(1, 3, 4, 3))


@tensorflow_alone
@pytest.mark.parametrize("tap", [0, 1, 2])
def test_a_closed_tap_of_the_state_to_state_convolution_is_caught(tap):
    """The triangle of the Row LSTM loses a side, or the cells between."""
    broken = built(RowLSTM, units=3)
    kernel = as_numpy(broken.recurrent_kernel)
    kernel[tap] = 0.0
    broken.recurrent_kernel.assign(kernel)
    with pytest.raises(AssertionError, match="does not see"):
        check_sees_exactly(broken, 3)


@tensorflow_alone
def test_a_mirrored_map_that_is_not_moved_down_is_caught():
    broken = built(NotMovedDown, units=3)
    with pytest.raises(AssertionError, match=r"\bsees"):
        check_sees_exactly(broken, 3)


@tensorflow_alone
@pytest.mark.parametrize("layer_class", [RowLSTM, DiagonalBiLSTM])
@pytest.mark.parametrize("order", [(0, 2, 1, 3), (2, 1, 0, 3), (3, 1, 2, 0)], ids=["oifg", "ifog", "gfio"])
def test_a_wrong_gate_order_is_caught(layer_class, order):
    class WrongGateOrder(layer_class):
        def call(self, x, bias=None):
            weights = self.get_weights()
            self.set_weights([self.reordered(weight) for weight in weights])
            y = super().call(x, bias=bias)
            self.set_weights(weights)
            return y

        def reordered(self, weight):
            if weight.shape[-1] == self.units:  # a state, which has no gates
                return weight
            blocks = weight.reshape(*weight.shape[:-1], -1, 4, self.units)
            return blocks[..., order, :].reshape(weight.shape)

    with pytest.raises(AssertionError):
        check_equals_reference(built(WrongGateOrder, units=3), random_map(1, 3, 4, 3))


@tensorflow_alone
@pytest.mark.parametrize("layer_class", [ForgetsTheRowAbove, ForgetsThePixelBeside])
def test_a_state_that_is_not_passed_on_is_caught(layer_class):
    with pytest.raises(AssertionError):
        check_row_by_row_equals_call(built(layer_class, units=3), random_map(1, 3, 4, 3))
