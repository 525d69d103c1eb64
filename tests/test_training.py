"""Recipes, training runs and what they leave behind, on a model that trains in a second."""

import csv
import dataclasses
import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
from backends import tensorflow_alone
from PIL import Image

from pixel_zoo import data, pictures
from pixel_zoo.files import replacing
from pixel_zoo.layers import MaskedConv2D
from pixel_zoo.models import PixelCNN
from pixel_zoo.training import Checkpoint, Recipe, StopAfter, evaluate, load_recipes, override, train
from pixel_zoo.training import run as run_module
from pixel_zoo.training.initial_weights import load_initial_weights
from pixel_zoo.training.set_up import build_model, build_optimizer

TINY = Recipe(
    data="digits",
    model="PixelCNN",
    model_options={"filters": 4, "num_blocks": 1, "head_filters": 8},
    learning_rate=1e-2,
    batch_size=128,
    epochs=2,
)


# --- recipes ---


@pytest.mark.parametrize(
    "change, message",
    [
        ({"data": "digitz"}, "digits"),
        ({"model": "PixelGAN"}, "model.* must be one of .*PixelCNN.*PixelRNN.*'PixelGAN'"),
        ({"model_options": {"filter": 3}}, "model_options: .*PixelCNN takes filters, .* got 'filter'"),
        ({"model_options": {"levels": 3}}, "got 'levels'"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamw, rmsprop, got 'sgd'"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number above 0, got nan"),
        ({"schedule": "linear"}, "schedule must be one of constant, cosine"),
        ({"warmup_steps": 10}, "warmup_steps needs schedule='cosine'"),
        ({"clip_norm": -1.0}, "clip_norm must be a number above 0"),
        ({"ema_momentum": 1.0}, "ema_momentum must be a number between 0 and 1, got 1.0"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"accumulation_steps": 0}, "accumulation_steps must be an integer of at least 1, got 0"),
        ({"initial_weights": "best.h5"}, "initial_weights must be the path of a .keras file or None, got 'best.h5'"),
        ({"patience": 0}, "patience must be an integer of at least 1, got 0"),
        ({"weight_decay": -1}, "weight_decay must be a number above 0, got -1"),
        ({"epochs": 1.5}, "epochs must be an integer of at least 1, got 1.5"),
        ({"seed": -1}, "seed must be an integer of at least 0"),
        ({"accumulation_steps": 10**30}, "accumulation_steps must be below 2147483648, got 1000000"),
        ({"epochs": 10**30}, "epochs must be below 2147483648"),
        ({"model_options": {"num_blocks": 10**9}}, "model_options: num_blocks must be at most 1000, got 1000000000"),
        ({"model_options": {"filters": 10**11}}, "model_options: filters must be at most 65536, got 100000000000"),
        ({"model_options": {"embedding_dim": 10**9}}, "model_options: embedding_dim must be at most 65536, got 10000"),
        ({"model_options": {"conditioning_dim": 10**9}}, "model_options: conditioning_dim must be at most 65536, got"),
        ({"model_options": {"dropout": "abc"}}, "model_options.dropout must be a number, got 'abc'"),
        ({"model_options": {"residual": "abc"}}, "model_options.residual must be True or False, got 'abc'"),
        (
            {"model": "MultiScalePixelRNN", "model_options": {"options": [{}, {"residual": "no"}]}},
            "model_options.options.residual must be True or False, got 'no'",
        ),
        (
            {"model": "MultiScalePixelRNN", "model_options": {"base": "PixelCNN", "options": {"dropout": "abc"}}},
            "model_options.options.dropout must be a number, got 'abc'",
        ),
        ({"model_options": {"num_classes": 4}}, "model_options: digits has 10 classes, got num_classes=4"),
        (
            {"data": "binarized_mnist", "model_options": {"num_classes": 10}},
            "model_options: binarized_mnist has no labels, got num_classes=10",
        ),
        (
            {"model": "MultiScalePixelRNN", "model_options": {"small_shapes": [(4, 4)], "options": {"units": 10**11}}},
            "model_options: units must be at most 65536",
        ),
    ],
)
def test_a_recipe_names_what_is_wrong_with_it(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)


