"""What users see of images and models in notebooks and in terminals."""

import io
import sys
import types

import numpy as np
import pytest
from PIL import Image

import pixel_zoo as pz
from pixel_zoo import pictures


@pytest.fixture
def displayed(monkeypatch):
    """The objects that a notebook is asked to display."""
    shown = []
    kernel = types.SimpleNamespace(kernel=object())
    display = types.SimpleNamespace(display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_notebook_displays_a_grid_of_one_scale(displayed):
    images = np.zeros((5, 8, 8, 1), "uint8")
    images[0, 0, 0], images[1] = 16, 4
    pz.show(images, labels="abcde")
    pz.show(images, 17, labels="abcde", columns=3)
    pz.show(images[1] > 0)
    expected = pictures.grid(images, columns=3, levels=17, titles=list("abcde"))
    for picture in displayed[:2]:
        assert isinstance(picture, Image.Image) and (np.asarray(picture) == expected).all()
    assert (np.asarray(displayed[2])[2:98, 2:98] == 255).all()


def test_a_terminal_shows_blocks_of_colour(monkeypatch):
    monkeypatch.setenv("COLUMNS", "8")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.delenv("NO_COLOR", raising=False)
    red_over_blue = np.array([[[255, 0, 0]] * 3, [[0, 0, 255]] * 3])
    pz.show(np.stack([red_over_blue] * 3), columns=3, labels=["one", "two", "three"])
    first, *rest = sys.stdout.getvalue().splitlines()
    assert first.split() == ["one", "two"] and rest[-2] == "thr"  # two images of three characters in a line of eight
    block = "\x1b[38;2;255;0;0;48;2;0;0;255m▀▀▀\x1b[0m"
    assert rest == [f"{block}  {block}", "", "thr", block]


def test_a_terminal_without_colours_shows_shades(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    image = np.array([[[0], [1], [2]], [[3], [4], [0]]])
    pz.show(image)
    assert capsys.readouterr().out == "  ░░▒▒\n▓▓██\n"
    pz.show(np.ones((1, 2, 100, 1), int))
    assert capsys.readouterr().out == "██" * 34 + "\n"  # every third pixel of a wide image


@pytest.mark.parametrize(
    ("images", "options", "error", "said"),
    [
        (np.zeros((2, 4, 4)), {}, TypeError, "images must be integers or bools, got float64"),
        (np.zeros((2, 4, 4), int), {}, ValueError, r"images must have shape .* got \(2, 4, 4\)"),
        (np.zeros((0, 4, 4, 1), int), {}, ValueError, r"images must have shape .* got \(0, 4, 4, 1\)"),
        (np.full((4, 4, 1), -1), {}, ValueError, "images must have values of at least 0, got -1"),
        (np.full((4, 4, 1), 5), {"levels": 5}, ValueError, "levels must be above the largest value .* 5, got 5"),
        (np.ones((4, 4, 1), int), {"columns": 0}, ValueError, "columns must be an integer of at least 1, got 0"),
        (np.ones((4, 4, 1), int), {"labels": [1, 2]}, ValueError, "labels must be one for each of the 1 images, got 2"),
    ],
)
def test_what_cannot_be_shown_is_named(images, options, error, said):
    with pytest.raises(error, match=said):
        pz.show(images, **options)


def test_a_notebook_displays_what_is_known_of_a_pretrained_model():
    page = pz.load("digits_class_conditional")._repr_html_()
    for words in (
        "<b>digits_class_conditional</b>",
        "PixelCNN 3x32 given the label",
        "76.157 ± 0.728 nats",
        ">digits<",
    ):
        assert words in page
    assert "8 x 8 x 1, 17 levels, given one of 10 labels" in page and "49,681 parameters" in page
    assert page.count('<img src="data:image/png;base64,') == 1


def test_a_notebook_displays_models_of_ones_own():
    options = {"filters": 4, "num_blocks": 1, "head_filters": 4, "conditioning_dim": 3}
    model = pz.models.PixelCNN((4, 4, 1), levels=3, name="<mine>", **options)
    page = model._repr_html_()
    assert "<b>&lt;mine&gt;</b>" in page and "<img" not in page and "test split" not in page
    assert "PixelCNN(filters=4, num_blocks=1, head_filters=4" in page and "a vector of 3 numbers" in page
    mixed = pz.models.Mixture([model, model])
    assert mixed._repr_html_().count("PixelCNN(filters=4") == 2
