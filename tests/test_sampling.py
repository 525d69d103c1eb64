"""Sampling: exact, a function of weights and noise alone, and the same however it is run."""

import keras
import numpy as np
import pytest
from catalogue import MODELS
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo import backend
from pixel_zoo.likelihoods import likelihood_of_logits
from pixel_zoo.sampling import Sampler

every_model = pytest.mark.parametrize("entry", MODELS, ids=str)

# Random123's own test vectors of Threefry-2x32 with 20 rounds (kat_vectors): counter, key, result.
THREEFRY = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def slowly(model, images, known, seeds, temperature=1.0, top_k=None, top_p=None):
    """The obvious way: the whole network anew for every value, with the same noise."""
    shape = model.image_shape
    likelihood, sampler = likelihood_of_logits(model.outputs[0].shape), Sampler(top_k, top_p)
    noise = keras.ops.convert_to_numpy(backend.uniform_noise(backend.seed_words(np.asarray(seeds)), shape))
    run = backend.compiled(lambda x: model(x, training=False), model.variables, xla=False)
    images = np.where(known[..., None], images, 0).astype("int32")
    temperatures = np.full(len(images), temperature, "float32")
    for position in np.ndindex(*shape):
        logits = keras.ops.convert_to_numpy(run(images))[:, *position]
        drawn = sampler(likelihood.class_logits(logits), noise[:, *position], temperatures)
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
    assert together.min() >= 0 and together.max() < 1


@every_model
@pytest.mark.parametrize(("image_shape", "levels"), [((3, 4, 1), 2), ((3, 3, 3), 5)], ids=str)
def test_fast_equals_slow_to_the_integer(entry, image_shape, levels):
    model = scrambled(entry.make(image_shape=image_shape, levels=levels))
    seeds = np.array([11, 12, 13])
    nothing = np.zeros((3, *image_shape[:2]), bool)
    images = random_images(model, 3)
    assert (model.generate(3, seed=11) == slowly(model, images, nothing, seeds)).all()
    # Known pixels anywhere, a row that only some images know, and one that all know: it runs in parallel.
    known = np.random.default_rng(2).random((3, *image_shape[:2])) < 0.5
    known[:, 1] = True
    known[1, 2] = True
    completed = model.complete(images, known, seed=seeds)
    assert (completed == slowly(model, images, known, seeds)).all()
    assert (completed[known] == images[known]).all()


@pytest.mark.parametrize("choice", [{"temperature": 0.5}, {"temperature": 0}, {"top_k": 2}, {"top_p": 0.6}], ids=str)
def test_choices_of_the_sampler_reach_every_value(choice):
    model = scrambled(pz.models.PixelCNN((3, 4, 2), levels=5, filters=4, num_blocks=1))
    nothing = np.zeros((4, 3, 4), bool)
    expected = slowly(model, np.zeros((4, 3, 4, 2), int), nothing, np.arange(4), **choice)
    assert (model.generate(4, seed=0, **choice) == expected).all()
    assert choice == {"temperature": 0} or (expected[0] != expected[1]).any()


def test_an_image_does_not_depend_on_its_batch():
    model = scrambled(pz.models.PixelRNN((4, 4, 1), levels=4, units=3, num_blocks=1))
    assert (model.generate(5, seed=3)[4] == model.generate(1, seed=7)[0]).all()
    assert (model.generate(2, seed=[7, 3]) == model.generate(5, seed=3)[[4, 0]]).all()


def test_all_known_and_nothing_known():
    model = scrambled(pz.models.PixelCNN((4, 4, 1), levels=4, filters=3, num_blocks=1))
    images = random_images(model, 3)
    assert (model.complete(images, np.ones((4, 4), bool)) == images).all()
    assert (model.complete(images, np.zeros((4, 4), bool), seed=9) == model.generate(3, seed=9)).all()


def test_what_is_unknown_is_not_read():
    model = scrambled(pz.models.PixelCNN((4, 4, 1), levels=4, filters=3, num_blocks=1))
    images = random_images(model, 2).astype("int64")
    known = np.indices((4, 4))[0] < 2
    marked = np.where(known[..., None], images, -1)
    assert (model.complete(marked, known) == model.complete(images, known)).all()


def test_samples_follow_the_models_probabilities():
    """Over all images of a tiny shape, frequencies are the probabilities within four standard errors."""
    model = scrambled(pz.models.PixelRNN((2, 2, 1), levels=3, units=3, num_blocks=1))
    count = 4096
    samples = model.generate(count, seed=0).reshape(count, 4)
    everything = np.stack(np.unravel_index(np.arange(81), (3, 3, 3, 3)), axis=1)
    probabilities = np.exp(model.log_likelihood(everything.reshape(81, 2, 2, 1)))
    frequencies = np.bincount(samples @ [27, 9, 3, 1], minlength=81) / count
    assert (np.abs(frequencies - probabilities) <= 4 * np.sqrt(probabilities / count) + 1 / count).all()