@tensorflow_alone
def test_override_reads_values_by_the_type_of_their_field():
    changed = override(TINY, "learning_rate=1e-3", "ema_momentum=none", "model_options.skip=false", "target=3")
    assert (changed.learning_rate, changed.ema_momentum, changed.target) == (1e-3, None, "3")
    assert changed.model_options == TINY.model_options | {"skip": False}
    assert "skip" not in TINY.model_options


@pytest.mark.parametrize(
    "assignment, message",
    [
        ("learning_rate", "must read field=value"),
        ("lr=1", "a recipe has no field 'lr'; it has data, data_options.NAME, model, model_options.NAME"),
        ("model_options=3", "no field 'model_options'"),
        ("epochs.x=3", "no field 'epochs.x'"),
        ("epochs=many", "epochs must be an integer of at least 1, got 'many'"),
    ],
)
def test_override_refuses(assignment, message):
    with pytest.raises(ValueError, match=message):
        override(TINY, assignment)


@tensorflow_alone
def test_recipes_are_loaded_from_a_file_anywhere(tmp_path):
    path = tmp_path / "my recipes.py"
    path.write_text(
        "from pixel_zoo.training import Recipe\n"
        "one = Recipe(data='digits', model='PixelCNN')\n"
        "_two = Recipe(data='digits', model='PixelCNN')\n"
    )
    assert list(load_recipes(path)) == ["one"]


@pytest.mark.parametrize(
    "text, message",
    [("x = 3\n", "holds no Recipe"), ("x = 3\ny = z\n", "fails in line 2: NameError"), ("x = (\n", "SyntaxError")],
)
def test_a_bad_recipe_file_is_one_clear_error(tmp_path, text, message):
    path = tmp_path / "recipes.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_recipes(path)


@tensorflow_alone
def test_a_missing_recipe_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none.py"):
        load_recipes(tmp_path / "none.py")


RECIPES = sorted((pathlib.Path(__file__).parents[1] / "recipes").glob("*.py"))


def made_small(options):
    """The options of a model with few blocks and features."""
    small = {"num_blocks": 1, "filters": 3, "units": 3, "head_filters": 3}
    return {
        name: made_small(value) if isinstance(value, dict) else small.get(name, value)
        for name, value in options.items()
    }


def stand_in(recipe):
    """The recipe's data set; for data that a user supplies, one of the shape that its options ask for."""
    if not data.options(recipe.data):
        return data.info(recipe.data)
    size, colours = recipe.data_options.get("size", 8), recipe.data_options.get("colours", 1)
    small = recipe.model_options.get("small_shape")
    given = {} if small is None else {"small_shape": small, "read_small": data.info("mnist").read}  # not read
    return dataclasses.replace(data.info("mnist"), name="stand_in", image_shape=(size, size, colours), **given)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="slow to build there, and no different")
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_our_own_recipes_build(path):
    for recipe in load_recipes(path).values():
        assert recipe.target and recipe.source
        info = stand_in(recipe)
        small = {"data": info, "data_options": {}, "model_options": made_small(recipe.model_options)}
        model = build_model(dataclasses.replace(recipe, **small))
        assert (tuple(model.image_shape), model.levels) == (tuple(info.image_shape), info.levels)


# --- optimiser ---


def test_the_cosine_schedule_warms_up_and_ends_at_zero():
    recipe = dataclasses.replace(TINY, schedule="cosine", warmup_steps=10, epochs=5)
    rate = build_optimizer(recipe, steps_per_epoch=20)._learning_rate
    start, half, top, middle, end = (float(rate(step)) / recipe.learning_rate for step in (0, 5, 10, 55, 100))
    assert (start, half, top, middle) == pytest.approx((0, 0.5, 1, 0.5), abs=1e-6)
    assert end == pytest.approx(0, abs=1e-6)


