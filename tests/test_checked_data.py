"""Keras's own methods say of bad data what `log_likelihood` says, however the data come; callbacks know a metric's aim.

The default of tests is to compile nothing: the checks of pipelines must hold under XLA too, which ignores assertions
inside a step.
"""

import importlib.util
import warnings

import keras
import numpy as np
import pytest
from backends import fewer_on_jax, tensorflow_alone
from lazily import Lazily

import pixel_zoo as pz

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("pipelines need TensorFlow", allow_module_level=True)
tf = Lazily("tensorflow")
SMALL = {"levels": 3, "filters": 2, "num_blocks": 1, "head_filters": 2}


def compiled_model(jit_compile=False, **more):
    model = pz.models.PixelCNN((4, 4, 1), **SMALL, **more)
    model.compile(jit_compile=jit_compile)
    return model


@pytest.fixture(scope="module")
def model():
    return compiled_model()


@pytest.fixture(scope="module")
def conditional():
    return compiled_model(num_classes=4)


@pytest.fixture(scope="module")
def multi_scale():
    model = pz.models.MultiScalePixelRNN(
        (4, 4, 1), 3, ((2, 2),), base="PixelCNN", options={k: v for k, v in SMALL.items() if k != "levels"}
    )
    model.compile()
    return model


GOOD = np.arange(64).reshape(4, 4, 4, 1).astype("uint8") % 3
HIGH, LOW = np.where(GOOD == 2, 255, GOOD).astype("uint8"), GOOD.astype("int32") - 1
BAD = {
    "float": (GOOD / 2, TypeError, r"images must be integers 0..2 \(the model scales them itself\), got dtype float"),
    "high": (HIGH, ValueError, "images must have values 0..2, got 0..255"),
    "low": (LOW, ValueError, "images must have values 0..2, got -1..1"),
    "shape": (GOOD[:, :3], ValueError, r"images must have shape \(batch, 4, 4, 1\)"),
}
TOO_HIGH = r"^images must have values 0\.\.2, got 0\.\.255$"
METHODS = ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("images", "error", "message"), BAD.values(), ids=BAD)
def test_bad_arrays_are_refused_before_the_first_step(model, method, images, error, message):
    with pytest.raises(error, match=message):
        getattr(model, method)(images)
    assert int(model.optimizer.iterations) == 0


@tensorflow_alone
def test_all_arrays_are_looked_at(model, multi_scale):
    with pytest.raises(ValueError, match=r"y must have values 0\.\.2, got 0\.\.255"):
        model.fit(GOOD, HIGH)
    for validation in (HIGH, (HIGH,), (HIGH, HIGH)):
        with pytest.raises(ValueError, match=TOO_HIGH):
            model.fit(GOOD, validation_data=validation)
    with pytest.raises(ValueError, match=TOO_HIGH):
        multi_scale.fit(HIGH)
    with pytest.raises(ValueError, match=r"small must have values 0\.\.2, got 0\.\.255"):
        stage = multi_scale.stages[1]
        stage.compile()
        stage.evaluate({"image": GOOD, "small": HIGH[:, ::2, ::2]})


@tensorflow_alone
@pytest.mark.parametrize("labels", [[0, 1, -1, 3], [0, 1, 2, 4], [0.0, 0.6, 1.0, 2.0], None], ids=str)
def test_bad_labels_are_refused(conditional, labels):
    given = {"image": GOOD} | ({} if labels is None else {"label": np.array(labels)})
    with pytest.raises((TypeError, ValueError), match=r"labels must be .*0..3"):
        conditional.fit(given)
    if labels is not None:
        with pytest.raises((TypeError, ValueError), match=r"labels must be .*0..3"):
            conditional.evaluate(tf.data.Dataset.from_tensors(given))


