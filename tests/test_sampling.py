"""Sampling: exact, a function of weights and noise alone, and the same however it is run."""

import dataclasses
import functools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from backends import tensorflow_alone
from catalogue import GIVEN_MODELS, MODELS, PLAIN_MODELS, given_with
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo import backend
from pixel_zoo.backend import compiled  # which conftest.py does not replace
from pixel_zoo.inputs import join_inputs
from pixel_zoo.likelihoods import likelihood_of_logits
from pixel_zoo.sampling import Sampler, Walker, wavefront
from pixel_zoo.sampling.wavefront import Wavefront, WavefrontWalk

# Random123's own test vectors of Threefry-2x32 with 20 rounds (kat_vectors): counter, key, result.
THREEFRY = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@functools.lru_cache(maxsize=1)
def whole_network(model):
    """The model as a function of its inputs, compiled once for all that is drawn from one model in turn."""
    return compiled(
        lambda image, *others: model(join_inputs(model, image, others), training=False), model.variables, xla=False
    )


def slowly(model, images, known, seeds, conditioning=(), sampler=None, **options):
    """The obvious way: the whole network for every value, with the same noise."""
    shape = images.shape[1:]
    likelihood, sampler = likelihood_of_logits(model.outputs[0].shape), sampler or Sampler(**options)
    noise = keras.ops.convert_to_numpy(backend.uniform_noise(backend.seed_words(np.asarray(seeds)), shape))
    run = whole_network(model)
    images = np.where(known[..., None], images, 0).astype("int32")
    for position in np.ndindex(*shape):
        logits = keras.ops.convert_to_numpy(run(images, *conditioning))[:, *position]
        drawn = sampler(likelihood.class_logits(logits), noise[:, *position])
        unknown = ~known[:, *position[:2]]
        images[unknown, *position] = keras.ops.convert_to_numpy(drawn)[unknown]
    return images


@pytest.mark.parametrize(("counter", "key", "result"), THREEFRY)
def test_threefry_gives_its_published_vectors(counter, key, result):
    words = backend.threefry_2x32([np.uint32(word) for word in key], [np.uint32(word) for word in counter])
    assert tuple(int(word) for word in words) == result


def test_noise_depends_on_an_images_own_seed_alone():
    seeds = np.array([5, -1, 2**40, 5])
    together = keras.ops.convert_to_numpy(backend.uniform_noise(backend.seed_words(seeds), (3, 4, 2)))
    alone = keras.ops.convert_to_numpy(backend.uniform_noise(backend.seed_words(seeds[2:3]), (3, 4, 2)))
    assert (together[2] == alone[0]).all()
    assert (together[0] == together[3]).all()
    assert len(np.unique(together[:3])) == 3 * 24
    # As many images as values, in a graph and not: TensorFlow 2.21 broadcasts sums of such integers wrongly.
    many = backend.seed_words(np.arange(24))
    noise = keras.ops.convert_to_numpy(backend.uniform_noise(many, (3, 4, 2)))
    in_a_graph = compiled(lambda *words: backend.uniform_noise(words, (3, 4, 2)), [], xla=False)
    assert len(np.unique(noise)) > 23 * 24 and (keras.ops.convert_to_numpy(in_a_graph(*many)) == noise).all()
    assert (
        noise[5] == keras.ops.convert_to_numpy(backend.uniform_noise(backend.seed_words(seeds[:1]), (3, 4, 2)))
    ).all()
    assert together.min() > 0 and together.max() < 1


# One colour and a sigmoid for the plain models; colours, a softmax and all that they can be given for the others, which
# need no second block beside them. A mixture of a Gated PixelCNN and a Row LSTM, given labels, runs them both. On JAX,
# which compiles longer, also a Row LSTM and a Diagonal BiLSTM given vectors; only the latter is quick there.
SHAPES = [(entry, (3, 4, 1), 2, 2) for entry in PLAIN_MODELS if entry.model_class is not pz.models.Mixture]
SHAPES += [(entry, (3, 3, 2), 3, 1) for entry in GIVEN_MODELS]
ON_JAX = [MODELS[3], MODELS[9], MODELS[10]]
SLOW_PLAIN = [MODELS[2], MODELS[3], MODELS[4]]


def marks_of(entry):
    """One plain model, and all that are given something, are quick on TensorFlow."""
    if entry in SLOW_PLAIN:
        return [pytest.mark.slow, *([] if entry in ON_JAX else [tensorflow_alone])]
    if entry in ON_JAX:
        return [] if entry is MODELS[9] else [pytest.mark.slow_on_jax]
    return [tensorflow_alone]


