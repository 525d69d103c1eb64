"""A model learns from the predictions of another: knowledge distillation."""

import dataclasses
import hashlib
import json
import math

import interrupted_runs
import keras
import numpy as np
import pytest

from pixel_zoo.models import Mixture, MultiScalePixelRNN, PixelCNN, PixelModel, PixelRNN
from pixel_zoo.models.teacher import Teacher
from pixel_zoo.training import Recipe, teacher_predictions, train
from pixel_zoo.training.feed import columns
from pixel_zoo.training.teacher_predictions import predictions_of_teacher

SMALL = {"image_shape": (4, 4, 1), "num_blocks": 1, "head_filters": 4}
tensorflow_alone = pytest.mark.tensorflow_alone
RECIPE = Recipe(
    data="digits",
    model="PixelCNN",
    model_options={"filters": 4, "num_blocks": 1, "head_filters": 8},
    batch_size=256,
    epochs=1,
    ema_momentum=0.9,
)


def strange(model):
    """The model with random weights: untrained models predict much the same."""
    model.set_weights([np.random.default_rng(1).normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def images(levels, count=6):
    return np.random.default_rng(0).integers(0, levels, (count, 4, 4, 1), "uint8")


def expected_cross_entropy(teacher, student, images):
    """In nats per image, from the public log-probabilities of both models."""
    expected, own = (np.asarray(model.log_probabilities(images)) for model in (teacher, student))
    return -(np.exp(expected) * own).sum(axis=(1, 2, 3, 4))


@pytest.mark.parametrize("levels", [2, 5])
def test_the_training_loss_is_the_mean_of_that_of_the_images_and_that_of_the_teacher(levels):
    teacher, student = strange(PixelRNN(units=3, levels=levels, **SMALL)), PixelCNN(filters=4, levels=levels, **SMALL)
    batch, weight = images(levels), np.array([1, 2, 0, 1, 3, 1], "float32")
    nats = -np.asarray(student.log_likelihood(batch))
    taught = expected_cross_entropy(teacher, student, batch)
    before = [model.get_weights() for model in (teacher, student)]
    student.compile("sgd", teacher=teacher)
    student.optimizer.learning_rate.assign(0.0)
    logs = student.train_on_batch(batch, return_dict=True)
    assert logs["loss"] == pytest.approx((nats + taught).mean() / 2, rel=1e-5)
    assert logs["nats"] == pytest.approx(nats.mean(), rel=1e-5)
    student.reset_metrics()
    weighted = student.train_on_batch(batch, sample_weight=weight[:, None], return_dict=True)["loss"]
    assert weighted == pytest.approx((weight * (nats + taught)).mean() / 2, rel=1e-5)
    assert student.evaluate(batch, verbose=0, return_dict=True)["loss"] == pytest.approx(nats.mean(), rel=1e-5)
    for model, weights in zip((teacher, student), before, strict=True):
        assert all((one == other).all() for one, other in zip(model.get_weights(), weights, strict=True))


@tensorflow_alone
def test_a_student_comes_closer_to_its_teacher_and_is_saved_without_it(tmp_path):
    keras.utils.set_random_seed(0)
    teacher, student = Mixture([PixelRNN(units=3, **SMALL), PixelCNN(filters=4, **SMALL)]), PixelCNN(filters=4, **SMALL)
    strange(teacher)
    batch = images(2, 64)
    before = expected_cross_entropy(teacher, student, batch).mean()
    weights = teacher.get_weights()
    student.compile(keras.optimizers.Adam(0.03), teacher=teacher)
    student.fit(batch, epochs=5, batch_size=16, verbose=0)
    assert expected_cross_entropy(teacher, student, batch).mean() < before - 0.1
    assert all((one == other).all() for one, other in zip(teacher.get_weights(), weights, strict=True))
    student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    assert len(loaded.weights) == len(student.weights) == len(PixelCNN(filters=4, **SMALL).weights)
    nats = -np.asarray(loaded.log_likelihood(batch))
    loaded.optimizer.learning_rate.assign(0.0)
    assert loaded.train_on_batch(batch, return_dict=True)["loss"] == pytest.approx(nats.mean(), rel=1e-5)
    student.compile()
    assert student.train_on_batch(batch, return_dict=True)["loss"] == pytest.approx(nats.mean(), rel=1e-5)


@tensorflow_alone
@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "float32"), ("mixed_bfloat16", "float32")])
def test_a_teacher_may_compute_in_another_dtype(dtypes):
    teacher, student = PixelRNN(units=3, dtype=dtypes[0], **SMALL), PixelCNN(filters=4, dtype=dtypes[1], **SMALL)
    strange(teacher)
    batch = images(2)
    nats = -np.asarray(student.log_likelihood(batch)) + expected_cross_entropy(teacher, student, batch)
    student.compile("sgd", teacher=teacher)
    loss = student.train_on_batch(batch, return_dict=True)["loss"]
    assert loss == pytest.approx(nats.mean() / 2, rel=1e-3 if "mixed" in dtypes[0] else 1e-5)