def test_the_optimiser_is_the_recipe_s():
    recipe = dataclasses.replace(TINY, optimizer="rmsprop", clip_norm=2.0, ema_momentum=0.9)
    optimizer = build_optimizer(recipe, steps_per_epoch=1)
    assert isinstance(optimizer, keras.optimizers.RMSprop)
    assert (optimizer.global_clipnorm, optimizer.use_ema, optimizer.ema_momentum) == (2.0, True, 0.9)


# --- a run ---


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "new"
    return train(TINY, output, verbose=0), output


def rows(output):
    with open(output / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_a_full_record(run):
    _, output = run
    files = {"best.keras", "config.json", "log.csv", "loss.png", "model.keras", "report.md", "samples.png", "state.npz"}
    assert {path.name for path in output.iterdir() if path.name[0] != "."} == files | {"samples", "tensorboard"}
    assert [path.name for path in sorted((output / "samples").iterdir())] == ["epoch-0001.png", "epoch-0002.png"]
    configuration = json.loads((output / "config.json").read_text())
    assert Recipe(**configuration["recipe"]) == TINY
    assert configuration["versions"]["keras"] == keras.__version__
    assert configuration["training_images_sha256"] == data.content_hash("digits", "train")
    assert [row["epoch"] for row in rows(output)] == ["0", "1"]
    for name in ("samples.png", "loss.png"):
        Image.open(output / name).verify()


@pytest.mark.slow
@tensorflow_alone
def test_a_run_without_pillow_or_matplotlib_ends_without_pictures(tmp_path, monkeypatch, caplog):
    """A run of a few steps, whose profile names what ran."""
    monkeypatch.setattr(pictures, "can_draw", lambda: False)
    train(dataclasses.replace(TINY, batch_size=64, epochs=1), tmp_path, profile=True, verbose=0)
    (trace,) = (tmp_path / "profile").rglob("*.xplane.pb")
    assert b"block1_conv" in trace.read_bytes()
    assert {"best.keras", "log.csv", "report.md"} <= {path.name for path in tmp_path.iterdir()}
    assert not list(tmp_path.rglob("*.png"))
    assert ".png" not in (tmp_path / "report.md").read_text()
    assert [record.message for record in caplog.records if "no pictures" in record.message] == [
        f"{tmp_path}: no pictures, which need Pillow and matplotlib"
    ]


def test_the_report_names_the_best_epoch_and_what_was_trained(run):
    model, output = run
    report = (output / "report.md").read_text()
    nats = min(float(row["val_nats"]) for row in rows(output))
    assert f"**{nats:.3f} nats an image, {nats / (64 * np.log(2)):.4f} bits/dim**" in report
    assert f"PixelCNN (filters 4, num_blocks 1, head_filters 8), {model.count_params():,} parameters" in report
    assert data.content_hash("digits", "train") in report


def test_tensorboard_shows_the_samples_of_each_epoch(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run[1] / "tensorboard" / "samples")).Reload()
    files = sorted((run[1] / "samples").iterdir())
    shown = events.Images("samples")
    assert [image.step for image in shown] == [0, 1]
    assert [image.encoded_image_string for image in shown] == [file.read_bytes() for file in files]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="reads events by TensorFlow")
def test_tensorboard_shows_the_nats_of_each_epoch(run):
    import tensorflow as tf

    (file,) = (run[1] / "tensorboard" / "validation").iterdir()
    events = [
        (event.step, value) for event in tf.compat.v1.train.summary_iterator(str(file)) for value in event.summary.value
    ]
    nats = {step: float(tf.make_ndarray(value.tensor)) for step, value in events if value.tag == "epoch_nats"}
    assert nats == pytest.approx({int(row["epoch"]): float(row["val_nats"]) for row in rows(run[1])}, rel=1e-5)


def test_a_batch_larger_than_the_training_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="batch_size must be at most 1297, the number of training images, got 1298"):
        train(dataclasses.replace(TINY, batch_size=1298), tmp_path / "run", verbose=0)


