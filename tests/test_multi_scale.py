"""Multi-Scale PixelRNN: exact where known pixels are copied, a lower bound where they are predicted again."""

import itertools
import json

import keras
import numpy as np
import pytest
from backends import fewer_on_jax, tensorflow_alone
from catalogue import inputs, logits_of
from test_models import of_values, random_images, scrambled

import pixel_zoo as pz
from pixel_zoo.training import load_recipes

SHAPE = (4, 4, 1)
CNN = {"base": "PixelCNN", "options": {"filters": 3, "num_blocks": 1, "head_filters": 3}}
RNN = {"base": "PixelRNN", "options": {"units": 3, "num_blocks": 1, "head_filters": 3, "recurrence": "row"}}


def make(image_shape=SHAPE, levels=3, small_shapes=((2, 2),), **options):
    return scrambled(pz.models.MultiScalePixelRNN(image_shape, levels, small_shapes, **(CNN | options)))


@pytest.fixture(scope="module")
def model():
    """Three scales, two colours, labels."""
    return make((2, 4, 2), small_shapes=((1, 1), (1, 2)), num_classes=3)


def every_image(model):
    values = itertools.product(range(model.levels), repeat=int(np.prod(model.image_shape)))
    return np.array(list(values), "uint8").reshape(-1, *model.image_shape)


def total_probability(model):
    return np.exp(model.log_likelihood(every_image(model), batch_size=8192).astype("float64")).sum()


@pytest.mark.parametrize("architecture", fewer_on_jax([CNN, RNN], [RNN]), ids=["PixelCNN", "PixelRNN"])
def test_probabilities_of_all_images_sum_to_1(architecture):
    model = make((2, 4, 1), 3, ((1, 2),), **architecture)
    assert model.likelihood_kind == "exact"
    np.testing.assert_allclose(total_probability(model), 1, atol=1e-5)


@tensorflow_alone
def test_of_several_scales_and_colours_too():
    np.testing.assert_allclose(total_probability(make((2, 2, 2), 3, ((1, 1), (1, 2)))), 1, atol=1e-5)


@tensorflow_alone
def test_predicting_known_pixels_again_is_a_lower_bound():
    """The sum of all p(small) p(x | small) falls short of 1 by what p(x | small) spends on images that it cannot be."""
    bound = make((2, 4, 1), 2, ((1, 2),), copy_known=False)
    assert bound.likelihood_kind == "lower bound"
    assert total_probability(bound) < 0.99


def test_of_a_lower_bound_the_images_drawn_come_with_their_log_likelihood():
    """The small image that was drawn first is not in the large one, and does not count."""
    bound = make((2, 4, 1), 3, ((1, 2),), copy_known=False)
    images, nats = bound.generate(4, seed=2, return_log_likelihood=True)
    np.testing.assert_allclose(nats, bound.log_likelihood(images), rtol=1e-5)


@tensorflow_alone
def test_the_dtype_is_that_of_all_stages():
    model = pz.models.MultiScalePixelRNN(SHAPE, 3, ((2, 2),), **CNN, dtype="mixed_bfloat16")
    again = type(model).from_config(json.loads(json.dumps(model.get_config())))
    for each in (model, again):
        policies = [stage.get_layer("block1_conv").dtype_policy.name for stage in each.stages]
        assert (policies, each.dtype_policy.name) == (["mixed_bfloat16"] * 2, "mixed_bfloat16")
    own = CNN["options"] | {"dtype": "float32"}
    mixed = pz.models.MultiScalePixelRNN(SHAPE, 3, ((2, 2),), base="PixelCNN", options=own, dtype="mixed_bfloat16")
    assert mixed.stages[0].get_layer("block1_conv").dtype_policy.name == "float32"