@pytest.mark.parametrize(
    ("entry", "image_shape", "levels", "num_blocks"),
    [pytest.param(*shape, marks=marks_of(shape[0])) for shape in SHAPES],
    ids=str,
)
def test_fast_equals_slow_to_the_integer(entry, image_shape, levels, num_blocks):
    model = scrambled(entry.make(image_shape=image_shape, levels=levels, num_blocks=num_blocks))
    seeds = np.array([11, 12, 13])
    nothing = np.zeros((3, *image_shape[:2]), bool)
    images = random_images(model, 3)
    others = given_with(model, 3)
    conditioning = [
        *others.get("conditioning", ()),
        *(others[name] for name in ("labels", "vectors") if name in others),
    ]
    expected = slowly(model, images, nothing, seeds, conditioning=conditioning)
    assert (model.generate(3, seed=11, **others) == expected).all()
    # Known pixels anywhere, a row that only some images know, and one that all know: it runs in parallel.
    known = np.random.default_rng(2).random((3, *image_shape[:2])) < 0.5
    known[:, 1] = True
    known[1, 2] = True
    completed = model.complete(images, known, seed=seeds, progress=True, **others)  # row by row, not in one call
    assert (completed == slowly(model, images, known, seeds, conditioning=conditioning)).all()
    assert (completed[known] == images[known]).all()


ODD = st.sampled_from([1, 3, 5])


@st.composite
def descriptions(draw):
    """The layers of a small functional model: a first layer, one layer of any kind, logits."""
    return {
        "image_shape": (draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 3))),
        "levels": draw(st.integers(2, 5)),
        "first": {"kernel_size": (draw(ODD), draw(ODD)), "use_bias": draw(st.booleans())},
        "body": draw(
            st.one_of(
                st.builds(lambda *size: (pz.layers.MaskedConv2D, {"kernel_size": size, "mask_type": "B"}), ODD, ODD),
                st.builds(lambda *size: (pz.layers.GatedConv2D, {"kernel_size": size, "mask_type": "B"}), ODD, ODD),
                st.builds(lambda size: (pz.layers.RowLSTM, {"kernel_size": size}), ODD),
                st.just((pz.layers.DiagonalBiLSTM, {})),
            )
        ),
        "residual": draw(st.booleans()),
    }


def described(image_shape, levels, first, body, residual):
    colours = {"colours": image_shape[-1]}
    image, x = image_input(*image_shape)
    x = pz.layers.MaskedConv2D(4, mask_type="A", **first, **colours)(x)
    layer_class, arguments = body
    y = keras.layers.ReLU()(layer_class(4, **arguments, **colours)(x))
    return pz.models.PixelModel(image, pz.layers.Logits(levels, **colours)(x + y if residual else y))