def test_weight_decay_and_accumulated_gradients_are_the_optimiser_s():
    recipe = dataclasses.replace(TINY, optimizer="adamw", weight_decay=0.01, accumulation_steps=4)
    optimizer = build_optimizer(recipe, steps_per_epoch=1)
    assert (optimizer.weight_decay, optimizer.gradient_accumulation_steps) == (0.01, 4)
    plain = build_optimizer(TINY, steps_per_epoch=1)
    assert (plain.weight_decay, plain.gradient_accumulation_steps) == (None, None)


def test_the_best_model_is_returned_and_saved(run):
    model, output = run
    nats = [float(row["val_nats"]) for row in rows(output)]
    assert evaluate(model, "digits", "validation")["nats"] == pytest.approx(min(nats), rel=1e-4)
    images = data.arrays("digits", "test")
    reloaded = keras.models.load_model(output / "best.keras")
    np.testing.assert_allclose(reloaded.log_likelihood(images), model.log_likelihood(images), rtol=1e-5)


def test_training_learns(run):
    _, output = run
    untrained = evaluate(build_model(TINY), "digits", "validation")["nats"]
    assert float(rows(output)[-1]["val_nats"]) < 0.9 * untrained


@pytest.mark.slow
@tensorflow_alone
def test_the_same_seed_trains_the_same_model(run, tmp_path):
    model, _ = run
    again = train(TINY, tmp_path, samples=False, verbose=0)
    for weight, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)


@tensorflow_alone
def test_saved_weights_are_loaded_and_new_layers_start_as_usual(run, caplog):
    trained, output = run
    options = TINY.model_options | {"position_embedding": True, "dropout": 0.1}
    recipe = dataclasses.replace(TINY, initial_weights=str(output / "best.keras"), model_options=options)
    model = build_model(recipe)
    load_initial_weights(model, recipe.initial_weights)
    assert "left as initialised: positions/embeddings" in caplog.text
    images = data.arrays("digits", "test")[:8]
    np.testing.assert_array_equal(model.log_likelihood(images), trained.log_likelihood(images))  # new biases are 0


@pytest.mark.slow
@tensorflow_alone
def test_training_starts_from_the_saved_weights(run, tmp_path):
    _, output = run
    recipe = dataclasses.replace(TINY, initial_weights=str(output / "best.keras"))
    train(dataclasses.replace(recipe, epochs=1, learning_rate=1e-9), tmp_path / "run", samples=False, verbose=0)
    best = min(float(row["val_nats"]) for row in rows(output))
    assert float(rows(tmp_path / "run")[0]["val_nats"]) == pytest.approx(best, abs=1e-3)
    assert len(json.loads((tmp_path / "run" / "config.json").read_text())["initial_weights_sha256"]) == 64


@tensorflow_alone
def test_weights_that_do_not_fit_are_refused_by_name(run):
    path = str(run[1] / "best.keras")
    wider = {"model_options": TINY.model_options | {"filters": 5}}
    for change, message in ((wider, "has the shape"), ({"model": "GatedPixelCNN"}, "lacks")):
        with pytest.raises(ValueError, match=f"initial_weights: .*{message}"):
            load_initial_weights(build_model(dataclasses.replace(TINY, **change)), path)
    with pytest.raises(FileNotFoundError, match=r"initial_weights: there is no file 'none\.keras'"):
        load_initial_weights(PixelCNN(**TINY.model_options, image_shape=(8, 8, 1), levels=2), "none.keras")


@tensorflow_alone
def test_a_class_conditional_recipe_trains_and_is_evaluated_with_labels(tmp_path):
    options = TINY.model_options | {"num_classes": 10}
    model = train(dataclasses.replace(TINY, model_options=options, epochs=1), tmp_path, samples=False, verbose=0)
    nats = -model.log_likelihood(data.arrays("digits", "validation"), data.labels("digits", "validation"))
    assert float(rows(tmp_path)[0]["val_nats"]) == pytest.approx(nats.mean(), rel=1e-4)
    assert evaluate(model, "digits", "validation")["nats"] == pytest.approx(nats.mean(), rel=1e-5)
    with pytest.raises(ValueError, match="data: 'digits' has 10 classes, the model 4"):
        evaluate(PixelCNN((8, 8, 1), 17, **options | {"num_classes": 4}), "digits", "test")