class Batches(keras.utils.PyDataset):
    def __init__(self, *batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return (self.batches[index],)


PIPELINES = {
    "dataset": lambda *batches: tf.data.Dataset.from_tensor_slices((np.stack(batches),)),
    "dataset of tensors": lambda *batches: tf.data.Dataset.from_tensor_slices(np.stack(batches)),
    "dataset of pairs": lambda *batches: tf.data.Dataset.from_tensor_slices((np.stack(batches),) * 2),
    "PyDataset": Batches,
    "generator": lambda *batches: ((batch,) for batch in batches),
}


def in_a_pipeline(kind, *batches):
    options = {"verbose": 0} | ({"steps_per_epoch": len(batches)} if kind == "generator" else {})
    return {"x": PIPELINES[kind](*batches), **options}


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("kind", fewer_on_jax(PIPELINES, ["dataset"], quick=["dataset", "PyDataset"]))
def test_bad_values_of_a_pipeline_are_refused(model, kind):
    with pytest.raises(ValueError, match=TOO_HIGH):
        model.fit(**in_a_pipeline(kind, GOOD, HIGH, GOOD))
    with pytest.raises(TypeError, match=r"images must be integers 0\.\.2"):
        model.fit(**in_a_pipeline(kind, GOOD / 2, GOOD / 2))
    assert np.isfinite(model.fit(**in_a_pipeline(kind, GOOD, GOOD)).history["nats"][0])
    assert int(model.optimizer.iterations) <= 15
    model.optimizer.iterations.assign(0)


def of_open_shape(images, *open_shape):
    """A pipeline that does not know the shape of its images beforehand, as one that decodes pictures."""
    return tf.data.Dataset.from_generator(lambda: iter([(images,)]), output_signature=(tf.TensorSpec(*open_shape),))


@pytest.mark.parametrize("open_shape", [(None, None, None, 1), None], ids=str)
def test_pipelines_of_open_shape_are_checked_too(model, open_shape):
    assert np.isfinite(model.evaluate(of_open_shape(GOOD, open_shape, "uint8"), verbose=0)).all()
    with pytest.raises(ValueError, match=TOO_HIGH):
        model.evaluate(of_open_shape(HIGH, open_shape, "uint8"), verbose=0)
    with pytest.raises(TypeError, match=r"images must be integers 0\.\.2"):
        model.evaluate(of_open_shape(GOOD / 2, open_shape, "float64"), verbose=0)
    with pytest.raises(ValueError, match=r"^images must have shape \(batch, 4, 4, 1\), got \[4 3 4 1\]$"):
        model.evaluate(of_open_shape(GOOD[:, :3], open_shape, "uint8"), verbose=0)


def test_floats_beside_an_input_of_open_shape_are_refused():
    model = compiled_model(conditioning_dim=2)
    signature = {
        "image": tf.TensorSpec((None, 4, 4, 1), "float32"),
        "vector": tf.TensorSpec((None, None), "float32"),
    }
    batch = {"image": (GOOD / 2).astype("float32"), "vector": np.zeros((4, 2), "float32")}
    with pytest.raises(TypeError, match=r"images must be integers 0\.\.2"):
        model.evaluate(tf.data.Dataset.from_generator(lambda: iter([batch]), output_signature=signature))


@pytest.mark.parametrize("method", METHODS)
def test_no_images_are_refused(model, method):
    with pytest.raises(ValueError, match="the number of images must be an integer of at least 1, got 0"):
        getattr(model, method)(GOOD[:0])


@pytest.mark.parametrize("kind", fewer_on_jax(PIPELINES, ["dataset", "PyDataset"], quick=["dataset", "PyDataset"]))
def test_a_bad_first_batch_leaves_the_model_as_it_was(kind):
    """Keras on JAX would lose all weights."""
    model = compiled_model()
    before = model.log_likelihood(GOOD)
    with pytest.raises(ValueError, match=TOO_HIGH):
        model.fit(**in_a_pipeline(kind, HIGH, GOOD), shuffle=False)  # else a PyDataset may give the good one first
    np.testing.assert_array_equal(model.log_likelihood(GOOD), before)


@pytest.mark.slow
@pytest.mark.xla
def test_bad_values_are_refused_by_a_compiled_model_too():
    with pytest.raises(ValueError, match=TOO_HIGH):
        compiled_model(jit_compile=True).fit(PIPELINES["dataset"](GOOD, HIGH), verbose=0)


@tensorflow_alone
def test_pipelines_train_without_a_warning(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in PIPELINES:
            model.fit(**in_a_pipeline(kind, GOOD, GOOD))


@tensorflow_alone
@pytest.mark.parametrize("kind", ["model", "multi_scale"])
def test_callbacks_know_that_lower_is_better(kind, request, tmp_path):
    model = request.getfixturevalue(kind)
    model.save(tmp_path / "model.keras")
    for one in (model, keras.models.load_model(tmp_path / "model.keras")):
        one.run_eagerly = True
        callbacks = []
        for monitor in ("val_nats", "val_bits_per_dim"):
            callbacks.append(keras.callbacks.EarlyStopping(monitor))
            callbacks.append(keras.callbacks.ReduceLROnPlateau(monitor))
            callbacks.append(keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor, save_best_only=True))
        one.fit(GOOD, validation_data=GOOD, verbose=0, callbacks=callbacks)
        assert all(callback.monitor_op == keras.ops.less for callback in callbacks)
    assert {metric()._direction for metric in (pz.likelihoods.Nats, pz.likelihoods.BitsPerDim)} == {"down"}
