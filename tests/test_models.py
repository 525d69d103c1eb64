"""Models: exact, causal, the same after a round trip, and trainable by default."""

import copy
import inspect
import itertools
import json
import math
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from backends import few_are_quick, fewer_on_jax, tensorflow_alone
from catalogue import GIVEN_MODELS, MODELS, PLAIN_MODELS, given_with, inputs, logits_of

import pixel_zoo as pz

GOLDEN = pathlib.Path(__file__).with_name("golden_weights.json")
every_model = pytest.mark.parametrize("entry", MODELS, ids=str)


def scrambled(model, seed=0):
    """The model with random weights, biases and initial states included, so that nothing hides behind a zero."""
    draw = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(draw.normal(scale=0.4, size=weight.shape).astype("float32"))
    return model


def random_images(model, count, seed=1):
    return np.random.default_rng(seed).integers(0, model.levels, (count, *model.image_shape)).astype("uint8")


def repeated(given, count):
    """The conditions of one image, repeated for `count` images."""
    return {
        name: [np.repeat(one, count, axis=0) for one in value] if name == "conditioning" else np.repeat(value, count, 0)
        for name, value in given.items()
    }


ONE_COLOUR, COLOURS = ((3, 3, 1), 2), ((2, 1, 3), 3)
OF_EACH_SHAPE = [(entry, *ONE_COLOUR) for entry in PLAIN_MODELS] + [(entry, *COLOURS) for entry in MODELS]


@pytest.mark.parametrize(
    "entry, image_shape, levels",
    [
        pytest.param(
            *one,
            marks=[
                *([] if one[1:] == COLOURS and one[0] in MODELS[-3:-1] else [tensorflow_alone]),
                *([] if one[1:] == ONE_COLOUR or one[0] in GIVEN_MODELS else [pytest.mark.slow]),
            ],
            id=f"{one[0]}-{one[1]}",
        )
        for one in OF_EACH_SHAPE
    ],
)
def test_probabilities_of_all_images_sum_to_1(entry, image_shape, levels):
    model = scrambled(entry.make(image_shape=image_shape, levels=levels))
    values = itertools.product(range(levels), repeat=math.prod(image_shape))
    images = np.array(list(values), "uint8").reshape(-1, *image_shape)
    for label in range(model.num_classes or 1):
        one = repeated(given_with(model, 1, seed=label), len(images))
        if "labels" in one:
            one["labels"][:] = label
        total = np.exp(model.log_likelihood(images, **one, batch_size=1024).astype("float64")).sum()
        np.testing.assert_allclose(total, 1, atol=1e-5)


def of_values(log_probabilities, images):
    """Of log-probabilities (batch, height, width, colours, levels) those of the images' own values, added up."""
    return np.take_along_axis(log_probabilities, images[..., None].astype(int), axis=-1).sum(axis=(1, 2, 3, 4))


@pytest.mark.parametrize(
    ("entry", "levels"),
    [
        pytest.param(
            entry,
            levels,
            marks={0: [], 10: [pytest.mark.slow_on_jax]}.get(MODELS.index(entry), [tensorflow_alone]),
            id=str(entry),
        )
        for entry, levels in [*((entry, 5) for entry in GIVEN_MODELS), (MODELS[0], 2)]
    ],
)
def test_log_probabilities_are_those_that_the_likelihood_is_made_of(entry, levels):
    model = scrambled(entry.make(image_shape=(3, 4, 2), levels=levels, num_blocks=1))
    images, given = random_images(model, 5), given_with(model, 5)
    expected = model.log_probabilities(images, **given, batch_size=3)
    assert expected.shape == (5, 3, 4, 2, levels) and expected.dtype == np.float32
    np.testing.assert_allclose(np.exp(expected).sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(of_values(expected, images), model.log_likelihood(images, **given), rtol=1e-5)


@pytest.mark.parametrize("entry", fewer_on_jax(MODELS, MODELS[-3:]), ids=str)
def test_no_output_sees_its_future(entry):
    pz.check_causality(scrambled(entry.make(image_shape=(4, 5, 3), levels=5)))


def test_an_open_mask_is_caught(monkeypatch):
    monkeypatch.setattr(pz.layers.MaskedConv2D, "mask", lambda self: np.ones(self.kernel.shape, "float32"))
    model = scrambled(pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1))
    with pytest.raises(pz.CausalityError, match=r"output \(0, 0, 0\) sees input \(0, 0, 0\)") as caught:
        pz.check_causality(model)
    assert (caught.value.output, caught.value.input) == ((0, 0, 0), (0, 0, 0))


