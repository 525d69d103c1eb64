"""The two maps of codes of a VQ-VAE-2: a prior of the bottom codes that is given the top codes, by recipe."""

import pathlib

import numpy as np
import pytest

from pixel_zoo import data, models
from pixel_zoo.training import evaluate, find_recipe, override, train

TINY = ["filters=4", "num_blocks=1", "head_filters=4", "embedding_dim=2", "num_classes=3"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file of top codes 1x1 and bottom codes 2x2; each bottom code is the top code but for one in the corner."""
    generator, arrays = np.random.default_rng(0), {}
    for split, count in {"train": 64, "validation": 20, "test": 30}.items():
        top = generator.integers(0, 3, (count, 1, 1))
        bottom = top.repeat(2, axis=1).repeat(2, axis=2)
        bottom[:, 0, 0] = generator.integers(0, 3, count)
        arrays |= {f"top_{split}": top, f"bottom_{split}": bottom, f"y_{split}": top[:, 0, 0]}
    file = tmp_path_factory.mktemp("codes") / "codes.npz"
    np.savez(file, **arrays)
    return str(file)


def recipe(path, **changes):
    settings = {f"data_options.{name}": value for name, value in {"path": path, "levels": 3}.items()}
    settings |= {"model_options.small_shape": "(1, 1)", "epochs": 1, "warmup_steps": 0, "batch_size": 16} | changes
    model = [f"model_options.{option}" for option in TINY]
    return override(find_recipe("vq:bottom"), *model, *(f"{name}={value}" for name, value in settings.items()))


@pytest.mark.slow
def test_the_prior_of_the_bottom_codes_is_trained_and_scored_given_the_top_codes(path, tmp_path, monkeypatch):
    drawn_with = []

    def generate(self, num_images, seed, **given):  # compiling it would take longer than training
        drawn_with.append(given)
        return np.zeros((num_images, 2, 2, 1), "uint8")

    monkeypatch.setattr(models.PixelModel, "generate", generate)
    bottom = recipe(path, learning_rate=0.03, ema_momentum=0.5)
    run = pathlib.Path(tmp_path, "run")
    model = train(bottom, run, verbose=0)
    options = bottom.data_options
    assert (run / "samples.png").exists() and (run / "samples" / "epoch-0001.png").exists()
    for given in drawn_with:  # each sample has a small image of the validation split, and its label
        np.testing.assert_array_equal(
            given["conditioning"][0], data.small_images("codes", "validation", **options)[:16]
        )
        np.testing.assert_array_equal(given["labels"], data.labels("codes", "validation", **options)[:16])

    images, small, labels = (read("codes", "test", **options) for read in (data.arrays, data.small_images, data.labels))
    given = {"labels": labels, "conditioning": [small]}
    figures = evaluate(model, "codes", "test", data_options=options)
    assert figures["nats"] == pytest.approx(-model.log_likelihood(images, **given).mean(), abs=1e-4)
    others = -model.log_likelihood(images, labels, conditioning=[(small + 1) % 3]).mean()
    assert abs(others - figures["nats"]) > 1e-3  # it looks at the top codes
    with pytest.raises(ValueError, match=r"is given small images \(1, 1\), 'codes' has none; choose them with"):
        evaluate(model, "codes", "test", data_options={name: options[name] for name in ("path", "levels", "array")})


def test_a_pipeline_gives_each_image_its_small_image(path):
    pytest.importorskip("tensorflow")
    info = data.info("codes", path=path, array="bottom", small="top")
    for (batch,) in data.pipeline(info, "train", 16, seed=1, small_images=True):
        assert set(batch) == {"image", "small"}
        np.testing.assert_array_equal(batch["image"][:, 1:, 1:], batch["small"])
    with pytest.raises(ValueError, match="small_images: digits has none; `codes` has them with small=NAME"):
        data.pipeline("digits", "train", 16, small_images=True)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model_options.small_shape": "(2, 2)"}, r"small_shape must be .* of codes, \(1, 1\), which .*got \(2, 2\)"),
        ({"model_options.small_shape": "none"}, None),
        ({"data_options.small": "none"}, "small_shape must be that of the small images of codes, None, which"),
        ({"data_options.small": "bottom"}, "small: must be another map than array, got array='bottom' and small='bott"),
        ({"data_options.small": "topp"}, "small: .* holds top_train, bottom_train, .*got 'topp'"),
        (
            {"data_options.array": "top", "data_options.small": "bottom"},
            r"height and width must divide those, got \(64",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_training(path, tmp_path, changes, message):
    from pixel_zoo.training.set_up import build_model

    if message is None:  # the small images are there, but the model does not look at them
        assert [tensor.name for tensor in build_model(recipe(path, **changes)).inputs] == ["image", "label"]
        return
    with pytest.raises(ValueError, match=message):
        build_model(recipe(path, **changes))