@tensorflow_alone
def test_log_probabilities_are_those_that_the_likelihood_is_made_of(model):
    images, labels = random_images(model, 3), [2, 0, 1]
    expected = model.log_probabilities(images, labels)
    np.testing.assert_allclose(np.exp(expected).sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(of_values(expected, images), model.log_likelihood(images, labels), rtol=1e-5)


@tensorflow_alone
def test_a_bound_shows_what_is_predicted_last():
    bound = make((2, 4, 1), 2, ((1, 2),), copy_known=False)
    images = random_images(bound, 2)
    last = bound.stages[1].log_probabilities(images, conditioning=[images[:, ::2, ::2]])
    np.testing.assert_array_equal(bound.log_probabilities(images), last)


@tensorflow_alone
def test_a_stage_is_certain_of_what_it_copies():
    stage = make(levels=5).stages[1]
    images = random_images(stage, 3)
    small = images[:, ::2, ::2]
    logits = logits_of(stage, {"image": images, "small": small})
    assert (logits.argmax(axis=-1)[:, ::2, ::2] == small).all()
    assert (np.sort(logits, axis=-1)[:, ::2, ::2, :, -2] == -(2.0**66)).all()
    assert (stage.log_likelihood(np.where(images == 0, 1, 0), conditioning=[small]) < -1e19).all()


def test_no_stage_sees_its_future(model):
    pz.check_causality(model)


@tensorflow_alone
def test_a_leak_of_a_stage_is_found(monkeypatch):
    monkeypatch.setattr(pz.layers.MaskedConv2D, "mask", lambda self: np.ones(self.kernel.shape, "float32"))
    with pytest.raises(pz.CausalityError, match="stage0"):
        pz.check_causality(make())


@tensorflow_alone
def test_the_small_image_reaches_the_pixels_around_it():
    options = {"units": 6, "num_blocks": 1, "head_filters": 6}
    stage = make(base="PixelRNN", options=options, copy_known=False).stages[1]
    image = np.zeros((2, *SHAPE), "uint8")
    small = np.zeros((2, 2, 2, 1), "uint8")
    small[1, 1, 1] = 2
    logits = logits_of(stage, {"image": image, "small": small})
    changed = (logits[0] != logits[1]).any(axis=(-2, -1))
    assert changed.all(), "pixels before it, which cannot see it in the image itself, too"


@pytest.mark.slow_on_jax
def test_drawn_images_hold_their_small_ones(model):
    given = {"labels": [2, 0, 1]}
    images, nats = model.generate(3, seed=[5, -7, 2**40], return_log_likelihood=True, **given)
    np.testing.assert_allclose(nats, model.log_likelihood(images, **given), rtol=1e-5)
    small, of_small = model.stages[0].generate(3, seed=[5, -7, 2**40], return_log_likelihood=True, **given)
    assert (images[:, ::2, ::4] == small).all()
    again, rest = model.upscale(small, seed=[5, -7, 2**40], return_log_likelihood=True, **given)
    assert (again == images).all()
    np.testing.assert_allclose(rest, nats - of_small, rtol=1e-4)
    assert (model.generate(3, seed=[5, -7, 2**40], small=small, **given) == images).all()
    assert (model.generate(3, seed=6, small=small, **given) != images).any()


@tensorflow_alone
def test_stages_draw_with_noise_of_their_own():
    """Two stages of one shape's worth of noise, all logits alike: with one stream for both, their draws would agree."""
    model = pz.models.MultiScalePixelRNN((4, 4, 1), 256, ((2, 2),), copy_known=False, **CNN)
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape, "float32"))
    large, small = model.generate(1, seed=3)[0].reshape(-1), model.stages[0].generate(1, seed=3)[0].reshape(-1)
    assert (large[: len(small)] != small).mean() > 0.9


@pytest.mark.slow_on_jax
def test_known_pixels_stay_and_are_seen(model):
    images = random_images(model, 3)
    known = np.random.default_rng(0).random((3, 2, 4)) < 0.5
    completed, nats = model.complete(images, known, labels=1, return_log_likelihood=True)
    assert (completed[known] == images[known]).all()
    np.testing.assert_allclose(nats, model.log_likelihood(completed, labels=1), rtol=1e-4)
    assert (model.complete(images, np.ones((2, 4), bool), labels=1) == images).all()
    nothing = model.complete(np.full_like(images, 255), np.zeros((2, 4), bool), seed=4, labels=1)
    assert (nothing == model.generate(3, seed=4, labels=1)).all()


@pytest.mark.slow
@pytest.mark.compiled  # many batches
@tensorflow_alone
def test_samples_follow_the_models_probabilities():
    model = make((1, 4, 1), 3, ((1, 2),))
    count = 4096
    frequencies = np.bincount(model.generate(count).reshape(count, 4) @ [27, 9, 3, 1], minlength=81) / count
    probabilities = np.exp(model.log_likelihood(every_image(model)))
    assert (np.abs(frequencies - probabilities) <= 4 * np.sqrt(probabilities / count) + 1 / count).all()


