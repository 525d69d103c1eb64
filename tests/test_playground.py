"""The playground: what its page does, and the page itself in a browser."""

import base64
import io
import json
import re
import shutil
import sys
import threading
import time
import types

import keras
import numpy as np
import pytest
import requests
from command_line import refused
from lazily import Lazily
from PIL import Image
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo import pictures
from pixel_zoo.pictures import receptive_field
from pixel_zoo.pictures.measurements import ROUNDING

gradio, playground, page = Lazily("gradio"), Lazily("pixel_zoo.playground"), Lazily("pixel_zoo.playground.page")
drawing, paint_canvas = Lazily("pixel_zoo.playground.drawing"), Lazily("pixel_zoo.playground.paint_canvas")
guard = Lazily("pixel_zoo.playground.guard")
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
    return paint_canvas.painted(random_images(model, 1)[0], known, model.levels)


def last(answers):
    *_, answer = answers
    return answer


def test_completions_and_surprise_are_the_models(model, canvas):
    image, known = paint_canvas.partly_known(canvas, model.image_shape)
    answers = list(page.Page({"tiny": lambda: model}).complete("tiny", canvas, 2, 1.0, 7))
    assert len({answer[0] for answer in answers}) == 3  # pictures: the unknown rows fill in
    _, surprise, text, shown, _, steps = answers[-1]
    first, expected = shown.image, shown.log_probabilities
    assert shown.order == [(1, 1), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)] and steps.maximum == 5
    completed = model.complete(image.repeat(page.COMPLETIONS, axis=0), known[0], seed=7, labels=2)
    assert (first == completed[0]).all()
    np.testing.assert_array_equal(expected, model.log_probabilities(first[None], 2)[0])
    assert f"{-model.log_likelihood(first[None], 2)[0]:.1f} nats" in text
    assert surprise["picture"].startswith("data:image/png;base64,") and (surprise["height"], surprise["width"]) == (
        3,
        4,
    )


def test_particles_take_all_visible_pixels_into_account(model, canvas):
    image, known = paint_canvas.partly_known(canvas, model.image_shape)
    tried = page.Page({"tiny": lambda: model})
    drawn = last(tried.complete("tiny", canvas, 2, 1.0, 7, 16))[3].image
    assert (drawn == model.complete(image, known[0], seed=7, labels=2, particles=16)[0]).all()
    # At temperature 0 all particles would be the same.
    assert (
        last(tried.complete("tiny", canvas, 2, 0, 7, 16))[3].image
        == last(tried.complete("tiny", canvas, 2, 0, 7))[3].image
    ).all()


def test_the_distribution_is_that_of_the_pixel(model, canvas):
    tried = page.Page({"tiny": lambda: model})
    expected = last(tried.complete("tiny", canvas, 0, 1.0, 0))[3]
    chart = tried.point(expected, types.SimpleNamespace(row=1, column=2))
    shown = [float(p) for p in re.findall(r"value \d: ([\d.e-]+)<", chart)]
    np.testing.assert_allclose(shown, np.exp(expected.log_probabilities[1, 2, 0]), rtol=1e-2)
    with pytest.raises(ValueError, match=r"pixel must be \(row, column, colour\) in 0..2, 0..3, 0..0, got"):
        tried.point(expected, types.SimpleNamespace(row=3, column=0))


