"""Completion with particles: exact in the limit, on shapes so small that every completion can be enumerated."""

import functools
import itertools
import math

import keras
import numpy as np
import pytest
from backends import fewer_on_jax, tensorflow_alone
from catalogue import GIVEN_MODELS, given_with
from test_models import random_images, repeated, scrambled

import pixel_zoo as pz
from pixel_zoo import backend
from pixel_zoo.inputs import check_conditions
from pixel_zoo.sampling import Sampler, particle_walker, particles
from pixel_zoo.sampling.drawing import compiled_walk
from pixel_zoo.sampling.resampling import systematic

TINY = {"num_blocks": 1, "head_filters": 4}


def enumerated(model, image, known, sampler=None, **given):
    """All images that agree with what is known of one: (images, p(image | known), log p(known)), by brute force."""
    values = itertools.product(range(model.levels), repeat=math.prod(model.image_shape))
    images = np.array(list(values), "uint8").reshape(-1, *model.image_shape)
    images = images[(images == image)[:, known].all(axis=1)]
    given = repeated(given, len(images))
    if sampler is None:
        nats = model.log_likelihood(images, **given).astype("float64")
    else:
        logits = model.log_probabilities(images, **given).reshape(-1, model.levels)
        of_values = sampler.log_prob(images.reshape(-1).astype("int32"), logits, sampler.options(len(logits)))
        nats = keras.ops.convert_to_numpy(of_values).astype("float64").reshape(len(images), -1).sum(axis=1)
    log_evidence = np.logaddexp.reduce(nats)
    return images, np.exp(nats - log_evidence), log_evidence


def populations(model, image, known, seeds, count, sampler=None, **given):
    """The weighted particles of one image, completed with each of the seeds."""
    sampler, number = sampler or Sampler(), len(seeds)
    walks = [compiled_walk(particles.ParticleWalk, stage, type(sampler), False) for stage in model.stages]
    arrays = [np.repeat(x[None], number, axis=0) for x in (image.astype("int32"), known)]
    batch = particles.Batch(np.arange(number), np.asarray(seeds), *arrays, count, sampler)
    given = repeated(given, number)
    return particles.draw_population(model.stages, walks, batch, check_conditions(model, number, **given))


def law(images, weights, completions):
    """The share of each of the completions among weighted images."""
    codes = {completion.tobytes(): place for place, completion in enumerate(completions)}
    places = [codes[image.tobytes()] for image in images.astype("uint8")]
    return np.bincount(places, weights, len(completions)) / weights.sum()


def law_of(population, completions):
    """The distribution of the completion that is chosen of a population's particles, on average over its images."""
    return law(population.images, np.exp(population.log_weights).ravel(), completions)


def distance(p, q):
    """Total variation."""
    return 0.5 * np.abs(p - q).sum()


def mask(shape, share=0.5, seed=1):
    """A random mask, the first entry unknown and the last one known."""
    known = np.random.default_rng(seed).random(shape) < share
    known.flat[0], known.flat[-1] = False, True
    return known


def strong(model, seed=0):
    """The model with random weights so large that its pixels depend strongly on each other."""
    for weight in scrambled(model, seed).weights:
        weight.assign(2.0 * np.asarray(weight))
    return model


def multi_scale(**arguments):
    return pz.models.MultiScalePixelRNN(**{"base": "PixelCNN", "options": {"filters": 4, **TINY}} | arguments)