@pytest.mark.slow
@settings(
    max_examples=2 if keras.backend.backend() == "jax" else 6,  # each has to be compiled
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
@given(description=descriptions(), share=st.sampled_from([0.0, 0.6]), seed=st.integers(-(2**63), 2**63 - 3))
def test_fast_equals_slow_for_any_model(description, share, seed):
    model = scrambled(described(**description))
    images = random_images(model, 2)
    known = np.random.default_rng(3).random((2, *model.image_shape[:2])) < share
    expected = slowly(model, images, known, np.array([seed, seed + 1]))
    assert (model.complete(images, known, seed=seed) == expected).all()


@tensorflow_alone
def test_a_label_of_layers_that_see_no_row_above():
    """Their only context is the bias of the label, which is the same in all columns."""
    options = {"filters": 4, "num_blocks": 1, "head_filters": 4, "num_classes": 3}
    model = scrambled(pz.models.GatedPixelCNN((3, 4, 1), levels=3, **options))
    labels, nothing = np.array([2, 0]), np.zeros((2, 3, 4), bool)
    expected = slowly(model, np.zeros((2, 3, 4, 1), int), nothing, np.arange(2), conditioning=[labels])
    assert (model.generate(2, labels=labels) == expected).all()


@tensorflow_alone
def test_a_position_embedding_may_stand_anywhere():
    """Of the image, of features and of rows above; as a bias, through a projection, added to features and joined."""
    image = keras.Input((3, 4, 2), dtype="int32", name="image")
    scaled = keras.layers.Rescaling(0.5)(image)
    projected = keras.layers.Conv2D(4, 1, activation="relu")(pz.layers.PositionEmbedding(3)(image))
    x = pz.layers.MaskedConv2D(4, 3, "A", colours=2)(scaled, bias=projected)
    x = x + pz.layers.PositionEmbedding(4)(x)
    x = keras.layers.Concatenate()([x, pz.layers.PositionEmbedding(3)(x)])
    above = pz.layers.VerticalConv2D(4, 3, "A")(scaled)
    above = above + pz.layers.PositionEmbedding(4)(above)
    x = pz.layers.MaskedConv2D(4, 1, "B", colours=2)(x, bias=above)
    x = pz.layers.RowLSTM(4, colours=2)(x, bias=pz.layers.PositionEmbedding(16)(x))
    model = scrambled(pz.models.PixelModel(image, pz.layers.Logits(4, colours=2)(x)))
    pz.check_causality(model)
    known = np.random.default_rng(3).random((3, 3, 4)) < 0.4
    images = random_images(model, 3)
    assert (model.complete(images, known) == slowly(model, images, known, np.arange(3))).all()


@tensorflow_alone
def test_conditioned_models_too():
    """Other inputs, different for each image, as biases of raster layers and combined with the image."""
    image = keras.Input((3, 4, 2), dtype="int32", name="image")
    small, label = keras.Input((3, 2, 3), name="small"), keras.Input((5,), name="label")
    wide = keras.layers.UpSampling2D((1, 2))(small)
    x = pz.layers.MaskedConv2D(4, 3, "A", colours=2)(keras.layers.Rescaling(0.5)(image))
    x = x + keras.layers.Conv2D(4, 3, padding="same")(wide)
    bias = keras.layers.Reshape((1, 1, 24))(keras.layers.Dense(24)(label))
    x = pz.layers.DiagonalBiLSTM(3, colours=2)(x, bias=bias)
    model = scrambled(keras.Model([image, small, label], pz.layers.Logits(4, colours=2)(x)))
    draw = np.random.default_rng(0)
    conditioning = [draw.normal(size=(3, *tensor.shape[1:])).astype("float32") for tensor in (small, label)]
    nothing = np.zeros((3, 3, 4), bool)
    expected = slowly(model, np.zeros((3, 3, 4, 2), int), nothing, np.arange(3), conditioning=conditioning)
    assert (pz.sampling.generate(model, 3, conditioning=conditioning, batch_size=2) == expected).all()
    with pytest.raises(ValueError, match="conditioning must hold the model's 2 inputs other than the image, got 0"):
        pz.sampling.generate(model, 3)
    with pytest.raises(
        ValueError, match=r"conditioning\[0\] must have an entry for each of 4 images, got shape \(3, 3"
    ):
        pz.sampling.generate(model, 4, conditioning=conditioning)


@tensorflow_alone
def test_vertical_stacks_composed_by_hand():
    """On features of several colours; read as a bias, beside the image's features, by a raster layer; conditioned."""
    image, label = keras.Input((4, 3, 2), dtype="int32", name="image"), keras.Input((1, 1, 4), name="label")
    x = pz.layers.MaskedConv2D(5, 3, "A", colours=2)(keras.layers.Rescaling(0.5)(image))
    v = pz.layers.VerticalConv2D(6, 3, "A")(x)
    v = pz.layers.VerticalConv2D(4, 3, "B")(pz.layers.GatedActivation()(keras.layers.Concatenate()([v, v])), bias=label)
    v = pz.layers.VerticalConv2D(6, (5, 1), "A")(v)
    y = pz.layers.GatedConv2D(3, (1, 3), "B", colours=2)(x, bias=v)
    y = keras.layers.Concatenate()([pz.layers.MaskedConv2D(6, 1, "B", colours=2)(v) + v, y])
    model = scrambled(keras.Model([image, label], pz.layers.Logits(4, colours=2)(y)))
    conditioning = [np.random.default_rng(0).normal(size=(3, 1, 1, 4)).astype("float32")]
    images = random_images(pz.models.PixelModel(model.inputs, model.outputs), 3)
    known = np.random.default_rng(3).random((3, 4, 3)) < 0.4
    known[:, 1] = True
    expected = slowly(model, images, known, np.arange(3), conditioning=conditioning)
    assert (pz.sampling.complete(model, images, known, conditioning=conditioning) == expected).all()


OTHER_BACKEND = """
import sys
import keras, numpy as np, pixel_zoo
requests = np.load(sys.argv[1])
model = keras.models.load_model(sys.argv[3])
completed = model.complete(requests["images"], requests["known"], seed=requests["seed"])
np.savez(sys.argv[2], backend=keras.backend.backend(), completed=completed)
"""


@pytest.mark.slow
@tensorflow_alone
def test_tensorflow_and_jax_draw_the_same(tmp_path):
    other = "tensorflow" if keras.backend.backend() == "jax" else "jax"
    pytest.importorskip(other)
    image, x = image_input(3, 4, 2)
    x = pz.layers.MaskedConv2D(4, 3, "A", colours=2)(x)
    x = pz.layers.DiagonalBiLSTM(4, colours=2)(pz.layers.RowLSTM(4, colours=2)(x))
    model = scrambled(pz.models.PixelModel(image, pz.layers.Logits(5, colours=2)(x)))
    known = np.random.default_rng(0).random((3, 3, 4)) < 0.4
    requests = {"images": random_images(model, 3), "known": known, "seed": np.array([5, -7, 2**40 + 1])}
    files = [tmp_path / name for name in ("requests.npz", "answers.npz", "model.keras")]
    np.savez(files[0], **requests)
    model.save(files[2])
    command = [sys.executable, "-c", OTHER_BACKEND, *files]
    subprocess.run(command, check=True, env=os.environ | {"KERAS_BACKEND": other})
    answers = np.load(files[1])
    assert answers["backend"] == other
    assert (answers["completed"] == model.complete(**requests)).all()


@pytest.fixture(scope="module")
def small_model():
    return scrambled(pz.models.PixelCNN((4, 4, 1), levels=4, filters=3, num_blocks=1, head_filters=3))


def test_the_log_likelihood_comes_along(small_model):
    images, nats = small_model.generate(3, temperature=0.5, return_log_likelihood=True)
    assert nats.dtype == np.float32
    np.testing.assert_allclose(nats, small_model.log_likelihood(images), rtol=1e-5)
    assert (images == small_model.generate(3, temperature=0.5)).all()
    known = np.random.default_rng(0).random((3, 4, 4)) < 0.5
    known[:, 1] = True
    completed, nats = small_model.complete(images, known, return_log_likelihood=True)
    np.testing.assert_allclose(nats, small_model.log_likelihood(completed), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.compiled
@tensorflow_alone
def test_batches_are_split_without_a_trace(small_model):
    images, nats = small_model.generate(5, seed=3, return_log_likelihood=True)
    parts, nats_of_parts = small_model.generate(5, seed=3, batch_size=2, return_log_likelihood=True)
    assert (parts == images).all()
    np.testing.assert_allclose(nats_of_parts, nats, rtol=1e-5)
    known = np.random.default_rng(0).random((5, 4, 4)) < 0.5
    assert (small_model.complete(images, known, batch_size=2) == small_model.complete(images, known)).all()


def ways_of_drawing(model, count, known, **conditions):
    """Images, completed images and log-likelihoods, drawn in one call and row by row."""
    ways = []
    for progress in (None, True):
        images, nats = model.generate(count, return_log_likelihood=True, progress=progress, **conditions)
        completed = model.complete(model.levels - 1 - images, known, seed=count, progress=progress, **conditions)
        ways.append((images, completed, nats))
    return ways


def check_ways_agree(ways):
    (images, completed, nats), (images_by_row, completed_by_row, nats_by_row) = ways
    assert (images == images_by_row).all() and (completed == completed_by_row).all()
    np.testing.assert_allclose(nats, nats_by_row, rtol=1e-5)
    assert len(np.unique(images, axis=0)) == len(images)


def calls_of(monkeypatch, owner, name):
    """A list of the arguments that a method is called with from now on."""
    calls, method = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args: calls.append(args) or method(*args))
    return calls


@pytest.fixture
def always_along_wavefront(monkeypatch):
    """Draw along a wavefront even if that takes longer; the list of calls."""
    monkeypatch.setattr(wavefront, "_COST_OF_A_STEP", 0)
    return calls_of(monkeypatch, WavefrontWalk, "__call__")


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize(
    ("model_class", "image_shape", "count", "way"),
    [
        pytest.param(pz.models.GatedPixelCNN, (3, 5, 2), 6, "left to right", marks=tensorflow_alone),
        pytest.param(pz.models.PixelRNN, (9, 20, 1), 6, "wavefront", marks=tensorflow_alone),
        pytest.param(pz.models.PixelRNN, (9, 5, 1), 6, "left to right", marks=tensorflow_alone),
        (pz.models.PixelRNN, (3, 5, 2), 2, "iteration"),
    ],
)
def test_images_are_the_same_whichever_way_they_are_drawn(model_class, image_shape, count, way, monkeypatch):
    options = {"recurrence": "row", "units": 4} if model_class is pz.models.PixelRNN else {"filters": 4}
    model = scrambled(model_class(image_shape, levels=2, num_blocks=1, head_filters=4, **options))
    iterated = calls_of(monkeypatch, Walker, "iterate_row")
    along_wavefront = calls_of(monkeypatch, WavefrontWalk, "__call__")
    known = np.indices(image_shape[:2])[1] < 2
    known[2] = True
    check_ways_agree(ways_of_drawing(model, count, known))
    assert (bool(iterated), bool(along_wavefront)) == (way == "iteration", way == "wavefront")


@pytest.mark.slow
@pytest.mark.compiled
@tensorflow_alone
@pytest.mark.parametrize("image_shape", [(7, 4, 3), (2, 11, 1), (9, 1, 1)], ids=str)
@pytest.mark.parametrize(
    ("recurrence", "conditioning"),
    [(None, {"num_classes": 3, "position_embedding": True}), ("row", {}), ("row", {"num_classes": 3})],
)
def test_a_wavefront_draws_what_rows_draw(image_shape, recurrence, conditioning, always_along_wavefront):
    """Of images that are wider or higher than the kernels, with several colours, conditions and options."""
    options = {"levels": 5, "num_blocks": 2, "head_filters": 6, "embedding_dim": 2, **conditioning}
    if recurrence:
        model = scrambled(pz.models.PixelRNN(image_shape, recurrence=recurrence, units=3, **options))
    else:
        model = scrambled(pz.models.PixelCNN(image_shape, filters=6, **options))
    given = {"labels": [0, 1, 2]} if "num_classes" in conditioning else {}
    given["sampler"] = Sampler(temperature=1.5, top_k=4)
    known = np.random.default_rng(1).random((3, *image_shape)) < 0.5
    check_ways_agree(ways_of_drawing(model, 3, known, **given))
    assert always_along_wavefront


def model_with_a_layer(layer):
    image = keras.Input((5, 6, 1), dtype="uint8", name="image")
    x = pz.layers.MaskedConv2D(4, 3, "A")(keras.layers.Rescaling(0.5)(image))
    return scrambled(pz.models.PixelModel(image, pz.layers.Logits(3)(layer(x))))


class DimmedRows(pz.layers.MaskedConv2D):
    """Layers of a user that see the rows above in a way of their own, and know nothing of windows."""

    def enter_row(self, weights, state, bias=None):
        return super().enter_row(weights, [row / 2 for row in state], bias)


class BorderOfOnes(pz.layers.MaskedConv2D):
    def initial_state(self, weights, batch, width):
        return [row + 1 for row in super().initial_state(weights, batch, width)]


class RowsTogether(pz.layers.MaskedConv2D):
    @classmethod
    def leave_rows(cls, *args):
        return [[row / 2 for row in state] for state in super().leave_rows(*args)]


class ByRowsOfItsOwn(pz.layers.RasterLayer):
    """A layer that says how far it sees, and leaves windows to `enter_row`."""

    reach = (1, 1)

    def build(self, input_shape):
        super().build(input_shape)
        self.convolution = pz.layers.MaskedConv2D(4, 3, "B")
        self.convolution.build(input_shape)

    def compute_output_shape(self, x_shape, bias_shape=None):
        return (*x_shape[:-1], 4)

    def call(self, x, bias=None):
        return self.convolution(x)


for method in ("prepare", "initial_state", "initial_record", "enter_row", "initial_memory", "enter_pixel"):
    setattr(ByRowsOfItsOwn, method, lambda self, *args, m=method: getattr(self.convolution, m)(*args))
for method in ("step", "leave_pixel", "row", "leave_row"):
    setattr(ByRowsOfItsOwn, method, lambda self, *args, m=method: getattr(self.convolution, m)(*args))


class MatrixOfMemory(pz.layers.MaskedConv2D):
    """A layer whose memory is a matrix for each image."""

    def initial_memory(self, weights, batch):
        return [keras.ops.reshape(x, (-1, 2, 2)) for x in super().initial_memory(weights, batch)]

    def enter_pixel(self, weights, context, memory):
        return super().enter_pixel(weights, context, [keras.ops.reshape(x, (-1, 4)) for x in memory])

    def leave_pixel(self, weights, memory, inputs, outputs):
        flat = [keras.ops.reshape(x, (-1, 4)) for x in memory]
        memory, record = super().leave_pixel(weights, flat, inputs, outputs)
        return [keras.ops.reshape(x, (-1, 2, 2)) for x in memory], record


@tensorflow_alone
@pytest.mark.parametrize(
    ("layer", "along_wavefront"),
    [
        (DimmedRows(4, 3, "B"), False),
        (BorderOfOnes(4, 3, "B"), False),
        (RowsTogether(4, 3, "B"), False),
        (MatrixOfMemory(4, 3, "B"), True),
        (ByRowsOfItsOwn(), True),
    ],
    ids=lambda x: type(x).__name__,
)
def test_layers_of_a_user_are_drawn_as_rows_are(layer, along_wavefront, always_along_wavefront):
    """A subclass that only overrides how rows are seen is drawn row by row, not wrongly along a wavefront."""
    model = model_with_a_layer(layer)
    check_ways_agree(ways_of_drawing(model, 3, np.indices((5, 6))[1] < 2))
    assert bool(always_along_wavefront) == along_wavefront


@pytest.mark.parametrize(
    "model",
    [
        functools.partial(pz.models.GatedPixelCNN, (12, 24, 1)),
        functools.partial(pz.models.PixelRNN, (12, 24, 1)),
        functools.partial(pz.models.PixelCNN, (64, 3, 1)),
        functools.partial(pz.models.PixelCNN, (1, 64, 1)),
    ],
)
def test_no_wavefront_where_layers_see_whole_rows_above_or_where_it_saves_nothing(model):
    assert Walker(model(num_blocks=1)).wavefront is None
    assert Walker(pz.models.PixelCNN((12, 24, 1), num_blocks=1)).wavefront is not None


def test_a_wavefront_does_not_pay_where_most_rows_are_known():
    walker = Walker(pz.models.PixelCNN((12, 24, 1), num_blocks=1))
    rows = np.broadcast_to(np.arange(12)[:, None, None], (12, 24, 3))
    assert [int(walker._pixels_of_unknown_rows(rows < known)) for known in (0, 4)] == [12 * 24, 8 * 24]
    assert [walker.wavefront.pays(pixels) for pixels in (12 * 24, 8 * 24)] == [True, False]


@pytest.mark.parametrize(("lag", "height", "width"), [(1, 3, 4), (2, 5, 5), (4, 28, 28), (4, 32, 32), (4, 6, 3)])
def test_a_wavefront_draws_each_pixel_once_after_what_it_sees(lag, height, width):
    front = Wavefront(lag, (height, width, 1))
    drawn_in = np.full((height, width), -1)
    for step, slot in np.ndindex(front.rows.shape):
        row, column = front.rows[step, slot], front.columns[step, slot]
        if 0 <= row < height and column < width:
            assert drawn_in[row, column] == -1 and row % front.slots == slot
            drawn_in[row, column] = step
    assert (drawn_in >= 0).all()
    assert (np.diff(drawn_in, axis=1) > 0).all()
    for shift in range(lag):
        assert (drawn_in[1:, : width - shift] > drawn_in[:-1, shift:]).all()
    x = np.arange(2 * height * width).reshape(height, width, 2)
    assert (keras.ops.convert_to_numpy(front.in_rows(front.in_steps(x))) == x).all()


@tensorflow_alone
def test_progress_is_shown_on_stderr_when_asked(small_model, capsys):
    small_model.generate(3, progress=True)
    shown = capsys.readouterr()
    assert (shown.out, "Sampling rows" in shown.err, "100%" in shown.err) == ("", True, True)
    for quiet in (False, None):
        small_model.generate(3, progress=quiet)
        assert capsys.readouterr() == ("", "")


@pytest.mark.slow
@tensorflow_alone
@pytest.mark.xla
def test_xla_draws_the_same(small_model):
    images = small_model.generate(3, jit_compile=False)
    assert (small_model.generate(3, jit_compile=True) == images).all()
    known = np.indices((4, 4))[0] < 2
    assert (small_model.complete(images, known, jit_compile=True) == small_model.complete(images, known)).all()


@pytest.mark.compiled  # many batches
@tensorflow_alone
def test_xla_is_taken_where_it_pays(monkeypatch):
    choices = []
    plain = backend.compiled
    monkeypatch.setattr(
        backend, "compiled", lambda function, variables, xla: choices.append(xla) or plain(function, variables)
    )
    model = pz.models.PixelCNN((1, 2, 1), filters=2, num_blocks=1)
    model.generate(15, batch_size=1)
    assert not any(choices)
    model.generate(16, batch_size=1)
    assert any(choices)


@pytest.fixture(scope="module")
def colour_model():
    return scrambled(pz.models.PixelCNN((3, 3, 2), levels=5, filters=4, num_blocks=1, head_filters=4))


OPTIONS = [{"temperature": 0.5}, {"temperature": 0}, {"top_k": 2}, {"top_p": 0.6}, {"min_p": 0.5}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_of_the_sampler_reach_every_value(colour_model, options):
    model, nothing = colour_model, np.zeros((4, 3, 3), bool)
    expected = slowly(model, np.zeros((4, 3, 3, 2), int), nothing, np.arange(4), **options)
    assert (model.generate(4, seed=0, sampler=Sampler(**options)) == expected).all()
    assert options == {"temperature": 0} or (expected[0] != expected[1]).any()


@tensorflow_alone
def test_keywords_are_shorthand_for_a_sampler(small_model):
    options = {"temperature": 0.7, "top_k": 3, "top_p": 0.8}
    images = small_model.generate(3, **options)
    assert (images == small_model.generate(3, sampler=Sampler(**options))).all()
    known = np.indices((4, 4))[0] < 2
    completed = small_model.complete(images, known, seed=5, **options)
    assert (completed == small_model.complete(images, known, seed=5, sampler=Sampler(**options))).all()


@dataclasses.dataclass(frozen=True)
class CutOffSampler(Sampler):
    """A rule of a user's own: keeps values of at least this probability, and the most likely one."""

    cut_off: float | None = dataclasses.field(
        default=None,
        metadata={
            "rule": pz.sampling.Rule(
                keeps=lambda ranking, least: (ranking.probability >= least) | (ranking.rank == 0),
                dtype="float32",
                off=0.0,
            )
        },
    )


@tensorflow_alone
def test_a_users_own_rule_is_a_field_of_a_subclass(small_model):
    assert kept(CutOffSampler(cut_off=0.32), [0.2, 0.1, 0.3, 0.4]) == [3]
    assert kept(CutOffSampler(top_k=3, cut_off=0.32), [0.2, 0.1, 0.3, 0.4]) == [2, 3]  # of 2/9, 3/9 and 4/9
    with pytest.raises(ValueError, match="cut_off must be a number, got 'half'"):
        CutOffSampler(cut_off="half")
    nothing = np.zeros((3, 4, 4), bool)
    zeros = np.zeros((3, 4, 4, 1), int)
    expected = slowly(small_model, zeros, nothing, np.arange(3), sampler=CutOffSampler(cut_off=0.3))
    assert (small_model.generate(3, sampler=CutOffSampler(cut_off=0.3)) == expected).all()
    assert (small_model.generate(3, sampler=CutOffSampler()) == small_model.generate(3)).all()


@pytest.mark.compiled
@tensorflow_alone
def test_new_values_of_options_compile_nothing(small_model, monkeypatch):
    """A function is traced where it is compiled, and what is drawn is chosen by Python only while it is traced."""
    traced = []
    plain = Walker._choose
    monkeypatch.setattr(Walker, "_choose", lambda *args: traced.append(args) or plain(*args))
    model = pz.models.PixelCNN.from_config(small_model.get_config())
    drawn = [
        model.generate(2, seed=1, sampler=sampler)
        for sampler in (Sampler(), Sampler(0.5), Sampler(top_k=2), Sampler(top_k=3, top_p=0.9), Sampler(0, min_p=0.1))
    ]
    assert len(traced) == 2  # without rules, and with them
    assert len({images.tobytes() for images in drawn}) > 3


def test_an_image_does_not_depend_on_its_batch():
    model = scrambled(pz.models.PixelRNN((4, 4, 1), levels=4, units=3, num_blocks=1))
    assert (model.generate(5, seed=3)[4] == model.generate(1, seed=7)[0]).all()
    assert (model.generate(2, seed=[7, 3]) == model.generate(5, seed=3)[[4, 0]]).all()


@tensorflow_alone
def test_all_known_and_nothing_known(small_model):
    model, images = small_model, random_images(small_model, 3)
    assert (model.complete(images, np.ones((4, 4), bool)) == images).all()
    assert (model.complete(images, np.zeros((4, 4), bool), seed=9) == model.generate(3, seed=9)).all()


@tensorflow_alone
def test_what_is_unknown_is_not_read(small_model):
    model, images = small_model, random_images(small_model, 2).astype("int64")
    known = np.indices((4, 4))[0] < 2
    marked = np.where(known[..., None], images, -1)
    assert (model.complete(marked, known) == model.complete(images, known)).all()


@pytest.mark.compiled  # many batches
def test_samples_follow_the_models_probabilities():
    """Over all images of a tiny shape, frequencies are the probabilities within four standard errors."""
    model = scrambled(pz.models.PixelRNN((2, 2, 1), levels=3, units=3, num_blocks=1))
    count = 4096
    samples = model.generate(count, seed=0).reshape(count, 4)
    everything = np.stack(np.unravel_index(np.arange(81), (3, 3, 3, 3)), axis=1)
    probabilities = np.exp(model.log_likelihood(everything.reshape(81, 2, 2, 1)))
    frequencies = np.bincount(samples @ [27, 9, 3, 1], minlength=81) / count
    assert (np.abs(frequencies - probabilities) <= 4 * np.sqrt(probabilities / count) + 1 / count).all()


def test_weights_trained_after_a_sample_are_those_sampled_next(small_model):
    first = small_model.generate(4)
    scrambled(small_model, seed=5)
    try:
        again = small_model.generate(4)
        assert (again != first).any()
        assert (again == slowly(small_model, first, np.zeros((4, 4, 4), bool), np.arange(4))).all()
    finally:
        scrambled(small_model)


def test_fixed_seeds_give_fixed_values():
    """The noise is part of what is promised: the same seeds must replay the same images in every later version."""
    noise = keras.ops.convert_to_numpy(backend.uniform_noise(backend.seed_words(np.array([2024])), (1, 2, 2)))
    values = Sampler()(np.zeros((4, 10), "float32"), noise.reshape(4))
    assert [int(value) for value in values] == [int(number * 10) for number in noise.reshape(4)]
    np.testing.assert_array_equal(noise.reshape(4) * 2**24, FIXED_NOISE)


FIXED_NOISE = [11499051, 10358517, 6075895, 1704309]
LEAST, LARGEST = np.float32(2**-24), np.float32(1 - 2**-24)


def test_noise_reaches_neither_0_nor_1():
    ends = keras.ops.convert_to_numpy(backend.uniform_of_bits(np.array([0, 511, 512, 2**32 - 1], "uint32")))
    assert ends.dtype == np.float32
    np.testing.assert_array_equal(ends, [LEAST, LEAST, 3 * LEAST, LARGEST])
    # The first value of seed 14503 whose bits are all 0 was once drawn whatever its probability.
    noise = backend.uniform_noise(backend.seed_words(np.array([14503])), (32, 32, 3))
    assert float(noise[0, 4, 22, 1]) == LEAST


def test_the_least_and_the_largest_noise_draw_no_unlikely_value():
    """Values of probability e^-66 at both ends: 2**-24 is e^-16.6."""
    logits = np.array([[-66, 0, 0, -66]] * 2, "float32")
    assert [int(value) for value in Sampler()(logits, np.array([LEAST, LARGEST]))] == [1, 2]
    uniform = np.zeros((2, 256), "float32")
    assert [int(value) for value in Sampler()(uniform, np.array([LEAST, LARGEST]))] == [0, 255]


def test_a_value_of_probability_0_never_comes_out():
    logits = np.full((3, 4), -1e30, "float32")
    logits[:, 1:3] = 0
    values = Sampler()(logits, np.array([LEAST, 0.5, LARGEST], "float32"))
    assert [int(value) for value in values] == [1, 2, 2]


def kept(sampler, probabilities):
    """The values that are drawn at all, by noise that meets every one."""
    noise = np.linspace(0.005, 0.995, 100, dtype="float32")
    logits = np.log(np.repeat(np.array([probabilities], "float32"), 100, axis=0))
    return sorted({int(value) for value in sampler(logits, noise)})


@pytest.mark.parametrize(
    ("options", "probabilities", "values"),
    [
        ({"top_k": 2}, [0.2, 0.1, 0.4, 0.3], [2, 3]),
        ({"top_k": 10**12}, [0.2, 0.1, 0.4, 0.3], [0, 1, 2, 3]),
        ({"top_p": 0.65}, [0.2, 0.1, 0.4, 0.3], [2, 3]),
        ({"top_p": 0.01}, [0.1, 0.6, 0.3], [1]),
        ({"top_p": 1.0}, [0.2, 0.1, 0.4, 0.3], [0, 1, 2, 3]),
        ({"min_p": 0.4}, [0.2, 0.1, 0.4, 0.3], [0, 2, 3]),
        ({"min_p": 0}, [0.2, 0.1, 0.4, 0.3], [0, 1, 2, 3]),
        # Each rule sees what the one before leaves: of 4/7 and 3/7 the nucleus of 0.5 is the first alone.
        ({"top_k": 2, "top_p": 0.5}, [0.2, 0.1, 0.4, 0.3], [2]),
        ({"top_k": 3, "min_p": 0.7}, [0.2, 0.1, 0.4, 0.3], [2, 3]),
        # Of equally likely values the smaller ones are kept.
        ({"top_k": 1}, [0.25] * 4, [0]),
        ({"top_k": 2}, [0.1, 0.3, 0.3, 0.3], [1, 2]),
        ({"top_p": 0.45}, [0.25] * 4, [0, 1]),
        ({"min_p": 1}, [0.3, 0.1, 0.3, 0.3], [0, 2, 3]),
    ],
    ids=str,
)
def test_rules_keep_these_values(options, probabilities, values):
    assert kept(Sampler(**options), probabilities) == values


def test_temperature_0_takes_the_smallest_of_the_most_likely_values():
    assert kept(Sampler(temperature=0, min_p=0.1), [0.1, 0.4, 0.1, 0.4]) == [1]


SHAPE = (4, 4, 1)


@tensorflow_alone
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_images": 0}, "num_images must be an integer of at least 1, got 0"),
        ({"num_images": 2.0}, "num_images must be an integer of at least 1, got 2.0"),
        ({"seed": 1.5}, "seed must be an integer.*got 1.5"),
        ({"seed": [1, 2, 3]}, r"seed must be an integer or an array of shape \(2,\), got shape \(3,\)"),
        ({"temperature": -1}, "temperature must be a finite number of at least 0 .*got -1"),
        ({"temperature": float("nan")}, "temperature must be .*got nan"),
        ({"top_k": 0}, "top_k must be an integer of at least 1, got 0"),
        ({"top_p": 0}, r"top_p must lie in \(0, 1\], got 0"),
        ({"top_p": 1.5}, r"top_p must lie in \(0, 1\], got 1.5"),
        ({"temprature": 0.5}, "unexpected argument 'temprature'; options are sampler, temperature, top_k"),
        ({"sampler": 0.5}, "sampler must be a pixel_zoo.sampling.Sampler, got 0.5"),
        ({"sampler": Sampler(0.5), "top_k": 2}, "top_k: give options of sampling in sampler= or by keyword, not both"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"jit_compile": "yes"}, "jit_compile must be True, False or 'auto', got 'yes'"),
        ({"progress": 1}, "progress must be True, False or None, got 1"),
        ({"conditioning": [0]}, "conditioning must hold the model's 0 inputs other than the image, got 1"),
    ],
    ids=str,
)
def test_bad_arguments_of_generate_are_named(arguments, message):
    model = pz.models.PixelCNN(SHAPE, filters=2, num_blocks=1)
    with pytest.raises((ValueError, TypeError), match=message):
        model.generate(**{"num_images": 2, **arguments})