@pytest.mark.slow
@pytest.mark.compiled
def test_training_all_stages_at_once_is_the_default():
    keras.utils.set_random_seed(0)
    model = pz.models.MultiScalePixelRNN(SHAPE, 4, ((2, 2),), **CNN)
    images = np.tile(np.indices((4, 4)).sum(axis=0)[None, :, :, None] % 4, (32, 1, 1, 1)).astype("uint8")
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    before = -model.log_likelihood(images).mean()
    history = model.fit(images, epochs=12, batch_size=8, verbose=0).history
    after = -model.log_likelihood(images).mean()
    assert after < 0.5 * before
    assert set(history) == {"loss", "nats", "bits_per_dim"}
    evaluated = model.evaluate(images, batch_size=8, verbose=0, return_dict=True)
    np.testing.assert_allclose([evaluated["loss"], evaluated["nats"]], after, rtol=1e-5)
    np.testing.assert_allclose(evaluated["bits_per_dim"], model.bits_per_dim(images).mean(), rtol=1e-5)


@tensorflow_alone
def test_stages_are_trained_one_by_one(model):
    images, labels = random_images(model, 8), np.arange(8) % 3
    losses = []
    for index, stage in enumerate(model.stages):
        stage.compile(optimizer=keras.optimizers.SGD(0.0))
        losses.append(stage.evaluate(model.stage_inputs(index, images, labels), verbose=0)[0])
    np.testing.assert_allclose(sum(losses), -model.log_likelihood(images, labels).mean(), rtol=1e-5)


@tensorflow_alone
def test_one_file_holds_all_stages(model, tmp_path):
    model.compile()
    images, labels = random_images(model, 4), np.arange(4) % 3
    model.fit(inputs(images, labels=labels), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is pz.models.MultiScalePixelRNN
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())
    np.testing.assert_allclose(again.log_likelihood(images, labels), model.log_likelihood(images, labels), rtol=1e-6)
    assert int(again.optimizer.iterations) == 1
    scrambled(model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"small_shapes": ((3, 2),)}, r"small_shape must divide the image's \(4, 4\), got \(3, 2\)"),
        ({"small_shapes": ()}, "small_shapes must hold at least one"),
        ({"small_shapes": (2, 2)}, r"small_shape must be \(height, width\), got 2"),
        ({"small_shapes": ((4, 4),)}, "small_shapes must be smaller than the next larger image"),
        ({"small_shapes": ((0, 2),)}, r"small_shape\[0\] must be an integer of at least 1, got 0"),
        ({"base": "RNN"}, "base must be one of 'GatedPixelCNN', 'PixelCNN', 'PixelRNN', got 'RNN'"),
        ({"options": CNN["options"] | {"residual": "no"}}, "residual must be True or False, got 'no'"),
        ({"copy_known": "no"}, "copy_known must be True or False, got 'no'"),
        ({"options": [{}]}, "options must be a dictionary, or a list of 2, one for each stage"),
        ({"image_shape": (4, 4)}, "image_shape must be"),
        ({"levels": 1}, "levels must be"),
    ],
    ids=str,
)
def test_a_bad_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        pz.models.MultiScalePixelRNN(**{"image_shape": SHAPE, "small_shapes": ((2, 2),), **arguments})


@tensorflow_alone
def test_what_is_wrong_is_named(model):
    small = np.zeros((2, 1, 1, 2), "uint8")
    with pytest.raises(ValueError, match=r"small must have shape \(batch, 1, 1, 2\), got \(2, 2, 2, 2\)"):
        model.upscale(np.zeros((2, 2, 2, 2), "uint8"), labels=0)
    with pytest.raises(ValueError, match=r"small must have values 0\.\.2, got 7\.\.7"):
        model.upscale(small + 7, labels=0)
    with pytest.raises(ValueError, match="small must hold num_images=3 images, got 2"):
        model.generate(3, small=small, labels=0)
    with pytest.raises(ValueError, match=r"labels must be given: 0\.\.2"):
        model.generate(3)
    with pytest.raises(
        ValueError, match=r"known must have shape \(2, 2, 4\), \(2, 4\) or \(2, 2, 4, 2\), got \(2, 2\)"
    ):
        model.complete(np.zeros((2, 2, 4, 2), "uint8"), np.ones((2, 2), bool), labels=0)


@tensorflow_alone
def test_our_own_recipes_build(request):
    for recipe in load_recipes(request.config.rootpath / "recipes" / "multiscale.py").values():
        assert recipe.target and recipe.source
        info = pz.data.info(recipe.data)
        tiny = {"options": recipe.model_options["options"] | {"units": 3, "num_blocks": 1, "head_filters": 3}}
        model = getattr(pz.models, recipe.model)(info.image_shape, info.levels, **recipe.model_options | tiny)
        assert (model.image_shape, model.levels, model.likelihood_kind) == (info.image_shape, info.levels, "exact")
