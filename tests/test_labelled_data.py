"""Labels of what users bring, maps of several resolutions, pictures that are not square, and hints on bad input."""

import numpy as np
import pytest
from PIL import Image

from pixel_zoo import data
from pixel_zoo.arguments import check_images, check_labels
from pixel_zoo.data.data_set import SPLITS
from pixel_zoo.data.shifted import shifted
from pixel_zoo.training import Recipe
from pixel_zoo.training.set_up import build_model


def noise(*shape, seed=0, high=9):
    return np.random.default_rng(seed).integers(0, high, shape).astype("uint8")


def stored(folder, **arrays):
    np.savez(folder / "codes.npz", **arrays)
    return {"path": str(folder / "codes.npz")}


def everything(options):
    """(maps, labels) of all splits that are not empty, by split."""
    info = data.info("codes", **options)
    full = [split for split in SPLITS if info.splits[split]]
    return {split: (data.arrays("codes", split, **options), data.labels("codes", split, **options)) for split in full}


def test_labels_go_with_their_codes(tmp_path):
    codes = noise(200, 3, 3)
    options = stored(tmp_path, codes=codes, labels=codes[:, 0, 0] % 3)
    assert data.info("codes", **options).classes == 3
    found = everything(options)
    assert set(found) == set(SPLITS)
    for maps, labels in found.values():
        np.testing.assert_array_equal(maps[:, 0, 0, 0] % 3, labels)
    (tmp_path / "alone").mkdir()
    without = stored(tmp_path / "alone", codes=codes)
    np.testing.assert_array_equal(data.arrays("codes", "test", **without), found["test"][0])


@pytest.mark.parametrize("names", [("x_{}", "y_{}"), ("{}", "y_{}")])
def test_splits_of_a_file_are_kept_with_their_labels(tmp_path, names):
    maps = {split: noise(60, 2, 2, seed=seed) for seed, split in enumerate(SPLITS)}
    x, y = names
    arrays = {x.format(split): maps[split] for split in SPLITS}
    options = stored(tmp_path, **arrays, **{y.format(split): maps[split][:, 1, 1] for split in SPLITS})
    for split, (found, labels) in everything(options).items():
        np.testing.assert_array_equal(found[..., 0], maps[split])
        np.testing.assert_array_equal(labels, maps[split][:, 1, 1])


def test_a_hash_chooses_validation_maps_where_there_are_none(tmp_path):
    train, test = noise(200, 2, 2), noise(20, 2, 2, seed=1)
    options = stored(tmp_path, x_train=train, y_train=train[:, 0, 0], x_test=test, y_test=test[:, 0, 0])
    info = data.info("codes", **options)
    assert info.splits["train"] + info.splits["validation"] == 200 and 5 < info.splits["validation"] < 40
    for maps, labels in everything(options).values():
        np.testing.assert_array_equal(maps[:, 0, 0, 0], labels)
    np.testing.assert_array_equal(data.arrays("codes", "test", **options)[..., 0], test)
    assert "one tenth of the training maps" in info.description


def test_several_maps_of_an_image_are_split_alike(tmp_path):
    bottom = noise(100, 4, 4)
    options = stored(tmp_path, top=bottom[:, ::2, ::2] % 4, bottom=bottom, labels=bottom[:, 0, 0])
    for split in SPLITS:
        large, small = (data.arrays("codes", split, **options, array=name, levels=9) for name in ("bottom", "top"))
        np.testing.assert_array_equal(large[:, ::2, ::2] % 4, small)
        labels = data.labels("codes", split, **options, array="top", levels=9)
        np.testing.assert_array_equal(labels, large[:, 0, 0, 0])
    (tmp_path / "train and test").mkdir()
    parts = {"top": bottom[:, ::2, ::2] % 4, "bottom": bottom}
    arrays = {f"{name}_{split}": maps for name, maps in parts.items() for split in ("train", "test")}
    options = stored(tmp_path / "train and test", **arrays)
    for split in SPLITS:
        large, small = (data.arrays("codes", split, **options, array=name) for name in ("bottom", "top"))
        np.testing.assert_array_equal(large[:, ::2, ::2] % 4, small)


CODES = noise(6, 4, 4)
LABELS = np.arange(6)