# A mixture of a Gated PixelCNN and a Row LSTM with labels, a Diagonal BiLSTM with vectors; the scales are PixelCNNs.
ENTRIES = [entry for entry in GIVEN_MODELS if entry.arguments.get("recurrence") == "diagonal" or not entry.arguments]
CASES = {
    **{str(entry): (lambda entry=entry: entry.make(image_shape=(2, 2, 2), levels=2, **TINY)) for entry in ENTRIES},
    "three scales": lambda: multi_scale(image_shape=(2, 4, 1), levels=2, small_shapes=((1, 1), (2, 2)), num_classes=2),
}


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("case", fewer_on_jax(CASES, [str(ENTRIES[-1])], quick=map(str, ENTRIES)))
def test_particles_tend_to_the_enumerated_conditional(case, monkeypatch):
    """Of every architecture, with all that a model can be given, and masks of colours; resampled in every row."""
    monkeypatch.setattr(particle_walker, "THRESHOLD", 1.0)
    model = scrambled(CASES[case]())
    image, known = random_images(model, 1)[0], np.ones(model.image_shape, bool)
    known.flat[[0, 3, 6]] = False
    given = given_with(model.stages[0], 1)
    completions, conditional, log_evidence = enumerated(model, image, known, **given)
    population = populations(model, image, known, np.arange(8), 4096, **given)
    assert distance(law_of(population, completions), conditional) < 0.01
    np.testing.assert_allclose(population.log_evidence, log_evidence, atol=0.2)
    np.testing.assert_allclose(np.exp(population.log_evidence - log_evidence).mean(), 1, rtol=0.03)
    # The log-likelihood is summed up along the way, from states that move from particle to particle.
    images, nats = population.images[::997], (population.nats_before + population.nats)[::997]
    if model.likelihood_kind == "exact":
        np.testing.assert_allclose(nats, model.log_likelihood(images, **repeated(given, len(images))), rtol=1e-4)


# Every architecture alone: 2 x 3 binary pixels, and a seed of weights with which known pixels depend on unknown ones
# before them. The small image of the two scales has a known and an unknown pixel.
BINARY = {"image_shape": (2, 3, 1), "levels": 2, **TINY}
ALONE = {
    "PixelCNN": (0, lambda: pz.models.PixelCNN(filters=4, **BINARY)),
    "GatedPixelCNN": (5, lambda: pz.models.GatedPixelCNN(filters=4, **BINARY)),
    "Row LSTM": (4, lambda: pz.models.PixelRNN(recurrence="row", units=4, **BINARY)),
    "Diagonal BiLSTM": (0, lambda: pz.models.PixelRNN(recurrence="diagonal", units=4, **BINARY)),
    "two scales": (0, lambda: multi_scale(image_shape=(2, 4, 1), levels=2, small_shapes=((1, 2),))),
}


@functools.cache
def tiny(architecture):
    """A model, an image of it, a mask with known pixels after unknown ones, and the enumerated truth."""
    seed, make = ALONE[architecture]
    model = strong(make(), seed)
    image, known = random_images(model, 1)[0], np.zeros(model.image_shape, bool)
    known[0, 2:] = known[1, 1:] = True
    return model, image, known, *enumerated(model, image, known)


