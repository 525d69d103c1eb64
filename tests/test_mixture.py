"""Mixtures: the mean of their members' probabilities, and a model like any other."""

import keras
import numpy as np
import pytest
from test_models import random_images, scrambled

import pixel_zoo as pz

SMALL = {"num_blocks": 1, "head_filters": 4}


def cnn(image_shape=(3, 4, 1), levels=4, seed=0, **options):
    return scrambled(pz.models.PixelCNN(image_shape, levels=levels, filters=4, **SMALL, **options), seed)


def rnn(image_shape=(3, 4, 1), levels=4, seed=1, **options):
    return scrambled(pz.models.PixelRNN(image_shape, levels=levels, units=4, **SMALL, **options), seed)


def bare_model():
    model = cnn()
    return keras.Model(model.input, model.output)


def probabilities(model, images, **given):
    return np.exp(model.log_probabilities(images, **given).astype("float64"))


@pytest.mark.parametrize(("image_shape", "levels"), [((3, 4, 1), 2), ((3, 3, 3), 5)], ids=str)
def test_probabilities_are_the_mean_of_the_members(image_shape, levels):
    members = [cnn(image_shape, levels, num_classes=3), rnn(image_shape, levels, num_classes=3)]
    mixture, images, labels = pz.models.Mixture(members), random_images(members[0], 3), [0, 1, 2]
    expected = np.mean([probabilities(member, images, labels=labels) for member in members], axis=0)
    np.testing.assert_allclose(probabilities(mixture, images, labels=labels), expected, rtol=1e-5)


def test_a_mixture_of_mixtures_weighs_its_members():
    a, b = cnn(), rnn()
    images = random_images(a, 3)
    mixture = pz.models.Mixture([pz.models.Mixture([a, b]), a], weights=[3, 1])
    expected = (5 * probabilities(a, images) + 3 * probabilities(b, images)) / 8
    np.testing.assert_allclose(probabilities(mixture, images), expected, rtol=1e-5)
    drawn, nats = mixture.generate(3, return_log_likelihood=True)
    np.testing.assert_allclose(nats, mixture.log_likelihood(drawn), rtol=1e-5)
    assert len({weight.path for weight in mixture.weights}) == len(mixture.weights)


def test_logits_far_from_0_stay_finite():
    """A certain member next to one that knows nothing, and two that are certain of opposite values."""
    layer = pz.layers.MixtureLogits(2)
    logits = np.float32([[2.0**66, 0], [-(2.0**66), 2.0**66], [200, 200], [-200, -200]])
    mixed = layer([logits[:, None, None, :1], logits[:, None, None, 1:]])
    np.testing.assert_allclose(np.ravel(mixed), [np.log(3), 0, 200, -200], rtol=1e-6)
    certain = np.where(np.arange(3) == 1, 0, -(2.0**66)).astype("float32").reshape(1, 1, 1, 1, 3)
    mixed = keras.ops.convert_to_numpy(pz.layers.MixtureLogits(3)([certain, np.zeros_like(certain)]))
    np.testing.assert_allclose(np.exp(mixed).ravel(), [1 / 6, 2 / 3, 1 / 6], rtol=1e-6)


