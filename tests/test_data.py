"""Data by name: values, fixed splits, seeded order, and what is said when something is missing."""

import dataclasses
import hashlib
import os
import pathlib
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

from pixel_zoo import data
from pixel_zoo.data import readers, registry
from pixel_zoo.data.stored import load_arrays

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data needs TensorFlow")
# The codes of pictures are tested with the model that comes with them, test_codes_release.py.
FIXED = [name for name in data.names() if not data.options(name) and name != "mnist_vq"]
# Of the large sets one training split is read in full; the others are told apart by their validation and test splits.
SPLITS = [(name, split) for name in FIXED for split in ("train", "validation", "test")]
SPLITS = [(name, split) for name, split in SPLITS if split != "train" or name in ("digits", "binarized_mnist")]


def images_of(name, split):
    """The images of a split, or a skip that says why they can't be read here."""
    if name != "digits":
        if keras.backend.backend() != "tensorflow":
            pytest.skip("TensorFlow Datasets needs TensorFlow")
        directory = os.environ.get("TFDS_DATA_DIR")
        if directory is None or not pathlib.Path(directory, name).is_dir():
            pytest.skip(f"TFDS_DATA_DIR={directory} holds no prepared {name}")
    return data.arrays(name, split)


# --- arrays ---


@pytest.mark.parametrize(
    "name, split",
    [pytest.param(*one, marks=[pytest.mark.slow] * (one == ("binarized_mnist", "train"))) for one in SPLITS],
)
def test_arrays_are_what_info_says(name, split):
    images, info = images_of(name, split), data.info(name)
    assert images.shape == (info.splits[split], *info.image_shape)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, info.levels - 1)


@pytest.mark.parametrize(
    "split, mean",
    [pytest.param("train", 0.130562, marks=pytest.mark.slow), ("validation", 0.131127), ("test", 0.132512)],
)
def test_binarized_mnist_is_the_fixed_binarisation(split, mean):
    assert images_of("binarized_mnist", split).mean() == pytest.approx(mean, abs=5e-7)


def test_digits_splits_part_the_whole_set():
    parts = np.concatenate([data.arrays("digits", split) for split in ("train", "validation", "test")])
    whole = load_arrays(readers.__file__.replace("readers.py", "digits.npz"))["image"]
    assert len(whole) == 1797
    np.testing.assert_array_equal(np.unique(parts, axis=0), np.unique(whole, axis=0))


@pytest.mark.parametrize(
    "name, split, start",
    [
        ("digits", "train", "16248e24bcfd55e0"),
        ("digits", "validation", "c7913193fdd798fe"),
        ("digits", "test", "ccd5b41cbafc53da"),
        ("binarized_mnist", "test", "3e41c0f6bd30b15b"),
        ("mnist", "validation", "101f2fe9bcbd642d"),
        ("cifar10", "validation", "28009ddf2446a76a"),
    ],
)
def test_splits_stay_the_same_for_good(name, split, start):
    images_of(name, split)
    assert data.content_hash(name, split).startswith(start)


@pytest.mark.parametrize(
    "split, start",
    [("train", "8045ba080417b826"), ("validation", "189563d1d16e0f11"), ("test", "b3a9f04e9fd1bdfa")],
)
def test_labels_of_digits_stay_the_same_for_good(split, start):
    assert hashlib.sha256(data.labels("digits", split).astype("uint8")).hexdigest().startswith(start)


def test_nobody_can_change_the_images_of_others():
    with pytest.raises(ValueError, match="read-only"):
        data.arrays("digits", "train")[0] = 0