def cells(answer):
    """The colours of the pixels of a step's picture, and the text beside it."""
    picture, chart = answer
    (encoded,) = re.findall(r"base64,([^\"]+)", picture)
    colours = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    side = colours.shape[1] // 4
    return colours[side // 2 :: side, side // 2 :: side], colours[::side, ::side], chart


def test_a_step_shows_the_pixel_and_the_distribution_that_it_was_drawn_from(model, canvas):
    tried = page.Page({"tiny": lambda: model})
    completed = last(tried.complete("tiny", canvas, 1, 1.0, 0))[3]
    inside, corners, chart = cells(last(tried.step(completed, 1, False)))
    tinted = (inside == pictures.UNKNOWN).all(axis=-1)
    assert tinted.tolist() == [[False] * 4, [False] * 4, [True] * 4]  # (1, 1) and (1, 3) are drawn
    assert np.argwhere((corners == drawing.TRUE_RGB).all(axis=-1)).tolist() == [[1, 3]]  # which is framed
    assert inside[1, 3, 0] == round(255 / 4 * completed.image[1, 3, 0])
    shown = [float(p) for p in re.findall(r"value \d: ([\d.e-]+)<", chart)]
    np.testing.assert_allclose(shown, np.exp(completed.log_probabilities[1, 3, 0]), rtol=1e-2)
    assert "Pixel 2 of 6" in chart and "row 1, column 3" in chart
    plain, lit = tried.step(completed, 1, True)
    seen = receptive_field(model, completed.image, (1, 3, 0), 1) > ROUNDING
    assert ((cells(lit)[0] != cells(plain)[0]).any(axis=-1) == seen).all() and seen.any()


def test_steps_end_where_the_pixels_do(model, canvas, monkeypatch):
    tried = page.Page({"tiny": lambda: model})
    completed = last(tried.complete("tiny", canvas, 1, 1.0, 0))[3]
    assert [tried.forward(completed, number) for number in (0, 4)] == [1, 5] and tried.back(completed, 1) == 0
    stay = gradio.skip()
    assert tried.forward(completed, 5) == tried.back(completed, 0) == tried.forward(None, 0) == stay
    assert not (cells(last(tried.step(completed, 99, False)))[0] == pictures.UNKNOWN).all(axis=-1).any()
    assert "No pixel is hidden" in last(tried.step(completed._replace(order=[]), 0, False))[0]
    monkeypatch.setattr("pixel_zoo.playground.page.LIT", 12 * 12 * 5 - 1)
    with pytest.raises(ValueError, match="takes minutes"):
        last(tried.step(completed, 0, True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "the canvas holds no image of 3x4x1; choose an example"),
        ([1], "the canvas holds no image of 3x4x1"),
        ({"image": [0] * 13}, "the canvas holds no image of 3x4x1"),
        ({"known": "111111111111"}, "the canvas holds no image of 3x4x1"),
        ({"image": [0] * 11 + ["/etc/passwd"]}, "the canvas must hold integers of at least 0"),
        ({"image": [0] * 11 + [-1]}, "the canvas must hold integers of at least 0"),
        ({"image": [9] * 12}, r"images must have values 0\.\.4, got 0\.\.9"),
    ],
)
def test_what_no_canvas_sends_is_refused(model, canvas, change, message):
    value = canvas | change if isinstance(change, dict) else change
    with pytest.raises(ValueError, match=message):
        last(page.Page({"tiny": lambda: model}).complete("tiny", value, 0, 1.0, 0))


@pytest.mark.compiled
def test_an_example_is_a_test_image_or_a_sample(model, monkeypatch, tmp_path):
    conditional = "digits_class_conditional"
    tried = page.Page({NAME: lambda: pz.load(NAME), conditional: lambda: pz.load(conditional), "tiny": lambda: model})
    assert tried.choose(conditional, 3)[1].value == pz.data.labels("digits", "test")[3] != 0
    value, label = tried.choose(NAME, 3)
    image, known = paint_canvas.partly_known(value, (8, 8, 1))
    assert (image[0] == pz.data.arrays("digits", "test")[3]).all() and known.sum() == 32 and not label.visible
    value, label = tried.choose("tiny", 3)
    assert (paint_canvas.partly_known(value, (3, 4, 1))[0] == model.generate(1, seed=3, labels=0)).all()
    assert label.visible and label.maximum == 2

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))  # where nothing is prepared, nothing is downloaded
    mnist = "binarized_mnist_pixel_cnn"
    sampled = page.Page({mnist: lambda: pz.models.PixelCNN(filters=2, num_blocks=1)}).choose(mnist, 3)[0]
    assert not list(tmp_path.iterdir()) and len(sampled["image"]) == 784


@pytest.mark.slow
@on_tensorflow
def test_a_served_model_answers_as_one_in_process(model, canvas, tmp_path):
    import serving_server

    path = pz.export(model, tmp_path / "tiny", particles=4)
    with serving_server.Server({"tiny": [path]}) as server:
        tried = page.Page({"served": lambda: playground.ServedModel(server.grpc, "tiny"), "own": lambda: model})
        served, own = (last(tried.complete(name, canvas, 1, 0.5, 3)) for name in ("served", "own"))
        # A served model has a few numbers of particles only: the next smaller one is taken.
        of_served, of_own = tried.complete("served", canvas, 1, 0.5, 3, 16), tried.complete("own", canvas, 1, 0.5, 3, 4)
        assert (last(of_served)[3].image == last(of_own)[3].image).all()
        assert served[0] == own[0]
        expected = own[3].log_probabilities
        np.testing.assert_allclose(served[3].log_probabilities, expected, rtol=1e-4, atol=1e-5)
        assert served[3].order == own[3].order
        (value, label), (of_own, _) = tried.choose("served", 2), tried.choose("own", 2)
        assert value == of_own and label.visible and label.maximum is None


def test_what_is_no_model_is_said_before_the_page_is_served(capsys, tmp_path):
    assert "name must be one of" in refused(capsys, "playground", "digts")
    assert "there is no file" in refused(capsys, "playground", tmp_path / "model.keras")
    assert "server must be 'host:port'" in refused(capsys, "playground", "digits", "--server", "nonsense")