def test_weights_trained_after_a_sample_are_those_sampled_next():
    model = scrambled(pz.models.PixelCNN((4, 4, 1), levels=4, filters=3, num_blocks=1))
    first = model.generate(4)
    scrambled(model, seed=5)
    assert (model.generate(4) != first).any()
    assert (model.generate(4) == slowly(model, first, np.zeros((4, 4, 4), bool), np.arange(4))).all()


def test_fixed_seeds_give_fixed_values():
    """The noise is part of what is promised: the same seeds must replay the same images in every later version."""
    noise = keras.ops.convert_to_numpy(backend.uniform_noise(backend.seed_words(np.array([2024])), (1, 2, 2)))
    uniform = np.zeros((4, 10), "float32")
    values = Sampler()(uniform, noise.reshape(4), np.ones(4, "float32"))
    assert [int(value) for value in values] == [int(number * 10) for number in noise.reshape(4)]
    np.testing.assert_array_equal((noise.reshape(4) * 2**24).astype(int), FIXED_NOISE)


FIXED_NOISE = [11499051, 10358516, 6075894, 1704308]


def test_a_value_of_probability_0_never_comes_out():
    logits = np.full((3, 4), -1e30, "float32")
    logits[:, 1:3] = 0
    largest = np.float32(1 - 2**-24)
    values = Sampler()(logits, np.array([0, 0.5, largest], "float32"), np.ones(3, "float32"))
    assert [int(value) for value in values] == [1, 2, 2]


def test_top_p_keeps_the_most_likely_value_whatever_p_is():
    logits = np.log(np.array([[0.1, 0.6, 0.3]], "float32"))
    for uniform in (0.0, 0.5, 0.99):
        assert int(Sampler(top_p=0.01)(logits, np.float32([uniform]), np.ones(1, "float32"))[0]) == 1


SHAPE = (4, 4, 1)


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
    ],
    ids=str,
)
def test_bad_arguments_of_generate_are_named(arguments, message):
    model = pz.models.PixelCNN(SHAPE, filters=2, num_blocks=1)
    with pytest.raises((ValueError, TypeError), match=message):
        model.generate(**{"num_images": 2, **arguments})


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (np.ones((4, 4), int), "known must be a mask of bool.*int64"),
        (np.ones((4, 5), bool), r"known must have shape \(2, 4, 4\) or \(4, 4\), got \(4, 5\)"),
        (np.ones((2, 4, 4, 1), bool), r"known must have shape .* got \(2, 4, 4, 1\)"),
    ],
    ids=["dtype", "shape", "rank"],
)
def test_a_bad_mask_is_refused(known, message):
    model = pz.models.PixelCNN(SHAPE, filters=2, num_blocks=1)
    with pytest.raises((ValueError, TypeError), match=message):
        model.complete(np.zeros((2, *SHAPE), "uint8"), known)


def image_input(*shape):
    image = keras.Input(shape, dtype="int32", name="image")
    return image, keras.layers.Rescaling(1.0)(image)


def test_a_layer_that_is_neither_raster_nor_pointwise_is_refused_by_name():
    image, x = image_input(4, 4, 1)
    x = keras.layers.Conv2D(3, 3, padding="same", name="plain")(pz.layers.MaskedConv2D(3, 3, "A")(x))
    model = pz.models.PixelModel(image, pz.layers.Logits(2)(x))
    with pytest.raises(ValueError, match=r"layer 'plain' \(Conv2D\) is neither a raster layer nor pointwise"):
        model.generate(1)


def test_a_model_without_mask_a_is_refused():
    image, x = image_input(4, 4, 1)
    model = pz.models.PixelModel(image, pz.layers.Logits(2)(pz.layers.MaskedConv2D(3, 3, "B")(x)))
    with pytest.raises(ValueError, match=r"mask_type='A'.*check_causality"):
        model.generate(1)


def test_a_concatenation_that_mixes_colours_is_refused():
    image, x = image_input(4, 4, 3)
    x = pz.layers.MaskedConv2D(4, 3, "A", colours=3)(x)
    x = keras.layers.Concatenate(name="mixed")([x, keras.layers.ReLU()(x)])
    model = pz.models.PixelModel(image, pz.layers.Logits(2, colours=3)(x))
    with pytest.raises(ValueError, match=r"layer 'mixed' concatenates maps of \[4, 4\] features"):
        model.generate(1)