@tensorflow_alone
def test_a_student_may_have_inputs_that_its_teacher_lacks_but_not_the_reverse():
    plain, labelled = PixelRNN(units=3, **SMALL), PixelCNN(filters=4, num_classes=3, **SMALL)
    batch, labels = images(2), np.array([0, 1, 2, 0, 1, 2])
    labelled.compile("sgd", teacher=plain)
    expected, own = plain.log_probabilities(batch), labelled.log_probabilities(batch, labels)
    nats = -np.asarray(labelled.log_likelihood(batch, labels)) - (np.exp(expected) * own).sum(axis=(1, 2, 3, 4))
    loss = labelled.train_on_batch({"image": batch, "label": labels}, return_dict=True)["loss"]
    assert loss == pytest.approx(nats.mean() / 2, rel=1e-5)
    teacher, inputs = PixelCNN(filters=4, num_classes=3, **SMALL), {"image": batch, "label": labels}
    labelled.compile("sgd", teacher=teacher)
    predictions = Teacher(teacher, labelled).predict(labelled, inputs, batch_size=4)
    assert predictions == pytest.approx(np.asarray(teacher(inputs)), abs=1e-5)
    labelled.train_on_batch(inputs)
    with pytest.raises(ValueError, match=r"teacher: its num_classes must be None, .* got 3"):
        plain.compile(teacher=labelled)
    with pytest.raises(ValueError, match=r"teacher: it needs the input 'vector', float32 \(2,\)"):
        labelled.compile(teacher=PixelCNN(filters=4, conditioning_dim=2, **SMALL))


@tensorflow_alone
def test_a_teacher_of_other_pixels_or_values_is_refused():
    student = PixelCNN(filters=4, **SMALL)
    multi_scale = MultiScalePixelRNN((4, 4, 1), small_shapes=((2, 2),), options={"units": 3, "num_blocks": 1})
    labelled = [PixelCNN(filters=4, num_classes=number, **SMALL) for number in (3, 4)]
    with pytest.raises(ValueError, match=r"teacher: its num_classes must be 4, as of the model to train, got 3"):
        labelled[1].compile(teacher=labelled[0])
    for same in (student, PixelModel(student.input, student.output)):
        with pytest.raises(ValueError, match=r"teacher: it shares weights with the model to train"):
            student.compile(teacher=same)
    with pytest.raises(ValueError, match=r"teacher: its levels must be 2, as of the model to train, got 3"):
        student.compile(teacher=PixelCNN(filters=4, levels=3, **SMALL))
    with pytest.raises(ValueError, match=r"teacher: its image_shape must be \(4, 4, 1\), .* got \(4, 5, 1\)"):
        student.compile(teacher=PixelCNN(filters=4, **SMALL | {"image_shape": (4, 5, 1)}))
    for model, teacher, words in (
        (student, multi_scale, "the teacher must .* got MultiScalePixelRNN"),
        (multi_scale, student, "the model to train must .* got MultiScalePixelRNN"),
        (student, "best.keras", "the teacher must .* got str; load a file with"),
    ):
        with pytest.raises(TypeError, match=f"teacher: {words}"):
            model.compile(teacher=teacher)