@pytest.mark.parametrize(
    "arrays, options, message",
    [
        ({"labels": LABELS[:5]}, {}, r"labels .* must be 6 integers .* got int64 \(5,\); .* in the same order"),
        ({"labels": np.eye(6)}, {}, r"if they are one-hot, store np.argmax\(labels, axis=1\)"),
        ({"labels": LABELS[:, None]}, {}, r"store labels\[:, 0\]"),
        ({"labels": LABELS / 2}, {}, r"got float64 \(6,\); store np.unique\(labels, return_inverse=True\)\[1\]"),
        ({"labels": LABELS - 1}, {}, r"got int64 \(6,\) from -1; number the classes from 0"),
        ({"labels": LABELS}, {"classes": 5}, "classes=5: .* holds labels up to 5"),
        ({}, {"classes": 5}, "classes: .* holds no labels"),
        ({"bottom": CODES}, {}, r"it holds codes, bottom, of which array='codes' would choose one"),
        ({}, {"array": "code"}, r"array: did you mean 'codes'\? .* holds codes, got 'code'"),
        ({"codes": CODES.astype("float32")}, {}, r"got float32 \(6, 4, 4\) from 0.0: store codes.astype\('int32'\)"),
        ({"codes": CODES / 3}, {}, "are these vectors"),
        ({"codes": np.eye(9, dtype="float32")[CODES]}, {}, r"did you mean one-hot codes\? Store np.argmax\(codes, ax"),
        ({"codes": CODES.reshape(6, 16)}, {}, r"Store codes.reshape\(-1, 4, 4\)"),
        ({"codes": CODES.astype(int) - 1}, {}, r"if codes are numbered from -1, store codes - codes.min\(\)"),
    ],
)
def test_bad_files_say_what_was_probably_meant(tmp_path, arrays, options, message):
    with pytest.raises(ValueError, match=message) as error:
        data.info("codes", **stored(tmp_path, **{"codes": CODES} | arrays), **options)
    assert "\n" not in str(error.value)