def test_a_bad_option_is_named_when_the_sampler_is_made():
    for min_p in (-0.1, 1.5, "0.1", True):
        with pytest.raises(ValueError, match=rf"min_p must lie in \[0, 1\], got {min_p!r}"):
            Sampler(min_p=min_p)


@tensorflow_alone
@pytest.mark.parametrize(
    ("known", "message"),
    [
        (np.ones((4, 4), int), "known must be a mask of bool.*int64"),
        (np.ones((4, 5), bool), r"known must have shape \(2, 4, 4\), \(4, 4\) or \(2, 4, 4, 1\), got \(4, 5\)"),
        (np.ones((2, 4, 4, 2), bool), r"known must have shape .* got \(2, 4, 4, 2\)"),
    ],
    ids=["dtype", "shape", "rank"],
)
def test_a_bad_mask_is_refused(known, message):
    model = pz.models.PixelCNN(SHAPE, filters=2, num_blocks=1)
    with pytest.raises((ValueError, TypeError), match=message):
        model.complete(np.zeros((2, *SHAPE), "uint8"), known)


@tensorflow_alone
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 4, 5, 1), "uint8"), r"images must have shape \(batch, 4, 4, 1\), got \(2, 4, 5, 1\)"),
        (np.zeros((2, *SHAPE)), "images must be integers 0..1 .*float64"),
        (np.full((2, *SHAPE), 2), r"images must have values 0..1, got 2..2"),
        (np.zeros((0, *SHAPE), int), "the number of images must be an integer of at least 1, got 0"),
    ],
    ids=["shape", "dtype", "values", "none"],
)
def test_bad_images_are_refused(images, message):
    model = pz.models.PixelCNN(SHAPE, filters=2, num_blocks=1)
    with pytest.raises((ValueError, TypeError), match=message):
        model.complete(images, np.ones((4, 4), bool))


def test_a_model_that_is_no_graph_is_refused():
    with pytest.raises(TypeError, match="model must be a functional Keras model of raster layers, got Sequential"):
        pz.sampling.generate(keras.Sequential())


def image_input(*shape):
    image = keras.Input(shape, dtype="int32", name="image")
    return image, keras.layers.Rescaling(1.0)(image)