@pytest.mark.slow
@tensorflow_alone
def test_nothing_is_traced_after_the_first_epoch(tmp_path, monkeypatch):
    call, traced = MaskedConv2D.call, []
    monkeypatch.setattr(MaskedConv2D, "call", lambda self, x, bias=None: traced.append(self) or call(self, x, bias))
    train(dataclasses.replace(TINY, epochs=1), tmp_path / "one", samples=False, verbose=0)
    one_epoch = len(traced)
    train(dataclasses.replace(TINY, epochs=3), tmp_path / "three", samples=False, verbose=0)
    assert one_epoch > 0 and len(traced) == 2 * one_epoch


FREED_MEMORY = """
import os, resource
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # on some processors TensorFlow has them, and an allocator that keeps all
import keras
from pixel_zoo import data, models
from pixel_zoo.training.callbacks.memory import KeepFreedMemory

class Faults(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    def on_epoch_end(self, epoch, logs=None):
        self.faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - self.before

model = models.PixelCNN((8, 8, 1), levels=17, filters=32, num_blocks=1)
model.compile(jit_compile=False)
batches = data.pipeline("digits", "train", 400, seed=0).take(2)
for kept in ([], [KeepFreedMemory()]):
    faults = Faults()
    model.fit(batches, epochs=2, callbacks=[*kept, faults], shuffle=False, verbose=0)
    print(faults.faults)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such thresholds")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX on a CPU keeps its memory anyway")
def test_memory_that_a_step_frees_is_there_for_the_next():
    done = subprocess.run([sys.executable, "-c", FREED_MEMORY], capture_output=True, text=True, check=True)
    without, kept = map(int, done.stdout.split())
    assert kept < without / 3


def test_a_directory_with_files_is_left_as_it_is(tmp_path):
    (tmp_path / "precious").write_text("weights")
    with pytest.raises(FileExistsError, match=r"output: .* already holds files"):
        train(TINY, tmp_path, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_an_output_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(OSError, match=r"output: .* cannot be written"):
        train(TINY, tmp_path / "file" / "run", verbose=0)


def assert_average_is_saved(model, output):
    """The saved weights are those that the log's last row was measured with."""
    last = keras.models.load_model(output / "model.keras")
    logged = float(rows(output)[-1]["val_nats"])
    assert evaluate(last, "digits", "validation")["nats"] == pytest.approx(logged, rel=1e-4)
    assert evaluate(model, "digits", "validation")["nats"] <= logged * (1 + 1e-4)
    return last


@pytest.mark.slow
@tensorflow_alone
def test_averaged_weights_are_evaluated_and_saved(run, tmp_path):
    model = train(dataclasses.replace(TINY, ema_momentum=0.9), tmp_path, samples=False, verbose=0)
    last = assert_average_is_saved(model, tmp_path)
    unaveraged = keras.models.load_model(run[1] / "model.keras")
    pairs = zip(last.get_weights(), unaveraged.get_weights(), strict=True)
    assert any(not np.allclose(a, b, rtol=1e-2) for a, b in pairs)


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt("by the user"), MemoryError("no room for the step")],
    ids=lambda error: type(error).__name__,
)
def test_a_first_step_that_cannot_be_compiled_says_why_and_leaves_the_weights(error):
    class Failing(PixelCNN):
        def compute_loss(self, *args, training=True, **kwargs):
            if training:
                raise error
            return super().compute_loss(*args, training=training, **kwargs)

    model = Failing((4, 4, 1), filters=2, num_blocks=1)
    before = model.get_weights()
    model.compile(keras.optimizers.Adam(use_ema=True))
    with pytest.raises(type(error)) as raised:
        model.fit(np.zeros((2, 4, 4, 1), "uint8"), batch_size=2, verbose=0)
    assert str(error) in str(raised.value)
    assert all(map(np.array_equal, model.get_weights(), before))