@pytest.mark.parametrize(
    "steps_per_call",
    [
        pytest.param(1, marks=tensorflow_alone),
        pytest.param(2, marks=[pytest.mark.slow, pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX's")]),
    ],
)
def test_a_recipe_may_name_a_teacher(steps_per_call, tmp_path, monkeypatch):
    teacher = strange(PixelRNN((8, 8, 1), levels=17, units=3, num_blocks=1, head_filters=4))
    path = str(tmp_path / "t.keras")
    teacher.save(path)
    recipe = dataclasses.replace(RECIPE, teacher=path)
    run = tmp_path / "run"
    trained = train(recipe, run, samples=False, steps_per_call=steps_per_call, verbose=0)
    configuration = json.loads((run / "config.json").read_text())
    assert configuration["teacher_sha256"] == hashlib.sha256((tmp_path / "t.keras").read_bytes()).hexdigest()
    assert "| Teacher |" in (run / "report.md").read_text()
    header, first = (line.split(",") for line in (run / "log.csv").read_text().splitlines())
    logs = dict(zip(header, map(float, first), strict=True))
    assert abs(logs["loss"] - logs["nats"]) > 0.1 and logs["val_loss"] == pytest.approx(logs["val_nats"])

    # The model that is returned learns from its teacher in `fit`, too.
    batch = columns(recipe, "train")[:2]
    nats = -trained.log_likelihood(batch) + expected_cross_entropy(teacher, trained, batch)
    assert trained.train_on_batch(batch, return_dict=True)["loss"] == pytest.approx(nats.mean() / 2, rel=1e-4)

    # If its predictions would be too large to keep, the teacher predicts each batch, with the same result.
    with monkeypatch.context() as patch:
        patch.setattr(teacher_predictions, "LARGEST", 0)
        patch.setattr(Teacher, "predict", None)
        train(recipe, tmp_path / "online", samples=False, steps_per_call=steps_per_call, verbose=0)
    header, first = (line.split(",") for line in (tmp_path / "online" / "log.csv").read_text().splitlines())
    online = dict(zip(header, map(float, first), strict=True))
    assert [online[name] for name in ("loss", "val_loss")] == pytest.approx([logs["loss"], logs["val_loss"]], rel=1e-4)

    with pytest.raises(ValueError, match=r"resume: the run was started with teacher='.*t\.keras', got None"):
        other = dataclasses.replace(recipe, teacher=None)
        train(other, run, resume=True, steps_per_call=steps_per_call, verbose=0)
    teacher.set_weights([weight + 1 for weight in teacher.get_weights()])
    teacher.save(path)
    with pytest.raises(ValueError, match="resume: the run was started with teacher_sha256="):
        train(recipe, run, resume=True, steps_per_call=steps_per_call, verbose=0)


@pytest.mark.slow
def test_a_run_with_a_teacher_is_resumed_with_the_results_of_an_uninterrupted_one(tmp_path, monkeypatch):
    """The teacher reads the labels, too. It is interrupted itself, and then the training."""
    strange(PixelCNN((8, 8, 1), levels=17, filters=4, num_blocks=1, num_classes=10)).save(tmp_path / "t.keras")
    options = interrupted_runs.RECIPE.model_options | {"num_classes": 10}
    recipe = dataclasses.replace(interrupted_runs.RECIPE, teacher=str(tmp_path / "t.keras"), model_options=options)
    monkeypatch.setattr(interrupted_runs, "RECIPE", recipe)
    train(recipe, tmp_path / "undisturbed", samples=False, verbose=0)
    assert not list((tmp_path / "undisturbed").glob("teacher*"))

    run, predict, calls = tmp_path / "run", Teacher.predict, []

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predict(self, *args)

    monkeypatch.setattr(teacher_predictions, "IMAGES_AT_A_TIME", 500)
    monkeypatch.setattr(Teacher, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, run, samples=False, verbose=0)
    with pytest.raises(interrupted_runs.Killed):
        interrupted_runs.train_until(run, 18, interrupted_runs.kill, monkeypatch, checkpoint_steps=5)
    assert len(calls) == 4  # of three parts, the second one twice
    (kept,) = run.glob("teacher-*.npy")
    assert np.isfinite(np.load(kept)).all()
    train(recipe, run, resume=True, samples=False, verbose=0)
    interrupted_runs.assert_same_run(run, tmp_path / "undisturbed")
    train(recipe, run, resume=True, samples=False, verbose=0)
    assert len(calls) == 4  # nothing was left to do


@tensorflow_alone
def test_predictions_are_kept_for_the_same_inputs_only_and_as_long_as_there_is_time(tmp_path, monkeypatch):
    student, batch = PixelCNN(filters=4, **SMALL), images(2)
    student.compile(teacher=strange(PixelCNN(filters=4, **SMALL)))
    monkeypatch.setattr(teacher_predictions, "IMAGES_AT_A_TIME", 4)
    with pytest.raises(TimeoutError, match=r"minutes: the time was over when the teacher had predicted 0 of 6 images"):
        predictions_of_teacher(student, batch, tmp_path, deadline=-math.inf)
    first = predictions_of_teacher(student, batch, tmp_path)
    other = predictions_of_teacher(student, 1 - batch, tmp_path)
    assert abs(first - other).max() > 0.1
    for path in tmp_path.iterdir():
        np.save(path, first[:5])
    with pytest.raises(ValueError, match=r"resume: '.*teacher-\w+\.npy' is damaged; delete it"):
        predictions_of_teacher(student, batch, tmp_path)


@tensorflow_alone
def test_a_missing_or_unsuitable_teacher_of_a_recipe_is_named_before_training(tmp_path):
    with pytest.raises(ValueError, match=r"teacher must be the path of a .keras file or None, got 'best.h5'"):
        dataclasses.replace(RECIPE, teacher="best.h5")
    with pytest.raises(FileNotFoundError, match=r"teacher: there is no file 'none.keras'"):
        train(dataclasses.replace(RECIPE, teacher="none.keras"), tmp_path / "run", verbose=0)
    (tmp_path / "broken.keras").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"teacher: '.*broken.keras' can't be loaded: "):
        train(dataclasses.replace(RECIPE, teacher=str(tmp_path / "broken.keras")), tmp_path / "run", verbose=0)
    PixelCNN(filters=4, **SMALL).save(tmp_path / "small.keras")
    with pytest.raises(ValueError, match=r"teacher: its image_shape must be \(8, 8, 1\)"):
        train(dataclasses.replace(RECIPE, teacher=str(tmp_path / "small.keras")), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()
