"""Pictures of what a model does: the numbers behind them are the model's own, and the files are what they claim."""

import numpy as np
import pytest
from PIL import Image
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo import pictures
from pixel_zoo.pictures import distribution, inspect, receptive_field, surprise
from pixel_zoo.pictures.measurements import ROUNDING, known_before, pixel_with_peaks

FILES = {"surprise.png", "distribution.png", "receptive_field.png", "generation.gif"}


@pytest.fixture(scope="module")
def model():
    """Small, of two colours and three levels; each block sees one row and one column further."""
    return scrambled(pz.models.PixelCNN((6, 5, 2), levels=3, filters=4, num_blocks=1, head_filters=4))


@pytest.fixture(scope="module")
def images(model):
    return random_images(model, 3)


@pytest.fixture(scope="module")
def multi_scale():
    """A model that draws rows and columns 0 and 2 first, and copies them."""
    options = {"filters": 4, "num_blocks": 1, "head_filters": 4}
    return scrambled(
        pz.models.MultiScalePixelRNN((4, 4, 1), levels=3, small_shapes=((2, 2),), base="PixelCNN", options=options)
    )


def test_surprise_sums_to_the_negative_log_likelihood(model, images):
    nats = surprise(model, images)
    assert nats.shape == images.shape and (nats >= 0).all()
    np.testing.assert_allclose(nats.sum(axis=(1, 2, 3)), -model.log_likelihood(images), rtol=1e-5)


@pytest.mark.parametrize("levels", [2, 3])
def test_a_distribution_holds_the_surprise_of_each_value(levels):
    model = scrambled(pz.models.PixelCNN((3, 4, 2), levels=levels, filters=4, num_blocks=1, head_filters=4))
    images = random_images(model, 1).repeat(levels, axis=0)
    images[:, 1, 2, 1] = np.arange(levels)
    probabilities = distribution(model, images, (1, 2, 1))
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(-np.log(np.diag(probabilities)), surprise(model, images)[:, 1, 2, 1], rtol=1e-4)


def test_the_receptive_field_is_what_the_architecture_sees(model, images):
    """From the middle column all columns of four rows above (7x7 under mask A, then 3x3), and what is to the left."""
    seen = receptive_field(model, images[0], (4, 2, 0), batch_size=7)
    assert seen.shape == (6, 5) and seen.max() <= 1
    expected = np.zeros((6, 5), bool)
    expected[:4] = True
    expected[4, :2] = True
    assert ((seen > ROUNDING) == expected).all()
    of_the_second_colour = [receptive_field(model, image, (4, 2, 1))[4, 2] for image in images]
    assert max(of_the_second_colour) > ROUNDING  # it sees the first colour of its own pixel


def test_a_blind_spot_shows():
    blind, whole = (
        scrambled(architecture((8, 11, 1), filters=4, num_blocks=2))
        for architecture in (pz.models.PixelCNN, pz.models.GatedPixelCNN)
    )
    image = random_images(blind, 1)[0]
    assert receptive_field(blind, image, (7, 4, 0))[6, 9] <= ROUNDING
    assert receptive_field(whole, image, (7, 4, 0))[6, 9] > ROUNDING


@pytest.mark.parametrize("pixel", [(1, 1, 0), (2, 2, 0), (3, 0, 0)])
def test_a_multi_scale_model_knows_its_smaller_image_first(multi_scale, pixel):
    image = np.random.default_rng(0).integers(0, 3, (4, 4, 1))
    known = known_before(multi_scale, pixel)
    small = np.zeros((4, 4), bool)
    small[::2, ::2] = True
    before = np.arange(16).reshape(4, 4) < 4 * pixel[0] + pixel[1]
    assert (known == (small & before if small[pixel[:2]] else small | before)).all()
    assert not (receptive_field(multi_scale, image, pixel) > ROUNDING)[~known].any()


def test_the_pixel_with_peaks_is_uncertain_and_has_them():
    probabilities = np.full((2, 3, 3, 1, 4), 0.25)
    probabilities[0, 0, 0, 0] = 0.97, 0.01, 0.01, 0.01  # certain
    probabilities[0, 1, 1, 0] = 0.1, 0.4, 0.4, 0.1  # no peak at an end
    probabilities[1, 2, 0, 0] = 0.4, 0.1, 0.1, 0.4
    assert pixel_with_peaks(np.log(probabilities)) == (1, (2, 0, 0))
    binary = np.array([[0.9, 0.1], [0.45, 0.55], [0.0, 1.0]]).reshape(1, 1, 3, 1, 2)
    with np.errstate(divide="ignore"):
        assert pixel_with_peaks(np.log(binary)) == (0, (0, 1, 0))