def test_members_stay_as_they_are():
    """The mixture trains copies, and its optimiser moves all of them."""
    a, b = cnn(), cnn()  # of one name, with the same weights
    mixture = pz.models.Mixture([a, b])
    before, images = a.get_weights(), random_images(a, 8)
    nats = -mixture.log_likelihood(images).mean()
    mixture.compile(optimizer=keras.optimizers.Adam(0.02))
    mixture.fit(images, epochs=8, batch_size=8, verbose=0)
    assert -mixture.log_likelihood(images).mean() < nats - 1
    for member in mixture.members:
        assert all((now != then).any() for now, then in zip(member.get_weights(), before, strict=True))
    for now, then in zip(a.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_frozen_member_is_not_trained_and_stays_frozen_in_the_file(tmp_path):
    frozen = cnn()
    frozen.trainable = False
    mixture, images = pz.models.Mixture([frozen, rnn()], [2, 1]), random_images(frozen, 8)
    mixture.compile()
    mixture.fit(images, verbose=0)
    mixture.save(tmp_path / "mixture.keras")
    again = keras.models.load_model(tmp_path / "mixture.keras")
    for model in (mixture, again):
        assert len(model.trainable_weights) == len(model.members[1].weights)
        for now, then in zip(model.members[0].get_weights(), frozen.get_weights(), strict=True):
            np.testing.assert_array_equal(now, then)
    assert [member.name for member in again.members] == ["member0", "member1"]
    np.testing.assert_allclose(again.log_likelihood(images), mixture.log_likelihood(images), rtol=1e-6)
    assert again.optimizer.iterations == 1 and len(again.optimizer.variables) == len(mixture.optimizer.variables)


def test_members_composed_by_hand_share_the_inputs_of_their_names():
    """A list of inputs in any order, and operations of `keras.ops`; the mixture takes a dictionary."""

    def model(order, seed):
        given = {
            "image": keras.Input((3, 4, 1), dtype="int32", name="image"),
            "depth": keras.Input((3, 4, 1), name="depth"),
        }
        x = pz.layers.MaskedConv2D(4, 3, "A")(keras.layers.Rescaling(0.5)(given["image"]))
        x = keras.ops.tanh(x) + keras.layers.Conv2D(4, 3, padding="same")(given["depth"])
        return scrambled(pz.models.PixelModel([given[name] for name in order], pz.layers.Logits(3)(x)), seed)

    members = [model(("image", "depth"), 0), model(("depth", "image"), 1)]
    mixture, images = pz.models.Mixture(members), random_images(members[0], 3)
    depths = [np.random.default_rng(0).normal(size=(3, 3, 4, 1)).astype("float32")]
    expected = np.mean([probabilities(member, images, conditioning=depths) for member in members], axis=0)
    np.testing.assert_allclose(probabilities(mixture, images, conditioning=depths), expected, rtol=1e-5)
    drawn, nats = mixture.generate(3, conditioning=depths, return_log_likelihood=True)
    np.testing.assert_allclose(nats, mixture.log_likelihood(drawn, conditioning=depths), rtol=1e-5)


def test_a_model_called_twice_in_another_is_drawn_from():
    """The graph is that of its own operations each time it is called."""
    image, features = keras.Input((3, 4, 1), dtype="int32", name="image"), keras.Input((3, 4, 4))
    block = keras.Model(features, keras.layers.ReLU()(pz.layers.MaskedConv2D(4, 3, "B")(features)))
    x = pz.layers.MaskedConv2D(4, 3, "A")(keras.layers.Rescaling(0.5)(image))
    model = scrambled(pz.models.PixelModel(image, pz.layers.Logits(3)(block(block(x)))))
    drawn, nats = model.generate(3, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(drawn), rtol=1e-5)


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        (lambda: [cnn()], ValueError, r"members must be a list of at least two models, got \[<PixelCNN"),
        (lambda: cnn(), ValueError, "members must be a list of at least two models, got <PixelCNN"),
        (
            lambda: [cnn(), cnn((4, 4, 1))],
            ValueError,
            r"same image_shape, got \(3, 4, 1\) of members\[0\], \(4, 4, 1\)",
        ),
        (lambda: [cnn(), cnn(), cnn(levels=5)], ValueError, r"same levels, got 4 of members\[0\], 5 of members\[2\]"),
        (
            lambda: [cnn(num_classes=3), rnn()],
            ValueError,
            r"same num_classes, got 3 of members\[0\], None of members\[1",
        ),
        (lambda: [cnn(), rnn(conditioning_dim=2)], ValueError, "same conditioning_dim, got None"),
        (lambda: [cnn(), cnn(small_shape=(1, 2))], ValueError, "same inputs other than the image.*got {} of.*'small'"),
        (
            lambda: [cnn(), pz.models.MultiScalePixelRNN((3, 4, 1), 4, ((1, 2),), options={"units": 2, **SMALL})],
            TypeError,
            r"members\[1\] is a multi-scale model, which predicts the pixels of its small image first",
        ),
        (
            lambda: [bare_model(), cnn()],
            TypeError,
            r"members\[0\] must be a pixel_zoo.models.PixelModel, got Functional; wrap",
        ),
    ],
)
def test_members_that_can_not_be_mixed_are_refused(members, error, message):
    with pytest.raises(error, match=message):
        pz.models.Mixture(members())


@pytest.mark.parametrize(
    ("levels", "shapes"),
    [(2, [(1, 2, 2, 1), (1, 2, 2, 3)]), (2, [(1, 2, 2, 1, 2)] * 2), (5, [(1, 2, 2, 1, 4)] * 2)],
    ids=str,
)
def test_logits_of_other_shapes_are_refused(levels, shapes):
    with pytest.raises(
        ValueError, match=r"'mixed' takes a list of logits of one shape \(batch, height, width, colours"
    ):
        pz.layers.MixtureLogits(levels, name="mixed")([np.zeros(shape, "float32") for shape in shapes])


def test_levels_of_mixture_logits_are_checked():
    with pytest.raises(ValueError, match="levels must be an integer of at least 2, got 1"):
        pz.layers.MixtureLogits(1)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 0], r"weights must be a list of positive numbers, got \[1, 0\]"),
        ([1, float("nan")], "weights must be a list of positive numbers, got .*nan"),
        (0.5, "weights must be a list of positive numbers, got 0.5"),
        ([1, 2, 3], r"weights must be one for each of 2 members, got \[1, 2, 3\]"),
    ],
    ids=str,
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        pz.models.Mixture([cnn(), rnn()], weights)