def test_the_leaking_pair_is_named():
    image = keras.Input((3, 4, 1), dtype="int32", name="image")
    x = keras.layers.Rescaling(2.0, -1.0)(image)
    # Reads the pixel two to the right in the same row.
    x = keras.ops.pad(x, [[0, 0], [0, 0], [0, 2], [0, 0]])[:, :, 2:]
    model = keras.Model(image, pz.layers.Logits(2)(x))
    with pytest.raises(pz.CausalityError) as caught:
        pz.check_causality(scrambled(model))
    assert (caught.value.output, caught.value.input) == ((0, 0, 0), (0, 2, 0))


def test_causality_of_a_layer_knows_its_mask():
    pz.check_causality(pz.layers.MaskedConv2D(3, 3, "A", colours=3), input_shape=(3, 4, 3))
    pz.check_causality(pz.layers.MaskedConv2D(3, 3, "B", colours=3), input_shape=(3, 4, 3))
    pz.check_causality(pz.layers.VerticalConv2D(3, 3, "A"), input_shape=(3, 4, 3))
    with pytest.raises(pz.CausalityError, match=r"output \(0, 0, 0\) sees input \(0, 1, 0\)"):
        pz.check_causality(pz.layers.VerticalConv2D(3, 3, "B"), input_shape=(3, 4, 3))
    with pytest.raises(ValueError, match="input_shape"):
        pz.check_causality(pz.layers.RowLSTM(3))


RIGHTMOST = {
    # The 7x7 layer reaches 3 columns to the right, each 3x3 layer 1 more a row up; together they end 5 rows up.
    "PixelCNN": [3, 7, 8, 9, 9, 9, None, None],
    # No blind spot: the vertical stack reaches as far to the right in the row above as in any, 3 columns and 1 a layer.
    "GatedPixelCNN": [3, 9, 9, 9, 9, 9, None, None],
    # Below the 7x7 layer's reach the triangle goes on, 1 column a row.
    "row": [3, 7, 8, 9, 10, 10, 10, 10],
    # All but the last pixel of the row above: features at that pixel do not hold it (mask A), and those that do, in the
    # row below it, are read from the left only.
    "diagonal": [3, 9, *[10] * 6],
    # All that one of its members sees: a Gated PixelCNN, and a Row LSTM.
    "Mixture": [3, 9, 9, 9, 10, 10, 10, 10],
}


@tensorflow_alone
@every_model
def test_each_architecture_sees_what_the_paper_says_it_sees(entry):
    """The other half of causality: the rightmost column seen in the own row and in the rows above, from (7, 4)."""
    model = scrambled(entry.make(image_shape=(8, 11, 1), levels=3, dtype="float64"))
    positions = np.unravel_index(np.arange(88), (8, 11))
    rounding = 1e-6 if keras.backend.backend() == "jax" else 1e-12  # JAX makes float32 of float64
    images = np.repeat(random_images(model, 4)[:, None], 89, axis=1)  # each as it is, then with one pixel changed
    images[:, np.arange(1, 89), *positions] = (images[:, np.arange(1, 89), *positions] + 1) % 3
    one = repeated(given_with(model, 1), 4 * 89)
    logits = logits_of(model, inputs(images.reshape(-1, 8, 11, 1), **one))[:, 7, 4].reshape(4, 89, -1)
    seen = (np.abs(logits[:, 1:] - logits[:, :1]).max(axis=(0, 2)) > rounding).reshape(8, 11)
    rightmost = [int(np.flatnonzero(row).max()) if row.any() else None for row in seen[::-1]]
    assert rightmost == RIGHTMOST[entry.arguments.get("recurrence", entry.model_class.__name__)]