def test_labels_of_some_splits_alone_are_refused(tmp_path):
    options = stored(tmp_path, x_train=CODES, y_train=LABELS, x_test=CODES)
    with pytest.raises(ValueError, match="holds y_train, but not y_test: store labels of all maps, or of none"):
        data.info("codes", **options)


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (np.eye(9, dtype=int)[CODES], LABELS, r"did you mean one-hot values\? Pass np.argmax\(images, axis=-1\)"),
        (CODES, LABELS, r"must have shape \(batch, 4, 4, 1\), got \(6, 4, 4\): pass images\[..., None\]"),
        (CODES[:, None], LABELS, r"did you mean channels first\? Pass np.moveaxis\(images, 1, -1\)"),
        (CODES[..., None] / 1, LABELS, "must be integers 0..8 .*, got dtype float64"),
        (CODES[..., None], np.eye(6, dtype=int), r"did you mean one-hot labels\? Pass np.argmax\(labels, axis=-1\)"),
    ],
)
def test_bad_arrays_say_what_was_probably_meant(images, labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check_images(images, (4, 4, 1), levels=9)
        check_labels(labels, num_classes=6, num_images=6)


# --- pictures ---


def fill(folder, count, height=10, width=12, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(noise(height, width, 3, seed=[seed, index], high=256)).save(folder / f"{index}.png")


def test_folders_are_classes(tmp_path):
    for number, name in enumerate(["cats", "dogs", "newts"]):
        fill(tmp_path / name / "deeper", 12, seed=number)
        Image.new("RGB", (10, 10), (0, number, 9)).save(tmp_path / name / "flat.png")
    options = {"path": str(tmp_path), "size": 8}
    info = data.info("images", **options)
    assert info.classes == 3 and info.description.endswith("Classes: cats, dogs, newts.")
    flat = {}
    for split in (split for split in SPLITS if info.splits[split]):
        images, labels = data.arrays("images", split, **options), data.labels("images", split, **options)
        flat |= {
            int(image[0, 0, 1]): int(label)
            for image, label in zip(images, labels, strict=True)
            if (image == image[0, 0]).all()
        }
    assert flat == {0: 0, 1: 1, 2: 2}
    fill(tmp_path, 1, seed=9)
    assert data.info("images", **options | {"size": (8, 8)}).classes is None  # a picture of no class


def test_the_largest_centre_of_the_proportions_is_cropped(tmp_path):
    pixels = noise(10, 20, 3, high=256)
    Image.fromarray(pixels).save(tmp_path / "a.png")

    def only(size):
        info = data.info("images", path=str(tmp_path), size=size)
        (split,) = (split for split in SPLITS if info.splits[split])
        return data.arrays("images", split, path=str(tmp_path), size=size)[0]

    np.testing.assert_array_equal(only([10, 20]), pixels)
    np.testing.assert_array_equal(only((10, 8)), pixels[:, 6:14])
    expected = Image.fromarray(pixels).resize((5, 5), Image.Resampling.LANCZOS, box=(5, 0, 15, 10))
    np.testing.assert_array_equal(only((5, 5)), np.asarray(expected))
    expected = Image.fromarray(pixels).resize((12, 3), Image.Resampling.LANCZOS, box=(0, 2, 20, 7))
    np.testing.assert_array_equal(only((3, 12)), np.asarray(expected))
    with pytest.raises(ValueError, match=r"no file in .* is a picture of at least 11 x 20 pixels"):
        only((11, 20))


def test_a_picture_is_turned_before_it_is_measured(tmp_path, caplog):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(10, 20, 3, high=256)).save(tmp_path / "a.png", exif=exif)
    assert data.info("images", path=str(tmp_path), size=(20, 10)).image_shape == (20, 10, 3)
    with pytest.raises(ValueError, match="at least 10 x 20"):
        data.info("images", path=str(tmp_path), size=(10, 20))
    assert "20 x 10 pixels, less than" in caplog.text


@pytest.mark.parametrize("size, message", [((8,), r"or \(height, width\), got \(8,\)"), ((8, 0), r"size\[1\] must be")])
def test_bad_sizes_are_named(tmp_path, size, message):
    with pytest.raises(ValueError, match=message):
        data.info("images", path=str(tmp_path), size=size)


def test_a_recipe_takes_a_pair():
    options = {"path": "photos", "size": (64, 128)}
    recipe = Recipe(data="images", data_options=options, model="PixelCNN")
    assert recipe.to_dict()["data_options"]["size"] == [64, 128]


def test_a_file_written_again_is_read_again(tmp_path):
    path = tmp_path / "codes.npz"
    for count, code in ((60, 3), (60, 5), (80, 5)):
        np.savez(path, train=np.full((count, 4, 4), code), test=np.full((10, 4, 4), code))
        options = {"path": str(path), "levels": 8}
        assert data.info("codes", **options) is data.info("codes", **options)
        assert (data.arrays("codes", "test", **options) == code).all()
        assert sum(data.info("codes", **options).splits.values()) == count + 10


def test_a_folder_with_a_new_picture_is_read_again(tmp_path):
    from PIL import Image

    for count in (20, 21):
        Image.new("L", (9, 9), count).save(tmp_path / f"{count}.png")
        (tmp_path / "sub").mkdir(exist_ok=True)
        for grey in range(count if count == 20 else 0):
            Image.new("L", (9, 9), 100 + grey).save(tmp_path / "sub" / f"{grey}.png")
        assert sum(data.info("images", path=str(tmp_path), size=8).splits.values()) == count + 1


def test_shifted_training_images_have_their_shift_as_label():
    images, labels = (read("shifted", "train", of="digits", pixels=2) for read in (data.arrays, data.labels))
    inner = data.arrays("digits", "train")[:, 2:6, 2:6]

    def shift_of(moved):
        steps = range(-2, 3)
        return [(d, r) for d in steps for r in steps if np.array_equal(moved[:, 2 + d : 6 + d, 2 + r : 6 + r], inner)]

    shifts = [shift_of(images[labels == label]) for label in range(25)]
    assert shifts[0] == [(0, 0)]
    assert sorted(shifts) == [[(down, right)] for down in range(-2, 3) for right in range(-2, 3)]


def test_a_shift_repeats_the_edge():
    rows = np.tile(np.array([[[5], [1], [2]]], "uint8"), (1, 3, 1, 1))
    source = data.DataSet(
        name="ramp",
        image_shape=(3, 3, 1),
        levels=8,
        splits=dict.fromkeys(SPLITS, 1),
        description="",
        source="",
        read=lambda split: rows,
    )
    right = [image[0, :, 0].tolist() for image in data.arrays(shifted(source), "train")]
    assert right[0] == [5, 1, 2]
    assert {tuple(row) for row in right} == {(5, 1, 2), (5, 5, 1), (1, 2, 2)}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_other_splits_are_not_shifted(split):
    assert np.array_equal(data.arrays("shifted", split, of="digits"), data.arrays("digits", split))
    assert not data.labels("shifted", split, of="digits").any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "shifted needs of"),
        ({"of": "digit"}, "digit"),
        ({"of": "digits", "pixels": 0}, "pixels must be"),
        ({"of": "digits", "pixels": 8}, "pixels must be below 8, the size of an image, got 8"),
        ({"of": "images"}, "images needs path"),
    ],
)
def test_bad_shifts_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        data.info("shifted", **options)


def test_a_recipe_of_shifted_images_needs_their_classes():
    options = {"filters": 2, "num_blocks": 1, "head_filters": 2}
    shifts = {"of": "digits", "pixels": 1}
    with pytest.raises(ValueError, match="shifted digits has 9 classes, got num_classes=8"):
        build_model(
            Recipe(data="shifted", data_options=shifts, model="PixelCNN", model_options=options | {"num_classes": 8})
        )
    recipe = Recipe(data="shifted", data_options=shifts, model="PixelCNN", model_options=options | {"num_classes": 9})
    assert build_model(recipe).image_shape == (8, 8, 1)