@pytest.mark.slow
@pytest.mark.compiled
def test_a_colour_model_shows_the_peaks_of_the_paper():
    cifar = pz.load("cifar10_pixel_cnn_small")
    log_probabilities = cifar.log_probabilities(cifar.generate(4, seed=0))
    image, pixel = pixel_with_peaks(log_probabilities)
    probabilities = np.exp(log_probabilities[image][pixel])
    peak, beside = max((probabilities[0], probabilities[1]), (probabilities[255], probabilities[254]))
    assert peak > 1.5 * beside and 0.05 < peak < 0.7


def test_inspect_writes_pictures(model, images, tmp_path, monkeypatch):
    drawn = random_images(model, 16, seed=5)
    monkeypatch.setattr(pz.models.PixelModel, "generate", lambda self, count, seed, labels: drawn)
    inspect(model, images, tmp_path / "new", pixel=(4, 2, 1))
    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES
    with Image.open(tmp_path / "new" / "generation.gif") as animation:
        assert animation.n_frames == 7
        animation.seek(6)
        last = np.asarray(animation.convert("RGB"), int)
    assert abs(last - pictures.grid(drawn, columns=4, levels=3)).max() <= 8  # a GIF has 256 colours
    for name in ("surprise", "distribution", "receptive_field"):
        with Image.open(tmp_path / "new" / f"{name}.png") as picture:
            assert min(picture.size) > 300 and len(picture.getcolors(maxcolors=2**20)) > 8
    with pytest.raises(FileExistsError, match="already holds files"):
        inspect(model, images, tmp_path / "new")


def test_a_multi_scale_model_can_be_inspected(multi_scale, tmp_path):
    images = np.random.default_rng(0).integers(0, 3, (2, 4, 4, 1))
    inspect(multi_scale, images, tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES


def test_a_class_conditional_model_is_inspected_with_labels(tmp_path, monkeypatch):
    model = scrambled(pz.models.PixelCNN((4, 4, 1), levels=3, filters=4, num_blocks=1, head_filters=4, num_classes=3))
    images = random_images(model, 2)
    with pytest.raises(ValueError, match=r"labels must be given: 0\.\.2"):
        inspect(model, images, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    asked = []

    def generate(self, count, seed, labels):
        asked.append(list(labels))
        return np.zeros((count, 4, 4, 1), "uint8")

    monkeypatch.setattr(pz.models.PixelModel, "generate", generate)
    inspect(model, images, tmp_path / "new", labels=[2, 1])
    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES
    assert asked == [[index % 3 for index in range(16)]]
    assert surprise(model, images, [2, 1]).sum() == pytest.approx(-model.log_likelihood(images, [2, 1]).sum(), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "labels"), [("digits_multi_scale", None), ("digits_class_conditional", 3)])
def test_released_models_of_several_stages_or_classes_are_inspected(name, labels, tmp_path, monkeypatch):
    model = pz.load(name)
    images = pz.data.arrays("digits", "test")[:1]
    monkeypatch.setattr(type(model), "generate", lambda self, count, seed, labels: images.repeat(count, axis=0))
    inspect(model, images, tmp_path / "new", pixel=(0, 1), labels=labels)
    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES


def test_rows_appear_one_by_one():
    frames = pictures.rows_appearing(np.full((1, 96, 96, 1), 1), columns=1, levels=2)
    assert [int((frame[2:98, 10] == 255).all(axis=-1).sum()) for frame in frames] == list(range(97))
    assert (frames[0][2:98, 2:98] == pictures.UNKNOWN).all()


@pytest.mark.parametrize(
    ("pixel", "got"), [((6, 0, 0), r"\(6, 0, 0\)"), ((0, -1), r"\(0, -1\)"), ((0, 0, 2), r"2\)"), ((1,), r"\(1,\)")]
)
def test_a_pixel_outside_is_named(model, images, tmp_path, pixel, got):
    with pytest.raises(ValueError, match=rf"pixel must be \(row, column, colour\) in 0..5, 0..4, 0..1, got .*{got}"):
        inspect(model, images, tmp_path / "new", pixel=pixel)
    assert not (tmp_path / "new").exists()


def test_images_of_another_shape_are_named(model, tmp_path):
    with pytest.raises(ValueError, match=r"images must have shape \(batch, 6, 5, 2\), got \(3, 6, 5, 1\)"):
        inspect(model, np.zeros((3, 6, 5, 1), int), tmp_path / "new")


def test_a_picture_that_must_be_new_replaces_none(tmp_path):
    pictures.save(np.zeros((2, 2, 3), "uint8"), tmp_path / "a.png", new=True)
    with pytest.raises(FileExistsError, match="exists already"):
        pictures.save(np.ones((2, 2, 3), "uint8"), tmp_path / "a.png", new=True)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.getpixel((0, 0)) == (0, 0, 0)
