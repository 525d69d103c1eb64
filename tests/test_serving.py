"""The SavedModel: the same answers as Python, in plain TensorFlow."""

import unittest.mock

import c_session
import keras
import numpy as np
import pytest
import saved_models
from catalogue import given_with
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo.sampling import Walker

SHAPE = (3, 4, 2)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A model, its conditions, requests, a function that calls a signature of its SavedModel, and its path.

    The model is a stage of a multi-scale model on its own: the small image is given, not drawn by an earlier stage.
    """
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only the TensorFlow backend writes SavedModels")
    given = {"num_classes": 3, "conditioning_dim": 2, "small_shape": (3, 2)}
    model = scrambled(pz.models.PixelCNN(SHAPE, levels=4, filters=4, num_blocks=1, head_filters=4, **given))
    images = random_images(model, 3)
    small = images[:, :, ::2]
    others = given_with(model, 3) | {"conditioning": [small]}
    requests = {
        "image": images,
        "known": np.random.default_rng(0).random((3, *SHAPE[:2])) < 0.5,
        "seed": np.array([5, -7, 2**40 + 1]),
        "temperature": np.ones(3, "float32"),
        "label": others["labels"],
        "vector": others["vectors"],
        "small": small.astype("int64"),
    }
    with unittest.mock.patch.object(Walker, "__call__", autospec=True, side_effect=Walker.__call__) as traced:
        path = pz.export(model, tmp_path_factory.mktemp("served") / "model", version=3)
    assert traced.call_count == 2, "a graph without rules and one with them serve all signatures"
    session = c_session.CSession(*saved_models.session_arguments(path, optimize=False))

    def call(name, **changed):
        drawn = {"sample": ["seed", "temperature"], "complete": ["image", "known", "seed", "temperature"]}
        inputs = (*drawn.get(name, ["image"]), "label", "vector", "small")
        return session.run(name, {key: (requests | changed)[key] for key in inputs})

    return model, others, requests, call, path


def test_score_is_the_log_likelihood(served):
    model, others, requests, call, _ = served
    for name in ("score", "serving_default"):
        answer, image = call(name), requests["image"]
        np.testing.assert_allclose(answer["log_likelihood"], model.log_likelihood(image, **others), rtol=1e-5)
        np.testing.assert_allclose(answer["bits_per_dim"], model.bits_per_dim(image, **others), rtol=1e-5)


def test_log_probabilities_are_those_of_python(served):
    model, others, requests, call, _ = served
    expected, answer = model.log_probabilities(requests["image"], **others), call("log_probabilities")
    np.testing.assert_allclose(answer["log_probability"], expected, rtol=1e-4, atol=1e-5)


def test_sample_draws_the_images_of_generate(served):
    model, others, requests, call, _ = served
    answer = call("sample")
    assert answer["image"].dtype == np.uint8
    assert (answer["image"] == model.generate(3, seed=requests["seed"], **others)).all()
    assert (answer["image"][:, :, ::2] == others["conditioning"][0]).all()
    nats = model.log_likelihood(answer["image"], **others)
    np.testing.assert_allclose(answer["log_likelihood"], nats, rtol=1e-5)


def test_complete_draws_the_images_of_complete(served):
    model, others, requests, call, _ = served
    expected, answer = (
        model.complete(requests["image"], requests["known"], seed=requests["seed"], **others),
        call("complete"),
    )
    assert (answer["image"] == expected).all()
    nats = model.log_likelihood(expected, **others)
    np.testing.assert_allclose(answer["log_likelihood"], nats, rtol=1e-5)


@pytest.mark.parametrize(
    ("signature", "name", "change", "said"),
    [
        ("score", "image", lambda image: image + 9, r"image: values must be 0\.\.3, got"),
        (
            "sample",
            "temperature",
            lambda temperature: -temperature,
            "temperature: must be a finite number of at least 0",
        ),
        ("score", "label", lambda label: label + 9, r"label: must be 0\.\.2, got"),
    ],
    ids=["image", "temperature", "label"],
)
def test_bad_requests_are_answered_by_name(served, signature, name, change, said):
    _, _, requests, call, _ = served
    with pytest.raises(c_session.Failure, match=said) as failed:
        call(signature, **{name: change(requests[name])})
    assert failed.value.code == c_session.INVALID_ARGUMENT


def test_a_version_is_a_directory_and_is_never_overwritten(served):
    model, _, _, _, path = served
    assert (path.name, (path / "saved_model.pb").is_file()) == ("3", True)
    before = (path / "saved_model.pb").read_bytes()
    with pytest.raises(FileExistsError, match=r"version: .*exists already"):
        pz.export(model, path.parent, version=3)
    assert (path / "saved_model.pb").read_bytes() == before
    assert [other.name for other in path.parent.iterdir()] == ["3"]
    with pytest.raises(ValueError, match="version must be an integer of at least 1, got 0"):
        pz.export(model, path.parent, version=0)


@pytest.mark.slow
@pytest.mark.xla
def test_compiled_signatures_answer_the_same(tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only the TensorFlow backend writes SavedModels")
    import tensorflow as tf

    image = keras.Input((2, 3, 1), dtype="int32", name="image")
    encodings = [keras.layers.Embedding(4, 2)(image[..., 0]), keras.ops.one_hot(keras.ops.squeeze(image, 3), 4)]
    x = keras.layers.Concatenate()([keras.layers.Rescaling(1.0)(image), *encodings])
    x = pz.layers.MaskedConv2D(2, 3, "A")(x)
    model = scrambled(pz.models.PixelModel(image, pz.layers.Logits(4)(x)))
    signatures = tf.saved_model.load(pz.export(model, tmp_path, jit_compile=True)).signatures
    seed, temperature = tf.range(5, 8, dtype=tf.int64), tf.ones(3)
    images = random_images(model, 3)
    known = np.random.default_rng(0).random((3, 2, 3)) < 0.5
    completed = signatures["complete"](image=images, known=known, seed=seed + 9, temperature=temperature)
    expected, nats = model.complete(images, known, seed=14, return_log_likelihood=True)
    assert (completed["image"].numpy() == expected).all()
    np.testing.assert_allclose(completed["log_likelihood"], nats, rtol=1e-5)
    rules = {"top_k": tf.fill([3], 2), "top_p": tf.fill([3], 0.9), "min_p": tf.fill([3], 0.1)}
    restricted = signatures["sample_with_options"](seed=seed, temperature=temperature, **rules)
    sampler = pz.sampling.Sampler(top_k=2, top_p=0.9, min_p=0.1)
    assert (restricted["image"].numpy() == model.generate(3, seed=5, sampler=sampler)).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="temperature: must be a finite number of at least 0"):
        signatures["sample_with_options"](seed=seed, temperature=-temperature, **rules)
    with pytest.raises(ValueError, match="jit_compile must be True or False, got 'auto'"):
        pz.export(model, tmp_path, version=2, jit_compile="auto")
    warm_up = tf.data.TFRecordDataset(str(tmp_path / "1" / "assets.extra" / "tf_serving_warmup_requests"))
    assert len(list(warm_up)) == 11 * 4  # each signature, in each batch size


def test_another_backend_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"export needs KERAS_BACKEND=tensorflow, got 'jax'"):
        pz.export(None, tmp_path)