def test_without_gradio_it_is_said_what_to_install(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pixel_zoo.playground")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "pip install 'pixel-zoo[playground]'" in refused(capsys, "playground")


def test_it_starts_behind_a_proxy(model, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody answers
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", "example.org")
    try:
        _, address, _ = playground.launch({"tiny": lambda: model}, None, prevent_thread_lock=True, quiet=True)
        assert requests.get(address, timeout=60).ok
    finally:
        gradio.close_all(verbose=False)


def test_an_interrupt_while_it_starts_ends_it_without_a_traceback(model, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(gradio.Blocks, "launch", interrupted)
    assert playground.launch({"tiny": lambda: model}, None) == (None, None, None)


def test_requests_that_nobody_waits_for_are_limited_and_skipped(monkeypatch):
    monkeypatch.setattr("pixel_zoo.playground.guard.GRACE", 1.0)
    drawn, released = [], threading.Event()

    def generate(num_images, seed):
        drawn.append(seed)
        released.wait()
        return np.zeros((num_images, 2, 2, 1), "uint8")

    stub = types.SimpleNamespace(image_shape=(2, 2, 1), levels=2, num_classes=None, generate=generate)
    try:
        _, address, _ = playground.launch({"tiny": lambda: stub}, None, prevent_thread_lock=True, quiet=True)
        api = f"{address}gradio_api"
        (choose, *_) = (event for event in requests.get(f"{address}config").json()["dependencies"] if event["inputs"])

        def join(session, seed):
            body = {"data": ["tiny", seed], "fn_index": choose["id"], "session_hash": session}
            return requests.post(f"{api}/queue/join", json=body, timeout=60).status_code

        assert join("first", 0) == 200
        while not drawn:
            time.sleep(0.01)
        statuses = [join(f"gone{seed}", seed) for seed in range(1, 41)]
        assert statuses == [200] * page.QUEUE + [503] * (40 - page.QUEUE)
        time.sleep(1.1)  # all of them are gone by now
        released.set()
        while join("here", 99) != 200:  # until there is room again
            time.sleep(0.01)
        with requests.get(f"{api}/queue/data?session_hash=here", stream=True, timeout=60) as stream:
            messages = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith(b"data: "))
            done = next(message for message in messages if message["msg"] == "process_completed")
        assert done["success"] and drawn == [0, 99]
    finally:
        released.set()
        gradio.close_all(verbose=False)


def test_a_session_with_a_stream_is_there_however_long_it_waits(monkeypatch):
    monkeypatch.setattr("pixel_zoo.playground.guard.GRACE", -1.0)
    listeners = guard.Listeners()
    listeners.joined("a")
    assert listeners.has_left("a")
    listeners.opened("a")
    listeners.opened("a")
    listeners.closed("a")
    assert not listeners.has_left("a")
    listeners.closed("a")
    assert listeners.has_left("a") and listeners.has_left("unknown")


# In a browser


@pytest.fixture(scope="module")
def address():
    _, address, _ = playground.launch({NAME: lambda: pz.load(NAME)}, None, prevent_thread_lock=True, quiet=True)
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
        tab.wait_for_selector("text=Loading the model")
        assert not tab.locator("#surprise img").is_visible()  # it has no picture yet
        tab.wait_for_selector("#surprise img[src^=data]")
        yield tab
        assert not asked


def completions(tab, before=None):
    """The picture of completions, once all is drawn; another one than `before`."""
    tab.wait_for_function("before => (document.querySelector('.whole')?.src ?? before) !== before", arg=before)
    return tab.locator("#completions img").get_attribute("src")


def set_slider(tab, name, value):
    field = tab.locator(f"#{name} input[type=number]")
    field.fill(str(value))
    field.press("Enter")


def pixel(tab, selector, row, column):
    tab.locator(selector).scroll_into_view_if_needed()
    box = tab.locator(selector).bounding_box()
    return box["x"] + (column + 0.5) * box["width"] / 8, box["y"] + (row + 0.5) * box["height"] / 8


@pytest.mark.compiled
@pytest.mark.slow
def test_the_same_seed_draws_the_same_images(tab):
    first = completions(tab)
    set_slider(tab, "seed", 5)
    second = completions(tab, first)
    set_slider(tab, "seed", 0)
    assert completions(tab, second) == first


@pytest.mark.compiled
@pytest.mark.slow
def test_what_is_painted_is_completed_and_what_is_hidden_is_drawn(tab):
    before = completions(tab)
    tab.get_by_role("button", name="Hide all").click()
    sampled = completions(tab, before)
    tab.mouse.move(*pixel(tab, "#canvas canvas", 0, 0))
    tab.mouse.down()
    tab.mouse.move(*pixel(tab, "#canvas canvas", 0, 7))  # at once: what lies between is painted too
    tab.mouse.up()
    painted_over = completions(tab, sampled)
    known = np.arange(8)[:, None].repeat(8, axis=1) == 0
    expected = pz.load(NAME).complete(np.full((page.COMPLETIONS, 8, 8, 1), 16), known, seed=0)
    assert painted_over == drawing.filling_in(expected, known, 17)[-1]
    tab.locator("#canvas input.hide").check()
    tab.mouse.click(*pixel(tab, "#canvas canvas", 0, 3))
    known[0, 3] = False  # now known pixels come after a hidden one: the page draws with 16 particles
    expected = pz.load(NAME).complete(np.full((page.COMPLETIONS, 8, 8, 1), 16), known, seed=0, particles=16)
    assert completions(tab, painted_over) == drawing.filling_in(expected, known, 17)[-1]


@pytest.mark.compiled
@pytest.mark.slow
def test_the_pixel_under_the_pointer_is_explained(tab):
    completions(tab)
    for row, column in ((6, 2), (5, 3), (4, 4), (0, 7)):  # quicker than the answers come
        tab.mouse.move(*pixel(tab, "#surprise img", row, column))
    tab.wait_for_selector("#chart p:has-text('row 0, column 7')")
    assert tab.locator("#chart rect").count() == 17


@pytest.mark.compiled
@pytest.mark.slow
def test_a_completion_is_shown_step_by_step(tab):
    completions(tab)
    tab.get_by_role("button", name="Next pixel").click()
    tab.wait_for_selector("#predicted p:has-text('Pixel 2 of ')")
    assert tab.locator("#predicted rect").count() == 17 and tab.locator("#stepped img.step").count() == 1
    tab.locator("#lit input").check()
    tab.wait_for_selector("#stepped img.lit")
    tab.get_by_role("button", name="Previous pixel").click()
    tab.wait_for_selector("#predicted p:has-text('Pixel 1 of ')")
    tab.locator("#lit input").uncheck()
    tab.wait_for_selector("#stepped img.step")


@pytest.mark.compiled
@pytest.mark.slow
def test_bad_input_is_said_on_the_page(tab):
    tab.evaluate("document.querySelector('#canvas input.value').max = 40")
    tab.evaluate("document.querySelector('#canvas input.value').value = 40")
    tab.locator("#canvas input.paint").check()
    tab.mouse.click(*pixel(tab, "#canvas canvas", 0, 0))
    tab.wait_for_selector("text=images must have values 0..16, got")
    tab.evaluate("document.querySelector('#canvas input.value').max = 16")


def test_requests_that_are_not_the_pages_are_refused(address, tmp_path):
    assert address.startswith("http://127.0.0.1:")
    (tmp_path / "there.txt").touch()
    join, file = f"{address}/gradio_api/queue/join", {"path": str(tmp_path), "meta": {"_type": "gradio.FileData"}}
    assert requests.get(address, timeout=10).status_code == 200
    for status, request in [
        (400, lambda: requests.get(address, headers={"Host": "elsewhere.example"}, timeout=10)),
        (400, lambda: requests.get(address, headers={"Host": "127.0.0.1.elsewhere.example:80"}, timeout=10)),
        (200, lambda: requests.get(address, headers={"Host": "localhost:80"}, timeout=10)),
        (403, lambda: requests.get(f"{address}/gradio_api/file={tmp_path / 'there.txt'}", timeout=10)),
        (403, lambda: requests.get(f"{address}/gradio_api/file=http://127.0.0.1:1/", timeout=10)),
        (403, lambda: requests.post(f"{address}/gradio_api/upload", files={"files": b"1"}, timeout=10)),
        (403, lambda: requests.post(join, json={"data": [file]}, timeout=10)),
        (400, lambda: requests.post(join, data="{}{", timeout=10)),
        (400, lambda: requests.post(join, json={"data": [], "fn_index": -1, "session_hash": "a"}, timeout=10)),
        (403, lambda: requests.post(f"{address}/gradio_api/run/predict", json={"data": [], "fn_index": 0}, timeout=10)),
        (403, lambda: requests.post(f"{address}/gradio_api/call/choose", json={"data": [NAME, 0]}, timeout=10)),
        (413, lambda: requests.post(join, json={"data": ["1" * 2**20]}, timeout=10)),
    ]:
        assert request().status_code == status


@pytest.mark.parametrize(
    "data",
    [r'"\ud800"', "NaN", "-Infinity", "1e999", "[" * 30 + "]" * 30, "[" * 2000 + "]" * 2000, "9" * 5000, '"\xff"'],
)
def test_json_that_can_not_be_answered_is_refused(address, data):
    body = b'{"data": [%s], "fn_index": 0, "session_hash": "a"}' % data.encode("latin-1")
    assert requests.post(f"{address}/gradio_api/queue/join", data=body, timeout=10).status_code == 400
