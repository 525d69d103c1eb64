"""The playground: what its page does, and the page itself in a browser."""

import re
import shutil
import sys
import types

import gradio
import keras
import numpy as np
import pytest
from test_cli import refused
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo.playground import ServedModel, launch
from pixel_zoo.playground.drawing import filling_in
from pixel_zoo.playground.page import COMPLETIONS, Page
from pixel_zoo.playground.paint_canvas import painted, partly_known

NAME = "digits_pixel_cnn"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CLOSED = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow writes SavedModels")


@pytest.fixture(scope="module")
def model():
    return scrambled(pz.models.PixelCNN((3, 4, 1), levels=5, filters=4, num_blocks=1, head_filters=4, num_classes=3))


@pytest.fixture
def canvas(model):
    known = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    return painted(random_images(model, 1)[0], known, model.levels)


def last(answers):
    *_, answer = answers
    return answer


def test_completions_and_surprise_are_the_models(model, canvas):
    image, known = partly_known(canvas, model.image_shape)
    answers = list(Page({"tiny": lambda: model}).complete("tiny", canvas, 2, 1.0, 7))
    assert len({answer[0] for answer in answers}) == 3  # pictures: the unknown rows fill in
    _, surprise, said, (first, expected), _ = answers[-1]
    completed = model.complete(image.repeat(COMPLETIONS, axis=0), known[0], seed=7, labels=2)
    assert (first == completed[0]).all()
    np.testing.assert_array_equal(expected, model.log_probabilities(first[None], 2)[0])
    assert f"{-model.log_likelihood(first[None], 2)[0]:.1f} nats" in said
    assert surprise["picture"].startswith("data:image/png;base64,") and (surprise["height"], surprise["width"]) == (
        3,
        4,
    )


def test_the_distribution_is_that_of_the_pixel(model, canvas):
    page = Page({"tiny": lambda: model})
    expected = last(page.complete("tiny", canvas, 0, 1.0, 0))[3]
    chart = page.point(expected, types.SimpleNamespace(row=1, column=2))
    shown = [float(p) for p in re.findall(r"value \d: ([\d.e-]+)<", chart)]
    np.testing.assert_allclose(shown, np.exp(expected[1][1, 2, 0]), rtol=1e-2)
    with pytest.raises(ValueError, match=r"pixel must be \(row, column, colour\) in 0..2, 0..3, 0..0, got"):
        page.point(expected, types.SimpleNamespace(row=3, column=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "the canvas holds no image of 3x4x1; choose an example"),
        ({"image": [0] * 13}, "the canvas holds no image of 3x4x1"),
        ({"known": "111111111111"}, "the canvas holds no image of 3x4x1"),
        ({"image": [0] * 11 + ["/etc/passwd"]}, "the canvas must hold integers of at least 0"),
        ({"image": [0] * 11 + [-1]}, "the canvas must hold integers of at least 0"),
        ({"image": [9] * 12}, r"images must have values 0\.\.4, got 0\.\.9"),
    ],
)
def test_what_no_canvas_sends_is_refused(model, canvas, change, message):
    value = None if change is None else canvas | change
    with pytest.raises(ValueError, match=message):
        last(Page({"tiny": lambda: model}).complete("tiny", value, 0, 1.0, 0))


def test_an_example_is_a_test_image_or_a_sample(model):
    conditional = "digits_class_conditional"
    page = Page({NAME: lambda: pz.load(NAME), conditional: lambda: pz.load(conditional), "tiny": lambda: model})
    assert page.choose(conditional, 3)[1].value == pz.data.labels("digits", "test")[3] != 0
    value, label = page.choose(NAME, 3)
    image, known = partly_known(value, (8, 8, 1))
    assert (image[0] == pz.data.arrays("digits", "test")[3]).all() and known.sum() == 32 and not label.visible
    value, label = page.choose("tiny", 3)
    assert (partly_known(value, (3, 4, 1))[0] == model.generate(1, seed=3, labels=0)).all()
    assert label.visible and label.maximum == 2


@on_tensorflow
def test_a_served_model_answers_as_one_in_process(model, canvas, tmp_path):
    import serving_server

    path = pz.export(model, tmp_path / "tiny")
    with serving_server.Server({"tiny": [path]}) as server:
        page = Page({"served": lambda: ServedModel(server.grpc, "tiny"), "own": lambda: model})
        served, own = (last(page.complete(name, canvas, 1, 0.5, 3)) for name in ("served", "own"))
        assert served[0] == own[0]
        np.testing.assert_allclose(served[3][1], own[3][1], rtol=1e-4, atol=1e-5)
        (value, label), (of_own, _) = page.choose("served", 2), page.choose("own", 2)
        assert value == of_own and label.visible and label.maximum is None