@tensorflow_alone
@pytest.mark.parametrize("architecture", [pz.models.PixelCNN, pz.models.GatedPixelCNN])
@pytest.mark.parametrize("tells", [False, True])
def test_a_position_embedding_tells_places_apart(architecture, tells):
    """In a blank image, all positions at least 4 pixels away from the edges see the same."""
    model = scrambled(architecture((12, 11, 1), filters=4, num_blocks=1, head_filters=4, position_embedding=tells))
    logits = logits_of(model, np.zeros((1, 12, 11, 1), "uint8"))[0, 4:, 4:7, 0].flatten()
    different = np.abs(logits[1:] - logits[0]) > 1e-4
    assert different.all() if tells else not different.any()


@pytest.mark.slow
@tensorflow_alone
def test_round_trip_in_a_fresh_process(tmp_path):
    """One process loads all models and calls them without compiling, because most of its time is start-up."""
    models = [scrambled(entry.make(image_shape=(4, 3, 2), levels=3, num_blocks=1)) for entry in GIVEN_MODELS]
    images = random_images(models[0], 5)
    for index, model in enumerate(models):
        model.save(tmp_path / f"{index}.keras")
        np.save(tmp_path / f"{index}.keras.inputs.npy", inputs(images, **given_with(model, 5)), allow_pickle=True)
    program = (
        "import sys, keras, numpy as np, pixel_zoo\n"
        "for path in sys.argv[1:]:\n"
        "    model = keras.models.load_model(path)\n"
        "    fed = np.load(path + '.inputs.npy', allow_pickle=True)\n"
        "    logits = model(fed if fed.ndim else fed.item())\n"
        "    np.save(path + '.npy', keras.ops.convert_to_numpy(logits))\n"
        "    print(type(model).__module__, type(model).__name__, model.levels, model.image_shape)\n"
    )
    paths = [str(tmp_path / f"{index}.keras") for index in range(len(models))]
    command = [sys.executable, "-c", program, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for model, path, line in zip(models, paths, done.stdout.splitlines(), strict=True):
        assert line == f"{type(model).__module__} {type(model).__name__} 3 (4, 3, 2)"
        expected = logits_of(model, inputs(images, **given_with(model, 5)))
        np.testing.assert_allclose(np.load(path + ".npy"), expected, rtol=1e-6, atol=1e-6)


@tensorflow_alone
@every_model
def test_configuration_round_trip(entry):
    model = entry.make(image_shape=(4, 3, 2), levels=3, dropout=0.25)
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    assert [w.path for w in again.weights] == [w.path for w in model.weights]


def by_hand(image_shape, levels):
    image = keras.Input(image_shape, dtype="int32", name="image")
    x = pz.layers.MaskedConv2D(4, 3, "A", colours=2)(keras.layers.Rescaling(1.0)(image))
    return pz.models.PixelModel(image, pz.layers.Logits(levels, colours=2)(keras.layers.ReLU()(x)))


def of_two_scales(image_shape, levels):
    options = {"num_blocks": 1, "filters": 4, "head_filters": 4}
    return pz.models.MultiScalePixelRNN(image_shape, levels, ((2, 3),), base="PixelCNN", options=options)


CLONED = [*MODELS, of_two_scales, by_hand]


@tensorflow_alone
@pytest.mark.parametrize("make", few_are_quick(CLONED, [*GIVEN_MODELS, of_two_scales, by_hand]))
def test_a_clone_is_a_model_of_the_same_class(make):
    model = scrambled(getattr(make, "make", make)(image_shape=(4, 3, 2), levels=3))
    for layer in model.stages[-1].layers[::2]:
        getattr(layer, "input_to_state", layer).trainable = False  # of an LSTM, a part
    model.compile(optimizer="sgd")
    clone = keras.models.clone_model(model)
    assert type(clone) is type(model)
    assert clone.get_config() == model.get_config()
    assert (clone.num_classes, clone.likelihood_kind) == (model.num_classes, model.likelihood_kind)
    assert isinstance(clone.optimizer, keras.optimizers.SGD)
    assert [weight.trainable for weight in clone.weights] == [weight.trainable for weight in model.weights]
    assert not any(own is its for own, its in zip(model.weights, clone.weights, strict=True))
    clone.set_weights(model.get_weights())
    fed = inputs(random_images(model, 2), **given_with(model.stages[0], 2))
    expected, logits = (keras.ops.convert_to_numpy(m(fed)) for m in (model, clone))
    np.testing.assert_allclose(logits, expected, rtol=1e-6, atol=1e-6)


@tensorflow_alone
def test_a_clone_with_a_changed_graph_is_a_model_of_that_graph(tmp_path):
    def and_dropout(layer, *args, **kwargs):
        y = layer(*args, **kwargs)
        return keras.layers.Dropout(0.5)(y) if layer.name == "block1_conv" else y

    model = pz.models.PixelCNN((3, 3, 1), filters=4, num_blocks=1)
    clone = keras.models.clone_model(model, call_function=and_dropout)
    assert type(clone) is pz.models.PixelModel
    clone.save(tmp_path / "clone.keras")
    loaded = keras.models.load_model(tmp_path / "clone.keras")
    assert [type(layer) for layer in loaded.layers].count(keras.layers.Dropout) == 1
    assert loaded.generate(2).shape == (2, 3, 3, 1)


def test_constructors_show_their_own_arguments():
    assert list(inspect.signature(pz.models.PixelCNN).parameters)[:3] == ["image_shape", "levels", "filters"]
    with pytest.raises(ValueError, match="image_shape must be"):
        pz.models.PixelCNN(keras.Input((4, 4, 1)), keras.Input((4, 4, 1)))


@tensorflow_alone
@pytest.mark.parametrize("way", ["copied", "saved"])
def test_frozen_layers_stay_frozen(tmp_path, way):
    """Those of stages and inside of layers too; and the optimiser keeps its state, that of the weights it trains."""
    options = {"num_blocks": 1, "head_filters": 3}
    if way == "copied":
        model, name = pz.models.PixelRNN((3, 3, 1), recurrence="row", units=3, **options), "block1_lstm"
        model.get_layer(name).input_to_state.trainable = False
    else:
        stages = {"base": "PixelCNN", "options": {"filters": 3, **options}}
        model, name = pz.models.MultiScalePixelRNN((4, 4, 1), small_shapes=((2, 2),), **stages), "block1_conv"
        model.stages[0].get_layer(name).trainable = False
    for stage in model.stages:
        stage.get_layer("logits").trainable = False
    model.compile()
    model.train_on_batch(random_images(model, 2))
    if way == "copied":
        loaded = copy.deepcopy(model)
    else:
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    names = [weight.path for weight in model.trainable_variables]
    assert [weight.path for weight in loaded.trainable_variables] == names
    assert len(names) < len(model.weights) - 3
    for own, its in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(own), keras.ops.convert_to_numpy(its))


