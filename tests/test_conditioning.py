"""The conditions of a model: labels and vectors reach every pixel, and wrong ones are named."""

import keras
import numpy as np
import pytest
from test_models import random_images, scrambled

import pixel_zoo as pz

SHAPE = (4, 4, 1)


@pytest.fixture(scope="module")
def model():
    conditions = {"num_classes": 3, "conditioning_dim": 2}
    return scrambled(pz.models.PixelCNN(SHAPE, levels=4, filters=4, num_blocks=2, **conditions))


def test_label_and_vector_change_what_is_drawn(model):
    vector = np.zeros(2)
    of_label = [model.generate(8, labels=label, vectors=vector) for label in range(3)]
    assert (of_label[0] != of_label[1]).any() and (of_label[1] != of_label[2]).any()
    assert (model.generate(8, labels=0, vectors=vector + 1) != of_label[0]).any()
    together = model.generate(2, labels=[0, 1], seed=[0, 0], vectors=vector)
    assert (together[0] == of_label[0][0]).all() and (together[1] == of_label[1][0]).all()


def test_one_stands_for_all(model):
    images = random_images(model, 3)
    nats = model.log_likelihood(images, labels=2, vectors=[0.5, 1])
    each = model.log_likelihood(images, labels=[2, 2, 2], vectors=np.tile([0.5, 1], (3, 1)))
    np.testing.assert_array_equal(nats, each)
    np.testing.assert_allclose(nats, model.log_likelihood(images, 2, [0.5, 1], batch_size=2), rtol=1e-6)


@pytest.mark.slow
def test_images_follow_their_labels_after_training():
    """Images of one value each, that of their label: only a model that reads the label can know them."""
    keras.utils.set_random_seed(0)
    model = pz.models.PixelRNN(SHAPE, levels=4, recurrence="row", units=4, num_blocks=1, num_classes=4)
    labels = np.arange(64) % 4
    images = np.broadcast_to(labels[:, None, None, None], (64, *SHAPE)).astype("uint8")
    model.compile(optimizer=keras.optimizers.Adam(0.03))
    model.fit({"image": images, "label": labels}, epochs=12, batch_size=16, verbose=0)
    assert (model.generate(4, labels=[3, 1, 0, 2], temperature=0)[:, 0, 0, 0] == [3, 1, 0, 2]).all()
    assert model.log_likelihood(images, labels).mean() > model.log_likelihood(images, labels[::-1]).mean() + 1


def test_fit_takes_a_dataset_of_dictionaries():
    tf = pytest.importorskip("tensorflow")
    model = pz.models.PixelCNN(SHAPE, levels=4, filters=4, num_blocks=1, num_classes=3)
    images, labels = random_images(model, 6), np.arange(6) % 3
    expected = -model.log_likelihood(images, labels).mean()
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    batches = tf.data.Dataset.from_tensor_slices(({"image": images, "label": labels},)).batch(3)
    history = model.fit(batches, verbose=0, shuffle=False).history
    np.testing.assert_allclose([history["loss"][0], history["nats"][0]], expected, rtol=1e-5)


def test_a_leak_of_a_conditional_model_is_found(monkeypatch):
    monkeypatch.setattr(pz.layers.MaskedConv2D, "mask", lambda self: np.ones(self.kernel.shape, "float32"))
    leaking = scrambled(pz.models.PixelCNN(SHAPE, filters=4, num_blocks=1, num_classes=3, conditioning_dim=2))
    with pytest.raises(pz.CausalityError, match=r"output \(0, 0, 0\) sees input \(0, 0, 0\)"):
        pz.check_causality(leaking)


def test_a_model_composed_by_hand_is_scored_and_drawn_with_its_conditioning():
    image, depth = keras.Input(SHAPE, dtype="int32", name="image"), keras.Input(SHAPE, name="depth")
    x = pz.layers.MaskedConv2D(4, 3, "A")(keras.layers.Rescaling(0.5)(image))
    x = x + keras.layers.Conv2D(4, 3, padding="same")(depth)
    model = scrambled(pz.models.PixelModel([depth, image], pz.layers.Logits(3)(x)))
    assert (model.image_shape, model.levels) == (SHAPE, 3)
    depths = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")
    pz.check_causality(model)
    images, nats = model.generate(3, conditioning=[depths], return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(images, conditioning=[depths]), rtol=1e-5)
    model.compile()
    loss = model.evaluate([depths, images], verbose=0)[0]
    np.testing.assert_allclose(loss, -nats.mean(), rtol=1e-5)
    with pytest.raises(ValueError, match="conditioning must hold the model's 1 inputs other than the image, got 0"):
        model.log_likelihood(images)


BOTH = {"labels": 0, "vectors": [0.0, 0.0]}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"labels": None}, ValueError, r"labels must be given: 0\.\.2"),
        ({"labels": 3}, ValueError, r"labels must be 0\.\.2, got 3\.\.3"),
        ({"labels": [0, -1]}, ValueError, r"labels must be 0\.\.2, got -1\.\.0"),
        ({"labels": [0, 1, 2]}, ValueError, r"labels must be an integer or an array of shape \(2,\), got shape \(3,\)"),
        ({"labels": 1.0}, TypeError, r"labels must be integers 0\.\.2, got 1\.0"),
        ({"vectors": None}, ValueError, "vectors must be given: 2 numbers each"),
        ({"vectors": [1.0]}, ValueError, r"vectors must have shape \(2, 2\) or \(2,\), got \(1,\)"),
        ({"vectors": ["a", "b"]}, TypeError, "vectors must be numbers, got dtype <U1"),
        ({"vectors": [0, np.nan]}, ValueError, "vectors must be finite"),
        ({"conditioning": [0]}, ValueError, "conditioning must hold the model's 0 inputs other than the image, got 1"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(model, given, error, message):
    images, known = random_images(model, 2), np.ones((4, 4), bool)
    for call in (
        lambda **given: model.log_likelihood(images, **given),
        lambda **given: model.bits_per_dim(images, **given),
        lambda **given: model.generate(2, **given),
        lambda **given: model.complete(images, known, **given),
    ):
        with pytest.raises(error, match=message):
            call(**BOTH | given)


@pytest.mark.parametrize("name", ["labels", "vectors"])
def test_what_is_needless_is_named(name):
    plain = pz.models.PixelCNN(SHAPE, filters=2, num_blocks=1)
    with pytest.raises(ValueError, match=f"{name}: the model takes none"):
        plain.generate(2, **{name: BOTH[name]})


@pytest.mark.parametrize("arguments", [{"num_classes": 0}, {"conditioning_dim": 1.5}], ids=str)
def test_a_bad_argument_is_named(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1"):
        pz.models.PixelCNN(SHAPE, **arguments)