@tensorflow_alone
def test_time_ends_training_and_the_averaged_weights_are_kept(tmp_path, monkeypatch):
    seconds = itertools.count(step=15)  # a step takes 15 seconds by this clock
    monkeypatch.setattr(
        "pixel_zoo.training.callbacks.stop_after.time", types.SimpleNamespace(monotonic=lambda: next(seconds))
    )
    model = train(dataclasses.replace(TINY, ema_momentum=0.9), tmp_path, minutes=1, samples=False, verbose=0)
    assert len(rows(tmp_path)) == 1
    last = assert_average_is_saved(model, tmp_path)
    assert int(last.optimizer.iterations) == 4
    # The optimiser keeps the other set, the weights that training would go on from.
    pairs = zip(last.optimizer._model_variables_moving_average, last.trainable_variables, strict=True)
    assert any(not np.allclose(a, b, rtol=1e-2) for a, b in pairs)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX takes several steps a call")
def test_a_backend_without_a_device_loop_refuses_it(tmp_path):
    with pytest.raises(ValueError, match="steps_per_call must be 1 on tensorflow, got 100: use JAX"):
        train(TINY, tmp_path / "run", steps_per_call=100)
    assert not (tmp_path / "run").exists()


def test_mixed_precision_and_a_dtype_are_too_much():
    with pytest.raises(ValueError, match="mixed_precision sets the model's dtype, got 'float64' for it too"):
        Recipe(data="digits", model="PixelCNN", model_options={"dtype": "float64"}, mixed_precision=True)


@pytest.mark.slow
@tensorflow_alone
def test_after_mixed_precision_the_saved_model_is_validated_in_float32(tmp_path, monkeypatch, caplog):
    recipe = dataclasses.replace(TINY, epochs=1, mixed_precision=True)
    model = train(recipe, tmp_path / "run", samples=False, verbose=0)
    nats = evaluate(model, "digits", "validation")["nats"]
    assert f"**{nats:.3f} nats an image" in (tmp_path / "run" / "report.md").read_text()
    assert "in float32" not in caplog.text
    monkeypatch.setattr("pixel_zoo.training.run.MIXED_PRECISION_ROUNDING", -0.5)  # as if it had lost half of its nats
    assert run_module._float32_nats(tmp_path / "run", recipe, model) == pytest.approx(nats)
    assert f"best.keras has {nats:.3f} validation nats in float32, but " in caplog.text


def test_a_bound_on_time_is_above_zero():
    with pytest.raises(ValueError, match="minutes must be above 0, got 0"):
        StopAfter(minutes=0)


def test_a_checkpoint_is_on_the_disk_before_it_replaces_a_worse_one(tmp_path, monkeypatch):
    synchronized, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: synchronized.append(1) or fsync(file))
    path = tmp_path / "best.keras"
    checkpoint = Checkpoint(path, monitor="val_nats", mode="min", save_best_only=True)
    for nats, saved, count in [(2.0, "2.0", 1), (3.0, "2.0", 1), (float("nan"), "2.0", 1), (1.0, "1.0", 2)]:
        model = types.SimpleNamespace(
            stop_training=False,
            save=lambda file, overwrite, nats=nats: pathlib.Path(file).write_text(str(nats)),
            jax_state_sync=lambda: None,
        )
        checkpoint.set_model(model)
        checkpoint.on_epoch_end(0, {"val_nats": nats})
        assert path.read_text() == saved and len(synchronized) == count
    assert list(tmp_path.iterdir()) == [path]


@tensorflow_alone
def test_divergence_is_an_error_that_keeps_the_last_good_weights(tmp_path):
    recipe = dataclasses.replace(TINY, learning_rate=1e30)
    with pytest.raises(ValueError, match=r"learning_rate=1e.30: training diverged in epoch 1"):
        train(recipe, tmp_path, samples=False, verbose=0)
    assert not list(tmp_path.glob("*.keras"))