@tensorflow_alone
def test_a_model_composed_by_hand_gets_everything(tmp_path):
    image = keras.Input((4, 4, 1), dtype="int32", name="image")
    x = keras.layers.Rescaling(2.0, -1.0)(image)
    x = pz.layers.MaskedConv2D(6, 3, "A")(x)
    x = keras.layers.Concatenate()([keras.layers.ReLU()(x), pz.layers.RowLSTM(4)(x), pz.layers.DiagonalBiLSTM(4)(x)])
    model = scrambled(pz.models.PixelModel(image, pz.layers.Logits(2)(keras.ops.tanh(x) * 0.5 + 0.1)))
    pz.check_causality(model)
    assert model.generate(num_images=3).shape == (3, 4, 4, 1)
    model.save(tmp_path / "mine.keras")
    again = keras.models.load_model(tmp_path / "mine.keras")
    images = random_images(model, 4)
    np.testing.assert_allclose(again.log_likelihood(images), model.log_likelihood(images), rtol=1e-6)


@pytest.mark.compiled
@tensorflow_alone
def test_a_training_step_is_traced_once(monkeypatch):
    """TensorFlow traces it again if the first trace creates variables."""
    call, traced = pz.layers.MaskedConv2D.call, []
    monkeypatch.setattr(
        pz.layers.MaskedConv2D, "call", lambda self, x, bias=None: traced.append(self.name) or call(self, x, bias)
    )
    model = pz.models.PixelCNN((3, 3, 1), filters=2, num_blocks=1, head_filters=2)
    model.compile()
    traced.clear()
    model.train_on_batch(random_images(model, 2))
    assert len(traced) == len(set(traced)) > 0