def law_of_one(model, completions, known):
    """What one particle draws from: each unknown value given those before it, as if no known one came later."""
    expected = model.log_probabilities(completions).astype("float64")
    own = np.take_along_axis(expected, completions[..., None].astype(int), axis=-1)[..., 0]
    return np.exp(np.where(known, 0, own).sum(axis=(1, 2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", fewer_on_jax(ALONE, ["PixelCNN"]))
def test_more_particles_come_closer_and_the_evidence_is_unbiased_for_few(architecture):
    model, image, known, completions, conditional, log_evidence = tiny(architecture)
    distances, biases = [distance(law_of_one(model, completions, known), conditional)], []
    for count, number in ((4, 4096), (4096, 8)):
        population = populations(model, image, known, np.arange(number), count)
        distances.append(distance(law_of(population, completions), conditional))
        evidence = np.exp(population.log_evidence.astype("float64") - log_evidence)
        assert abs(evidence.mean() - 1) < 4 * evidence.std() / np.sqrt(number) + 1e-4
        biases.append(population.log_evidence.mean() - log_evidence)
    assert distances[0] > 0.1 and distances[1] < distances[0] / 2 and distances[2] < min(0.01, distances[1])
    assert biases[0] < min(0, biases[1]), "the logarithm of an unbiased estimate is too low on average"


@tensorflow_alone
def test_sweeps_lead_to_the_conditional_whatever_they_start_from():
    """Two particles alone are far from it. The completions count that are returned, not weighted particles."""
    model, image, known, completions, conditional, _ = tiny("PixelCNN")
    count = 2048
    images, options = image[None].repeat(count, axis=0), {"particles": 2, "batch_size": 2 * count}
    drawn = [model.complete(images, known[..., 0], sweeps=sweeps, **options) for sweeps in (0, 8)]
    few, swept = (distance(law(one, np.ones(count), completions), conditional) for one in drawn)
    assert few > 0.08 and swept < 0.03


@tensorflow_alone
def test_options_of_sampling_change_the_distribution_that_is_conditioned():
    sampler = Sampler(1.5, min_p=0.1)
    image, known = np.zeros((2, 2, 1), int), np.array([[0, 0], [1, 1]], bool)[..., None]
    model = strong(pz.models.PixelCNN((2, 2, 1), 4, filters=4, **TINY))
    completions, conditional, log_evidence = enumerated(model, image, known, sampler)
    population = populations(model, image, known, np.arange(8), 4096, sampler)
    assert distance(law_of(population, completions), conditional) < 0.01
    np.testing.assert_allclose(population.log_evidence, log_evidence, atol=0.1)
    _, unrestricted, _ = enumerated(model, image, known)
    assert distance(conditional, unrestricted) > 0.05


@pytest.mark.slow_on_jax
def test_particles_of_several_scales_keep_their_small_images():
    """Where their pixels are not copied, each completion needs the small image that it was drawn from. Swept, too."""
    options = {"base": "PixelRNN", "options": {"units": 4, "recurrence": "row", **TINY}, "copy_known": False}
    model = strong(multi_scale(image_shape=(4, 4, 1), levels=3, small_shapes=((2, 2),), num_classes=3, **options))
    images, known = random_images(model, 3), mask((3, 4, 4))
    options = {"labels": [2, 0, 1], "particles": 8, "sweeps": 1, "return_log_likelihood": True}
    completed, nats = model.complete(images, known, **options)
    assert (completed[known] == images[known]).all()
    np.testing.assert_allclose(nats, model.log_likelihood(completed, labels=[2, 0, 1]), rtol=1e-4)


@pytest.fixture(scope="module")
def model():
    return scrambled(pz.models.PixelCNN((2, 4, 2), levels=3, filters=4, num_blocks=1, head_filters=4))


@pytest.mark.slow_on_jax
def test_one_particle_draws_what_the_plain_walk_draws(model):
    images, known = random_images(model, 3), mask((3, 2, 4))
    plain = model.complete(images, known, seed=[5, -7, 2**40])
    one, nats, diagnostics = model.complete(
        images, known, seed=[5, -7, 2**40], return_log_likelihood=True, return_diagnostics=True
    )
    assert (one == plain).all() and (one[known] == images[known]).all()
    np.testing.assert_allclose(nats, model.log_likelihood(plain), rtol=1e-5)
    assert (diagnostics.effective_sample_size == 1).all()
    # Where all known pixels come first, there is nothing to weigh, whatever the number of particles.
    top = np.arange(2)[:, None].repeat(4, axis=1) < 1
    many, diagnostics = model.complete(images, top, seed=3, particles=32, sweeps=2, return_diagnostics=True)
    assert (many == model.complete(images, top, seed=3)).all()
    assert (diagnostics.effective_sample_size == 32).all()


@tensorflow_alone
def test_single_colours_may_be_known(model):
    images, known = random_images(model, 3), np.zeros((3, 2, 4, 2), bool)
    known[..., 0] = True
    for count in (1, 8):
        completed = model.complete(images, known, particles=count)
        assert (completed[known] == images[known]).all()
        assert (completed[~known] != images[~known]).any()
    assert (model.complete(images, np.ones((3, 2, 4, 2), bool), particles=8) == images).all()


@tensorflow_alone
def test_a_completion_depends_on_its_own_seed_alone(model):
    images, known = random_images(model, 3), mask((3, 2, 4))
    options = {"seed": np.arange(3) + 2**33, "particles": 8, "return_diagnostics": True}
    completed, diagnostics = model.complete(images, known, **options)
    split, of_split = pz.sampling.complete(model, images, known, batch_size=15, **options)
    assert (split == completed).all()
    np.testing.assert_allclose(of_split.log_evidence, diagnostics.log_evidence, rtol=1e-5)
    alone = model.complete(images[2:], known[2:], seed=2**33 + 2, particles=8)
    assert (alone == completed[2:]).all()
    assert (model.complete(images, known, seed=9, particles=8) != completed).any()


@pytest.mark.slow_on_jax
def test_the_probability_of_what_is_known(model):
    images = random_images(model, 3)
    exact = model.log_likelihood(images)
    np.testing.assert_allclose(model.log_likelihood(images, known=np.ones((2, 4), bool)), exact, rtol=1e-5)
    assert (model.log_likelihood(images, known=np.zeros((2, 4), bool)) == 0).all()
    upper = np.arange(2)[:, None].repeat(4, axis=1) < 1
    of_upper = model.log_probabilities(images)[:, :1]
    of_values = np.take_along_axis(of_upper, images[:, :1, ..., None].astype(int), axis=-1).sum(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(model.log_likelihood(images, known=upper), of_values, rtol=1e-5)
    estimated = model.log_likelihood(images, known=mask((3, 2, 4)), particles=8)
    assert (exact < estimated).all() and (estimated < 0).all()


@pytest.mark.slow_on_jax
def test_systematic_resampling_gives_each_particle_its_share():
    draw = np.random.default_rng(0)
    for count in (1, 2, 7, 4096):
        weights = draw.random((5, count)) ** 8
        weights[:, ::3] = 0 if count > 1 else 1
        weights /= weights.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            log_weights = np.log(weights).astype("float32")
        uniform = np.array([2**-24, 0.25, 0.5, 0.75, 1 - 2**-24], "float32")
        taken = keras.ops.convert_to_numpy(systematic(log_weights, uniform)).reshape(5, count)
        assert (np.diff(taken, axis=1) >= 0).all() and (taken // count == np.arange(5)[:, None]).all()
        copies = np.stack([np.bincount(one % count, minlength=count) for one in taken])
        assert (np.abs(copies - count * weights) < 1 + 1e-3).all() and (copies[weights == 0] == 0).all()


def test_noise_of_particles_is_their_own():
    words = backend.seed_words(np.array([3, 4, 2**40]))
    sets = [backend.particle_seeds(words, 100, number) for number in (0, 1)]
    seeds = [tuple(pair) for own in sets for pair in zip(*(np.asarray(word).tolist() for word in own), strict=True)]
    square = [np.asarray(word) for word in backend.particle_seeds(words, 3)]  # see `test_noise_depends_on_...`
    alone = [np.asarray(word) for word in backend.particle_seeds([word[1:2] for word in words], 3)]
    assert all((one[3:6] == own).all() for one, own in zip(square, alone, strict=True))
    # The first particle of each set has the image's own seed.
    assert len(set(seeds)) == len(seeds) - 3
    assert [seeds[place] for place in (0, 100, 200)] == [(0, 3), (0, 4), (256, 0)]


@tensorflow_alone
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"particles": 0}, "particles must be an integer of at least 1, got 0"),
        ({"particles": 2.0}, "particles must be an integer of at least 1, got 2.0"),
        ({"particles": 4, "sweeps": -1}, "sweeps must be an integer of at least 0, got -1"),
        ({"sweeps": 1}, "particles must be at least 2 with sweeps, got particles=1 and sweeps=1"),
        ({"particles": 4, "temperature": 0}, "temperature must be above 0 with particles, got 0"),
        ({"particles": 4, "known": np.ones((2, 4, 4, 1), bool)}, r"known must have shape .*got \(2, 4, 4, 1\)"),
        ({"particles": 4, "known": np.ones((4, 5), bool)}, r"known must have shape .*got \(4, 5\)"),
    ],
)
def test_wrong_arguments_are_named(model, options, message):
    arguments = {"images": random_images(model, 2), "known": mask((2, 4))} | options
    with pytest.raises(ValueError, match=message):
        model.complete(**arguments)


@tensorflow_alone
def test_known_pixels_that_the_rules_leave_out_are_refused(model):
    known = np.arange(2)[:, None].repeat(4, axis=1) >= 1
    with pytest.raises(ValueError, match=r"images\[\d\]: its known pixels have probability 0 under Sampler\(.*top_k=1"):
        model.complete(random_images(model, 3), known, particles=8, top_k=1)


@tensorflow_alone
def test_particles_that_do_not_fit_into_memory_are_refused(model, monkeypatch):
    monkeypatch.setattr(backend, "free_memory", lambda: 10**8)
    message = r"particles=1,000,000 for 1 image at a time need about \d+\.\d GB of memory, but 0.1 GB are free"
    with pytest.raises(ValueError, match=message):
        model.complete(random_images(model, 2), mask((2, 4)), particles=10**6)
