"""The other head of the benchmark of claims: a distribution, the mixture that it should be, and causal."""

import keras
import numpy as np
import pytest
from logistic_mixture import LogisticMixture, LogisticMixturePixelRNN

import pixel_zoo as pz


def probabilities(parameters, levels):
    """What the head makes of its parameters (colours, weights then means then log-scales): (colours, levels)."""
    colours, numbers = np.shape(parameters)
    layer = LogisticMixture(levels, components=numbers // 3, colours=colours)
    layer.build((None, 1, 1, colours))
    layer.bias.assign(np.ravel(parameters))
    return np.exp(keras.ops.convert_to_numpy(layer(np.zeros((1, 1, 1, colours), "float32")))[0, 0, 0])


def test_probabilities_sum_to_one_however_narrow_or_wide_the_logistics():
    parameters = np.random.default_rng(0).normal(0, 5, (60, 9))
    np.testing.assert_allclose(probabilities(parameters, 17).sum(-1), 1, atol=1e-4)


def test_is_a_mixture_of_logistics_cut_half_way_between_levels():
    weights, means, log_scales = np.array([[0.5, -0.3], [0.2, -0.4], [-1.5, -2.5]])
    edges = np.array([-np.inf, -0.75, -0.25, 0.25, 0.75, np.inf])  # five levels are at -1, -0.5, 0, 0.5, 1
    centres = means + np.array([-0.5, 0.5])  # from where the two components start
    below = 1 / (1 + np.exp((centres - edges[:, None]) / np.exp(log_scales)))
    expected = np.diff(below, axis=0) @ np.exp(weights) / np.exp(weights).sum()
    np.testing.assert_allclose(probabilities([[*weights, *means, *log_scales]], 5)[0], expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("colours", [1, 2])
def test_is_causal_and_draws_what_it_scores(colours):
    options = {"units": 4, "num_blocks": 1, "head_filters": 6}
    model = LogisticMixturePixelRNN((3, 4, colours), levels=5, components=2, options=options)
    pz.check_causality(model)
    images, nats = model.generate(num_images=4, seed=1, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(images), rtol=1e-4)
    known = np.zeros((3, 4), bool)
    known[0] = True  # a row that is run at once
    completed, nats = model.complete(images, known, seed=2, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(completed), rtol=1e-4)