# A Diagonal BiLSTM, a mixture of a Gated PixelCNN and a Row LSTM, and a PixelCNN.
@pytest.mark.compiled
@pytest.mark.parametrize("entry", MODELS[-3:], ids=str)
@pytest.mark.slow
def test_compile_has_defaults_that_train(entry):
    keras.utils.set_random_seed(0)
    model = entry.make(image_shape=(4, 4, 1), levels=4, num_blocks=1)
    images = np.tile(np.indices((4, 4)).sum(axis=0)[None, :, :, None] % 4, (32, 1, 1, 1)).astype("uint8")
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    with_images = given_with(model, 32)
    before = -model.log_likelihood(images, **with_images).mean()
    history = model.fit(inputs(images, **with_images), epochs=16, batch_size=8, verbose=0).history
    after = -model.log_likelihood(images, **with_images).mean()
    assert after < 0.5 * before
    assert set(history) == {"loss", "nats", "bits_per_dim"}
    np.testing.assert_allclose(history["nats"][-1] / (16 * math.log(2)), history["bits_per_dim"][-1], rtol=1e-5)
    evaluated = model.evaluate(inputs(images, **with_images), batch_size=8, verbose=0, return_dict=True)
    np.testing.assert_allclose(evaluated["loss"], after, rtol=1e-5)


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("entry", fewer_on_jax(GIVEN_MODELS, MODELS[-3:-1]), ids=str)
def test_mixed_precision_scores_in_float32(entry):
    arguments = {"image_shape": (4, 4, 1), "levels": 5, "num_blocks": 1}
    exact, mixed = scrambled(entry.make(**arguments)), scrambled(entry.make(**arguments, dtype="mixed_bfloat16"))
    images = random_images(exact, 6)
    with_images = given_with(exact, 6)
    assert logits_of(mixed, inputs(images, **with_images)).dtype == np.float32
    expected = exact.log_likelihood(images, **with_images)
    np.testing.assert_allclose(mixed.log_likelihood(images, **with_images), expected, rtol=0.05)


@pytest.mark.compiled
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX computes in float32 unless told otherwise")
@pytest.mark.parametrize("levels", few_are_quick([2, 5], [5]))
def test_a_model_of_float64_scores_in_float64(levels):
    model = scrambled(pz.models.PixelCNN((4, 4, 1), levels=levels, filters=4, num_blocks=1, dtype="float64"))
    images = random_images(model, 3)
    nats, expected = model.log_likelihood(images), of_values(model.log_probabilities(images), images)
    assert nats.dtype == expected.dtype == np.float64
    np.testing.assert_allclose(nats, expected, rtol=1e-13)
    drawn, nats = model.generate(2, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(drawn), rtol=1e-5)


def test_a_map_of_dtypes_is_refused_by_name():
    with pytest.raises(ValueError, match=r"dtype must be one policy for all layers.*got a DTypePolicyMap"):
        pz.models.PixelCNN((4, 4, 1), dtype=keras.dtype_policies.DTypePolicyMap())


def test_logits_of_another_shape_than_the_images_are_refused():
    with pytest.raises(ValueError, match=r"of images \(2, 4, 4, 1\), got shape \(2, 4, 4, 3, 5\)"):
        pz.likelihoods.log_likelihood(np.zeros((2, 4, 4, 1), int), np.zeros((2, 4, 4, 3, 5), "float32"))