def test_without_gradio_it_is_said_what_to_install(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pixel_zoo.playground")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "pip install 'pixel-zoo[playground]'" in refused(capsys, "playground")


# In a browser


@pytest.fixture(scope="module")
def address():
    _, address, _ = launch({NAME: lambda: pz.load(NAME)}, None, prevent_thread_lock=True, quiet=True)
    yield address.rstrip("/")
    gradio.close_all(verbose=False)


@pytest.fixture(scope="module")
def tab(address):
    """The page, and the addresses beyond this machine that it asked for."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    from playwright.sync_api import sync_playwright

    asked = []

    def stay_here(route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=CLOSED) as browser:
        tab = browser.new_page(viewport={"width": 1200, "height": 1250})
        tab.set_default_timeout(60_000)
        tab.route("**/*", stay_here)
        tab.goto(address)
        tab.wait_for_selector("#surprise img[src^=data]")
        yield tab
        assert not asked


def completions(tab, before=None):
    """The picture of completions, once all is drawn; another one than `before`."""
    shown = tab.locator("#completions img")
    if before is not None:
        tab.wait_for_function("before => document.querySelector('#completions img').src !== before", arg=before)
    picture = None
    while picture != (picture := shown.get_attribute("src")):
        tab.wait_for_timeout(700)
    return picture


def set_slider(tab, name, value):
    field = tab.locator(f"#{name} input[type=number]")
    field.fill(str(value))
    field.press("Enter")


def pixel(tab, selector, row, column):
    box = tab.locator(selector).bounding_box()
    return box["x"] + (column + 0.5) * box["width"] / 8, box["y"] + (row + 0.5) * box["height"] / 8


@on_tensorflow
def test_the_same_seed_draws_the_same_images(tab):
    first = completions(tab)
    set_slider(tab, "seed", 5)
    second = completions(tab, first)
    set_slider(tab, "seed", 0)
    assert completions(tab, second) == first


@on_tensorflow
def test_what_is_painted_is_completed_and_what_is_hidden_is_drawn(tab):
    before = completions(tab)
    tab.get_by_role("button", name="Hide all").click()
    sampled = completions(tab, before)
    tab.mouse.move(*pixel(tab, "#canvas canvas", 0, 0))
    tab.mouse.down()
    for column in range(1, 8):
        tab.mouse.move(*pixel(tab, "#canvas canvas", 0, column))
    tab.mouse.up()
    painted_over = completions(tab, sampled)
    known = np.arange(8)[:, None].repeat(8, axis=1) == 0
    expected = pz.load(NAME).complete(np.full((COMPLETIONS, 8, 8, 1), 16), known, seed=0)
    assert painted_over == filling_in(expected, known, 17)[-1]
    tab.locator("#canvas input.hide").check()
    tab.mouse.click(*pixel(tab, "#canvas canvas", 0, 3))
    known[0, 3] = False
    expected = pz.load(NAME).complete(np.full((COMPLETIONS, 8, 8, 1), 16), known, seed=0)
    assert completions(tab, painted_over) == filling_in(expected, known, 17)[-1]


@on_tensorflow
def test_the_pixel_under_the_pointer_is_explained(tab):
    completions(tab)
    tab.mouse.move(*pixel(tab, "#surprise img", 6, 2))
    tab.wait_for_selector("#chart p:has-text('row 6, column 2')")
    assert tab.locator("#chart rect").count() == 17
    tab.mouse.move(*pixel(tab, "#surprise img", 0, 7))
    tab.wait_for_selector("#chart p:has-text('row 0, column 7')")


@on_tensorflow
def test_bad_input_is_said_on_the_page(tab):
    tab.evaluate("document.querySelector('#canvas input.value').max = 40")
    tab.evaluate("document.querySelector('#canvas input.value').value = 40")
    tab.locator("#canvas input.paint").check()
    tab.mouse.click(*pixel(tab, "#canvas canvas", 0, 0))
    tab.wait_for_selector("text=images must have values 0..16, got")


@on_tensorflow
def test_no_path_of_a_request_is_opened(address):
    import requests

    assert address.startswith("http://127.0.0.1:")
    for path in ("pyproject.toml", "/etc/hostname", "../pyproject.toml"):
        assert requests.get(f"{address}/gradio_api/file={path}", timeout=10).status_code in (403, 404)
