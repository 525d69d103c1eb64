"""Scores, thresholds and surprise maps."""

import math

import numpy as np
import pytest
from backends import tensorflow_alone
from catalogue import given_with
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo.anomaly import Threshold

SMALL = {"filters": 4, "num_blocks": 1, "head_filters": 4}


@pytest.mark.parametrize(
    "make",
    [
        lambda: pz.models.PixelCNN((3, 4, 2), 3, num_classes=3, conditioning_dim=2, **SMALL),
        lambda: pz.models.PixelCNN((3, 4, 1), 2, **SMALL),
        pytest.param(
            lambda: pz.models.MultiScalePixelRNN(
                (4, 4, 1), 3, small_shapes=((2, 2),), base="PixelCNN", options=SMALL, num_classes=3
            ),
            marks=pytest.mark.slow_on_jax,
        ),
    ],
    ids=["colours, label and vector", "binary", "multi-scale"],
)
def test_surprise_is_what_the_model_predicts_of_each_value(make):
    model = scrambled(make())
    images, given = random_images(model, 5), given_with(model.stages[0], 5)
    nats = pz.anomaly.surprise(model, images, **given)
    assert nats.shape == images.shape and nats.dtype == np.float32 and (nats > -1e-6).all()
    expected = pz.anomaly.surprise_of(images, model.log_probabilities(images, **given))
    np.testing.assert_allclose(nats, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(nats.sum(axis=(1, 2, 3)), -model.log_likelihood(images, **given), rtol=1e-5)


@tensorflow_alone
def test_surprise_checks_images_as_log_likelihood_does():
    model = pz.models.PixelCNN((3, 4, 1), 3, **SMALL)
    with pytest.raises(ValueError, match=r"images must have values 0\.\.2, got 0\.\.3"):
        pz.anomaly.surprise(model, np.arange(12).reshape(1, 3, 4, 1) % 4)
    with pytest.raises(ValueError, match="labels: the model takes none"):
        model.surprise(np.zeros((1, 3, 4, 1), int), 1)


@tensorflow_alone
def test_typicality_is_the_distance_of_a_batch_from_the_entropy():
    nats, typical = np.array([90.0, 110.0, 70.0, 75.0, 200.0, 0.0]), np.array([95.0, 105.0, 100.0])
    np.testing.assert_allclose(pz.anomaly.typicality(nats, typical), [10, 10, 30, 25, 100, 100])
    np.testing.assert_allclose(pz.anomaly.typicality(nats, typical, together=2), [0, 27.5, 0])
    assert pz.anomaly.typicality(np.float32([math.inf]), typical) == math.inf


@tensorflow_alone
def test_a_png_file_is_as_long_as_it_is(tmp_path):
    from PIL import Image

    images = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3))
    images[1] = 5
    for index, image in enumerate(images):
        Image.fromarray(image.astype("uint8")).save(tmp_path / f"{index}.png", optimize=True)
    lengths = [8 * (tmp_path / f"{index}.png").stat().st_size for index in range(2)]
    assert pz.anomaly.png_bits(images).tolist() == lengths and lengths[0] > 2 * lengths[1]


@tensorflow_alone
def test_the_auroc_is_the_share_of_pairs_in_the_right_order():
    random = np.random.default_rng(0)
    normal, anomalous = random.integers(0, 9, 37), random.integers(3, 12, 23)  # with many ties
    above, equal = (normal[:, None] < anomalous).mean(), (normal[:, None] == anomalous).mean()
    assert pz.anomaly.auroc(normal, anomalous) == pytest.approx(above + equal / 2, abs=1e-12)
    assert pz.anomaly.auroc([1.0, 2.0], [3.0, math.inf]) == 1