@pytest.mark.parametrize("second", ["nan", "inf"])
def test_the_curve_of_a_run_that_diverged_is_drawn(second, tmp_path):
    (tmp_path / "log.csv").write_text(f"epoch,nats,val_nats\n0,100,90\n1,{second},{second}\n")
    pictures.save_loss_curve(tmp_path / "log.csv", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 0


@tensorflow_alone
@pytest.mark.parametrize(
    "first, limits",
    [("1000,900", (78.9, 81.1)), ("83,82", (78.8, 83.2))],  # with a margin of a twentieth of the height
)
def test_the_curve_leaves_out_a_steep_start(first, limits, tmp_path, monkeypatch):
    drawn = []
    figure = "matplotlib.figure.Figure.savefig"
    monkeypatch.setattr(figure, lambda self, path, **_: (path.touch(), drawn.extend(self.axes[0].get_ylim())))
    (tmp_path / "log.csv").write_text(f"epoch,nats,val_nats\n0,{first}\n1,80,81\n2,79,80\n")
    pictures.save_loss_curve(tmp_path / "log.csv", tmp_path / "curve.png")
    assert drawn == pytest.approx(limits)


def test_evaluate_refuses_other_images(run):
    model, _ = run
    with pytest.raises(ValueError, match=r"data: the images of 'binarized_mnist' have shape .28, 28, 1. and 2 levels"):
        evaluate(model, "binarized_mnist", "test")


def test_the_standard_error_is_that_of_the_mean(run):
    model, _ = run
    result = evaluate(model, "digits", "test")
    nats = -model.log_likelihood(data.arrays("digits", "test"))
    assert result["images"] == len(nats)
    assert result["standard_error"] == pytest.approx(nats.std(ddof=1) / len(nats) ** 0.5, rel=1e-4)
    assert result["bits_per_dim"] == pytest.approx(nats.mean() / (64 * np.log(2)), rel=1e-5)


# --- files and pictures ---


@tensorflow_alone
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@tensorflow_alone
def test_a_grid_shows_each_image_in_its_place():
    images = np.zeros((3, 96, 96, 3), "uint8")
    images[0, ..., 0], images[1, ..., 1], images[2, ..., 2] = 1, 2, 3
    picture = pictures.grid(images, columns=2, levels=4)
    assert picture.shape == (2 * 98 + 2, 2 * 98 + 2, 3)
    assert picture[10, 10].tolist() == [85, 0, 0]
    assert picture[10, 110].tolist() == [0, 170, 0]
    assert picture[110, 10].tolist() == [0, 0, 255]
    assert (picture[110, 110] == pictures.BACKGROUND).all()


@tensorflow_alone
def test_titles_stand_above_the_images_of_their_row():
    images = np.full((3, 40, 40, 1), 1)  # enlarged threefold
    plain = pictures.grid(images, columns=2, levels=2)
    titled = pictures.grid(images, columns=2, levels=2, titles=["", "", "one"])
    assert plain.shape == (2 * 122 + 2, 2 * 122 + 2, 3) and titled.shape == (2 * 122 + 18 + 2, 2 * 122 + 2, 3)
    assert (titled[:124] == plain[:124]).all() and (titled[142:] == plain[124:]).all()
    line = (titled[124:142] != pictures.BACKGROUND).any(axis=-1)
    assert line[:, :30].any() and not line[:, 60:].any()
    wide = pictures.grid(images, columns=2, levels=2, titles=["a title that is wider than its image", "", ""])
    assert wide.shape[1] > 2 * 122 + 2  # no title runs into the next
    with pytest.raises(ValueError, match="titles must be one for each of the 3 images, got 2"):
        pictures.grid(images, columns=2, levels=2, titles=["a", "b"])


@tensorflow_alone
def test_a_completion_picture_tints_what_was_unknown():
    originals = np.ones((1, 96, 96, 1), "uint8")
    known = np.indices((96, 96))[0] < 48
    picture = pictures.completions(originals, known, np.zeros((1, 1, 96, 96, 1), "uint8"), levels=2)
    left = [2 + column * 98 + 5 for column in range(3)]
    assert [picture[30, x].tolist() for x in left] == [[255] * 3, [255] * 3, [0] * 3]
    assert [picture[90, x].tolist() for x in left] == [[255] * 3, list(pictures.UNKNOWN), [0] * 3]