def test_digits_need_no_tensorflow():
    program = """
import sys
for absent in ("tensorflow", "tensorflow_datasets", "sklearn", "httpx"):
    sys.modules[absent] = None  # importing it fails
from pixel_zoo import data
try:
    data.arrays("mnist", "test")
except ModuleNotFoundError as error:
    assert "mnist is read with tensorflow, which is not installed: pip install pixel-zoo" in str(error), error
print(data.content_hash("digits", "test"))
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == data.content_hash("digits", "test"), done.stderr


# --- labels ---


LABELLED = [
    (name, split) for name, split in SPLITS if data.info(name).classes and (split == "test" or name == "digits")
]


@pytest.mark.parametrize("name, split", LABELLED)
def test_labels_are_what_info_says(name, split):
    images, labels = images_of(name, split), data.labels(name, split)
    assert labels.shape == (len(images),)
    assert labels.dtype == np.int64
    assert np.unique(labels).tolist() == list(range(data.info(name).classes))
    assert not labels.flags.writeable


@pytest.mark.parametrize("name, least", [("digits", 0.9), ("mnist", 0.75), ("cifar10", 0.25)])
def test_labels_are_in_the_order_of_the_images(name, least):
    """The nearest mean image of a class tells many labels; in another order it would tell a tenth."""
    images = images_of(name, "test").reshape(data.info(name).splits["test"], -1).astype("float32")
    labels = data.labels(name, "test")
    means = np.stack([images[labels == label].mean(axis=0) for label in range(10)])
    nearest = (np.square(means).sum(axis=1) - 2 * images @ means.T).argmin(axis=1)
    assert (nearest == labels).mean() > least


def test_a_set_without_labels_says_which_have_them():
    with pytest.raises(ValueError, match="labels: binarized_mnist has none; these have: cifar10, digits, mnist"):
        data.labels("binarized_mnist", "test")


# --- pipeline ---


def passes(count, **options):
    """The images of each of the first `count` passes over a pipeline of the digits."""
    batches = data.pipeline("digits", "train", batch_size=100, **options)
    return [np.concatenate([batch.numpy() for batch in batches]) for _ in range(count)]


@on_tensorflow
def test_pipeline_batches_everything_and_knows_its_length():
    batches = data.pipeline("digits", "train", batch_size=100)
    sizes = [len(batch) for batch in batches]
    assert sizes == [100] * 12 + [97]
    assert len(batches) == 13
    assert batches.element_spec.dtype == "uint8"
    assert batches.element_spec.shape.as_list() == [None, 8, 8, 1]


@on_tensorflow
@pytest.mark.parametrize("seed", [None, 0])
def test_labels_stay_with_their_images(seed):
    (element,) = data.pipeline("digits", "train", batch_size=1297, seed=seed, labels=True)
    batch, *targets = keras.utils.unpack_x_y_sample_weight(element)  # as `fit` does
    assert targets == [None, None]
    assert batch["label"].dtype == "int64"
    pairs = zip(map(bytes, batch["image"].numpy()), batch["label"].numpy(), strict=True)
    stored = zip(map(bytes, data.arrays("digits", "train")), data.labels("digits", "train"), strict=True)
    assert sorted(pairs) == sorted(stored)


@on_tensorflow
def test_pipeline_without_a_seed_keeps_the_order():
    for images in passes(2):
        np.testing.assert_array_equal(images, data.arrays("digits", "train"))


@on_tensorflow
def test_each_pass_has_another_order_of_the_same_images():
    stored, first, second = data.arrays("digits", "train"), *passes(2, seed=0)
    assert not np.array_equal(first, stored)
    assert not np.array_equal(second, first)
    for images in (first, second):
        assert sorted(map(bytes, images)) == sorted(map(bytes, stored))


@on_tensorflow
def test_the_seed_alone_decides_the_order():
    keras.utils.set_random_seed(1)
    once = passes(2, seed=7)
    keras.utils.set_random_seed(2)
    again, other = passes(2, seed=7), passes(2, seed=8)
    np.testing.assert_array_equal(again, once)
    assert not np.array_equal(other[0], once[0])


@on_tensorflow
def test_order_stays_the_same_for_good():
    assert [int(images[0].sum()) for images in passes(4, seed=0)] == [323, 327, 273, 286]


# --- bad input ---


@pytest.mark.parametrize("function", [data.info, lambda name: data.arrays(name, "test")])
def test_a_misspelt_name_is_corrected_and_all_are_listed(function):
    message = r"data: did you mean 'mnist'\? It must be one of binarized_mnist, cifar10, .*, mnist, .*, got 'minst'"
    with pytest.raises(ValueError, match=message):
        function("minst")
    with pytest.raises(ValueError, match=r"^data must be one of binarized_mnist, .*, got 'faces'"):
        function("faces")


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("digits", {"size": 8}, "digits takes none, got 'size'"),
        (
            "images",
            {"path": "photos", "sizes": 8},
            r"did you mean 'size'\? images takes path, size, colours, bits, got 'sizes'",
        ),
        ("images", {"path": "photos"}, r"images needs size \(data_options.size of a recipe\)"),
    ],
)
def test_wrong_options_are_named(name, options, message):
    with pytest.raises(ValueError, match=f"data options: {message}"):
        data.info(name, **options)


@pytest.mark.parametrize("split", ["val", "", None, ["train"]])
def test_an_unknown_split_lists_those_there_are(split):
    with pytest.raises(ValueError, match=r"split of digits.* must be one of train, validation, test, got "):
        data.arrays("digits", split)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "16", True])
def test_a_bad_batch_size_is_named(batch_size):
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1, got "):
        data.pipeline("digits", "train", batch_size)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "0"])
def test_a_bad_seed_is_named(seed):
    with pytest.raises(ValueError, match="seed must be None or an integer from 0 to "):
        data.pipeline("digits", "train", 16, seed=seed)


@on_tensorflow
@pytest.mark.parametrize("name", ["binarized_mnist", "mnist", "cifar10"])
def test_an_unprepared_set_without_a_network_says_how_to_prepare_it(name, monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=rf"{name} is not prepared in {tmp_path}.*run `tfds build {name}`"):
        data.info(name).read("test")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change", [{"levels": 16}, {"image_shape": (8, 8, 3)}, {"splits": {"train": 1297, "validation": 200, "test": 301}}]
)
def test_what_is_not_the_data_set_is_refused(change, monkeypatch):
    broken = dataclasses.replace(data.info("digits"), name="broken", **change)
    monkeypatch.setitem(registry._DATA_SETS, "broken", broken)
    with pytest.raises(ValueError, match="what is stored as broken is not that data set: its test split must be "):
        data.arrays("broken", "test")


def test_a_fixed_set_is_read_from_arrays_where_there_are_some(monkeypatch, tmp_path):
    expected, changed = data.arrays("digits", "validation"), 16 - data.arrays("digits", "test")
    np.save(tmp_path / "digits-test.npy", changed)
    monkeypatch.setenv("PIXEL_ZOO_DATA", str(tmp_path))
    np.testing.assert_array_equal(data.info("digits").read("test"), changed)
    np.testing.assert_array_equal(data.info("digits").read("validation"), expected)
    monkeypatch.setenv("PIXEL_ZOO_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"PIXEL_ZOO_DATA: there is no folder '.*nowhere'"):
        data.info("digits").read("test")


def test_arrays_that_are_not_the_set_are_refused(monkeypatch, tmp_path):
    np.save(tmp_path / "mnist-test.npy", np.zeros((10, 28, 28, 1), "uint8"))
    monkeypatch.setenv("PIXEL_ZOO_DATA", str(tmp_path))
    monkeypatch.setitem(registry._DATA_SETS, "mnist", dataclasses.replace(data.info("mnist")))  # not read before
    with pytest.raises(ValueError, match=r"mnist is not that data set: its test split must be uint8 \(10000, 28, "):
        data.arrays("mnist", "test")


def test_a_pipeline_without_tensorflow_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"pipeline needs TensorFlow.*pip install pixel-zoo, or .*arrays to fit"
    ):
        data.pipeline("digits", "train", batch_size=2)