@tensorflow_alone
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.3, 0.999])
@pytest.mark.parametrize("count", [99, 100, 137, 1000])
def test_a_new_normal_image_is_flagged_as_often_as_is_said(count, rate):
    """Any of n + 1 exchangeable images is the new one with equal probability: try each of them."""
    scores = np.random.default_rng(count).permutation(count + 1) ** 2.0
    for values, exactly in ((scores, True), (scores // 5000, False)):  # the second with ties
        calibrated = [Threshold.calibrate(np.delete(values, new), rate) for new in range(count + 1)]
        flagged = np.mean([one.flags(values[[new]])[0] for new, one in enumerate(calibrated)])
        expected = calibrated[0].expected_rate
        assert flagged == pytest.approx(expected) if exactly else flagged <= expected
        assert rate - 1 / (count + 1) < expected <= rate + 1e-9


@tensorflow_alone
def test_the_rate_of_one_threshold_deviates_as_is_said():
    random = np.random.default_rng(0)
    thresholds = [Threshold.calibrate(random.random(200), 0.05) for _ in range(4000)]
    true_rates = 1 - np.array([one.value for one in thresholds])  # of uniform scores
    assert true_rates.mean() == pytest.approx(thresholds[0].expected_rate, rel=0.02)
    assert true_rates.std() == pytest.approx(thresholds[0].deviation, rel=0.05)


@tensorflow_alone
@pytest.mark.parametrize("rate", [0.01, 0.03, 0.05, 1 / 3])
def test_too_few_images_for_a_rate_are_refused_with_the_number_that_suffices(rate):
    needed = math.ceil(1 / rate - 1e-9) - 1
    with pytest.raises(ValueError, match=rf"needs at least {needed} held-out images, got {needed - 1}"):
        Threshold.calibrate(np.arange(needed - 1), rate)
    threshold = Threshold.calibrate(np.arange(needed), rate)
    assert threshold.value == needed - 1 and threshold.images == needed


@tensorflow_alone
def test_false_alarms_are_measured_with_an_interval():
    """The intervals are Wilson's, as tables give them."""
    threshold = Threshold.calibrate(np.arange(19), 0.05)
    for alarms, count, low, high in [(10, 100, 0.0552, 0.1744), (0, 100, 0, 0.0370), (1, 1, 0.2065, 1)]:
        measured = threshold.measure([100.0] * alarms + [0.0] * (count - alarms))
        assert (measured.rate, measured.images) == (alarms / count, count)
        assert (measured.low, measured.high) == pytest.approx((low, high), abs=1e-4)


@tensorflow_alone
def test_perturbed_images_have_the_rate_and_any_level():
    images = np.full((10, 20, 20, 3), 7, "uint8")
    perturbed = pz.anomaly.perturb(images, levels=9, rate=0.3, seed=1)
    assert perturbed.dtype == np.uint8 and (perturbed != images).mean() == pytest.approx(0.3 * 8 / 9, abs=0.01)
    assert set(np.unique(perturbed)) == set(range(9))
    assert (pz.anomaly.perturb(images, 9, 0.3, seed=1) == perturbed).all()
    assert (pz.anomaly.perturb(images, 9, 0.3, seed=2) != perturbed).any()
    assert (pz.anomaly.perturb(images, 9, 0) == images).all()


ONES = np.ones(3)


@tensorflow_alone
@pytest.mark.parametrize(
    ("function", "arguments", "error", "said"),
    [
        ("typicality", (ONES[None], ONES), ValueError, r"nats must hold one number for each image, got shape \(1, 3\)"),
        ("typicality", ([], ONES), ValueError, r"nats must hold one number for each image, got shape \(0,\)"),
        ("typicality", ([1, math.nan], ONES), ValueError, "nats must hold no NaN, got 1 of 2"),
        ("typicality", (["a"], ONES), TypeError, "nats must be numbers, got dtype <U1"),
        ("typicality", (ONES, [math.inf]), ValueError, "typical_nats must be finite"),
        ("typicality", (ONES, ONES, 2), ValueError, "together must divide the number of images, 3, got 2"),
        ("typicality", (ONES, ONES, 0), ValueError, "together must be an integer of at least 1, got 0"),
        ("likelihood_ratio", (ONES, ONES[:2]), ValueError, "background_nats must be of the same 3 images, got 2"),
        ("likelihood_ratio", ([math.inf], [math.inf]), ValueError, "background_nats: .* probability 0 under both"),
        ("complexity_corrected", (ONES, ONES[:2]), ValueError, "compressed_bits must be of the same 3 images, got 2"),
        ("png_bits", (np.zeros((1, 4, 4, 2), int),), ValueError, r"images must have shape .* got \(1, 4, 4, 2\)"),
        ("png_bits", (np.full((1, 4, 4, 1), 256),), ValueError, r"images must have values 0\.\.255.* got 256\.\.256"),
        ("png_bits", (np.zeros((1, 4, 4, 1)),), TypeError, "images must be integers, got dtype float64"),
        ("perturb", (np.zeros((4, 4), int), 2, 0.1), ValueError, r"images must have shape .* got \(4, 4\)"),
        ("perturb", (np.full((1, 4, 4, 1), 2), 2, 0.1), ValueError, r"images must have values 0\.\.1, got 2\.\.2"),
        ("perturb", (np.zeros((1, 4, 4, 1), int), 2, 1.5), ValueError, "rate must be from 0 to 1, got 1.5"),
        ("auroc", (ONES, [math.nan]), ValueError, "anomalous must hold no NaN"),
    ],
)
def test_what_is_wrong_is_named(function, arguments, error, said):
    with pytest.raises(error, match=said):
        getattr(pz.anomaly, function)(*arguments)


@tensorflow_alone
@pytest.mark.parametrize("rate", [0, 1, -0.1, math.nan, "5%"])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="false_alarm_rate must be a number between 0 and 1, got"):
        Threshold.calibrate(ONES, rate)