def test_uniform_logits_are_exactly_8_bits():
    model = pz.models.PixelCNN((3, 3, 3), levels=256, filters=3, num_blocks=1, head_filters=3)
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape, "float32"))
    np.testing.assert_allclose(model.bits_per_dim(random_images(model, 3)), 8, rtol=1e-6)


@tensorflow_alone
def test_weight_names_and_shapes_are_those_of_the_golden_file():
    """Saved weights must load for ever. After a deliberate change: python tests/test_models.py"""
    assert weights_of_all() == json.loads(GOLDEN.read_text())


@tensorflow_alone
@pytest.mark.parametrize(
    ("arguments", "named", "got"),
    [
        ({"image_shape": (4, 4)}, "image_shape", r"\(4, 4\)"),
        ({"image_shape": (4, 0, 1)}, "image_shape", "0"),
        ({"levels": 1}, "levels", "1"),
        ({"levels": 2.5}, "levels", "2.5"),
        ({"num_blocks": 0}, "num_blocks", "0"),
        ({"head_filters": 0}, "head_filters", "0"),
        ({"num_classes": "abc"}, "num_classes must be an integer of at least 1", "'abc'"),
        ({"conditioning_dim": 0}, "conditioning_dim", "0"),
        ({"embedding_dim": 0}, "embedding_dim", "0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\)", "1.0"),
        ({"dropout": "abc"}, r"dropout must be a number in \[0, 1\)", "'abc'"),
        ({"position_embedding": "no"}, "position_embedding must be True or False", "'no'"),
        ({"copy_known": 1}, "copy_known must be True or False", "1"),
    ],
    ids=str,
)
@every_model
def test_a_bad_argument_is_named(entry, arguments, named, got):
    with pytest.raises(ValueError, match=f"{named}.*{got}"):
        entry.make(**arguments)


@pytest.mark.parametrize("architecture", [pz.models.PixelCNN, pz.models.PixelRNN])
@pytest.mark.parametrize("name", ["residual", "skip"])
def test_a_text_is_not_a_truth_value(architecture, name):
    with pytest.raises(ValueError, match=f"^{name} must be True or False, got 'False'"):
        architecture(**{name: "False"})


def test_an_unknown_recurrence_is_named():
    with pytest.raises(ValueError, match=r"recurrence must be one of 'row', 'diagonal', got 'column'"):
        pz.models.PixelRNN(recurrence="column")


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((2, 4, 4, 1), "float32"), TypeError, "images must be integers 0..2 .*float32"),
        (np.zeros((2, 4, 5, 1), "uint8"), ValueError, r"images must have shape \(batch, 4, 4, 1\), got \(2, 4, 5, 1\)"),
        (np.zeros((4, 4, 1), "uint8"), ValueError, "images must have shape"),
        (np.full((2, 4, 4, 1), 3), ValueError, r"images must have values 0..2, got 3..3"),
        (np.full((2, 4, 4, 1), -1), ValueError, r"images must have values 0..2, got -1..-1"),
        (np.zeros((0, 4, 4, 1), "uint8"), ValueError, "the number of images must be an integer of at least 1, got 0"),
    ],
    ids=["float", "shape", "rank", "high", "low", "none"],
)
def test_bad_images_are_refused(images, error, message):
    model = pz.models.PixelCNN((4, 4, 1), levels=3, filters=2, num_blocks=1)
    with pytest.raises(error, match=message):
        model.log_likelihood(images)


def test_masks_are_images_of_two_values():
    model = pz.models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)
    masks = random_images(model, 3).astype(bool)
    np.testing.assert_array_equal(model.log_likelihood(masks), model.log_likelihood(masks.astype("uint8")))


def weights_of_all():
    """Path and shape of every weight of every model, by the model's entry."""
    models = {str(entry): entry.make(image_shape=(4, 4, 3), levels=4) for entry in MODELS}
    return {name: {weight.path: list(weight.shape) for weight in model.weights} for name, model in models.items()}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(weights_of_all(), indent=1) + "\n")
