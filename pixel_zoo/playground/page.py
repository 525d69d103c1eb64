"""The page of the playground."""

import contextlib
import functools
import inspect
import math
import os
import time

import gradio as gr
import numpy as np
from starlette.middleware import Middleware

from pixel_zoo import data
from pixel_zoo.likelihoods import bits_per_dim
from pixel_zoo.playground import drawing
from pixel_zoo.playground.guard import Guard
from pixel_zoo.playground.paint_canvas import paint_canvas, painted, partly_known
from pixel_zoo.playground.surprise_map import surprise_map
from pixel_zoo.training.inspect import check_pixel, surprise_of
from pixel_zoo.zoo.index import read_index

LOOPBACK = "127.0.0.1"
COMPLETIONS = 8
LARGEST_SEED = 9999
FRAME = 0.03  # seconds; long enough to be seen
BAD_INPUT = (ValueError, TypeError, OSError, RuntimeError, ImportError)
HINT = "Point at a pixel to see what was expected there."
INTRODUCTION = """# pixel_zoo playground

Paint, or hide what the model is to complete. It draws the hidden pixels one after the other, each given all before it:
from the top left to the bottom right, or a small image first where it is a multi-scale model. The same seed draws the
same images."""


class Page:
    """What the page does when somebody asks for it: every method is what an event calls.

    Args:
        models: dictionary from a name to a function of nothing that returns the model: a `PixelModel` or a
            `MultiScalePixelRNN` of images alone or of labels too, or a `ServedModel`. It is called once, when somebody
            chooses that name.
    """

    def __init__(self, models):
        self.models = models
        self.model = functools.cache(lambda name: models[name]())

    def choose(self, name, index):
        """Begin with an example whose lower half is hidden: the canvas, and the field of the label."""
        model = self.model(name)
        image, label = self._example(name, index)
        height, width, _ = model.image_shape
        known = np.arange(height)[:, None].repeat(width, axis=1) < height // 2
        last = None if model.num_classes in (None, math.inf) else model.num_classes - 1
        field = gr.Number(label, maximum=last, visible=model.num_classes is not None)
        return painted(image, known, model.levels), field

    def _example(self, name, index):
        """An image and its label, of the test split that a pretrained model was verified with; else a sample."""
        model = self.model(name)
        recipe = read_index().get(name, {}).get("recipe")
        if recipe is None or not data.info(recipe["data"], **recipe["data_options"]).is_here():
            return model.generate(1, seed=index, **_given(model, 0))[0], 0
        test = {"name": recipe["data"], "split": "test", **recipe["data_options"]}
        label = 0 if model.num_classes is None else data.labels(**test)[index]
        return data.arrays(**test)[index], int(label)

    def complete(self, name, value, label, temperature, seed):
        """Complete the canvas: pictures that fill in; then how unexpected the first one is, and all that was expected.

        Yields:
            (pictures, value of the surprise map, what is said of it, image and log-probabilities, chart).
        """
        model = self.model(name)
        given = _given(model, label)
        image, known = partly_known(value, model.image_shape)
        how = {"seed": int(seed), "temperature": temperature, **given}
        completed = model.complete(image.repeat(COMPLETIONS, axis=0), known[0], **how)
        first = completed[:1]
        expected = model.log_probabilities(first, **given)
        pictures = drawing.filling_in(completed, known[0], model.levels)
        for picture in pictures[:-1]:
            yield _image(picture, "filling"), gr.skip(), gr.skip(), gr.skip(), gr.skip()
            time.sleep(FRAME)
        (nats,) = surprise_of(first, expected).sum(axis=-1)
        height, width, _ = model.image_shape
        said = f"{nats.sum():.1f} nats, {bits_per_dim(nats.sum(), model.image_shape):.3f} bits/dim"
        surprise = {"picture": drawing.heat_map(nats), "height": height, "width": width}
        yield _image(pictures[-1], "whole"), surprise, _of_first(said), (first[0], expected[0]), HINT

    def point(self, expected, event: gr.EventData):
        """The distribution at the pixel under the pointer, as a chart."""
        if expected is None:
            return gr.skip()
        image, log_probabilities = expected
        row, column, _ = check_pixel((event.row, event.column), image.shape)
        values = image[row, column]
        nats = -np.take_along_axis(log_probabilities[row, column], values[:, None].astype(int), axis=-1).sum()
        said = f"row {row}, column {column}: {', '.join(map(str, values))}, {nats:.2f} nats"
        return f"<p>{said}</p>{drawing.bars(log_probabilities[row, column], values)}"


def build(models):
    """The page, as Gradio's Blocks.

    Args:
        models: as of `Page`.

    Returns:
        gradio.Blocks.

    Example:
    >>> page = build({"tiny": lambda: pz.models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)})
    >>> page.title
    'pixel_zoo playground'
    """
    does = Page(models)
    with gr.Blocks(title="pixel_zoo playground", analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION)
        expected = gr.State()
        with gr.Row():
            with gr.Column():
                name = gr.Dropdown(list(models), label="Model", elem_id="model")
                canvas = paint_canvas("canvas")
                with gr.Row():
                    hide_all, show_all = gr.Button("Hide all", size="sm"), gr.Button("Show all", size="sm")
                example = gr.Slider(0, 99, 0, step=1, precision=0, label="Example", elem_id="example")
                seed = gr.Slider(0, LARGEST_SEED, 0, step=1, precision=0, label="Seed", elem_id="seed")
                temperature = gr.Slider(0.0, 2.0, 1.0, step=0.05, label="Temperature", elem_id="temperature")
                label = gr.Number(0, precision=0, minimum=0, label="Label", visible=False, elem_id="label")
            with gr.Column():
                gr.Markdown("### Completions")
                pictures = gr.HTML(elem_id="completions")
                gr.Markdown("### Surprise")
                said = gr.Markdown(_of_first(""))
                with gr.Row():
                    surprise = surprise_map("surprise")
                    chart = gr.HTML(HINT, elem_id="chart")
        asked, shown = [name, canvas, label, temperature, seed], [pictures, surprise, said, expected, chart]
        complete = functools.partial(_listen, does.complete, inputs=asked, outputs=shown)
        for event in (page.load, name.change, example.change):
            complete(_listen(does.choose, event, inputs=[name, example], outputs=[canvas, label]).success)
        for button, known in ((hide_all, 0), (show_all, 1)):
            script = f"value => ({{...value, known: value.known.map(() => {known})}})"  # at once, whatever is running
            complete(button.click(None, [canvas], [canvas], js=script, api_visibility="private").success)
        for event in (canvas.stroke, temperature.change, seed.change, label.input):
            complete(event)
        # A trigger that waits for the one before it is sent again as that one was: it would point where that one did.
        each = {"trigger_mode": "multiple", "concurrency_id": "point"}
        _listen(does.point, surprise.point, inputs=[expected], outputs=[chart], **each)
    return page


def launch(models, port, **options):
    """Serve the page, to this machine alone, until the process is interrupted.

    Args:
        models: as of `Page`.
        port: int, where it listens on the loopback address; None takes a free one.
        **options: of Gradio's `launch`.

    Returns:
        As Gradio's `launch`: (app, local address, None).
    """
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    _bypass_proxies()
    return build(models).launch(
        server_name=LOOPBACK,
        server_port=port,
        share=False,
        ssr_mode=False,
        theme=theme,  # of fonts that are here already
        footer_links=[],
        app_kwargs={"middleware": [Middleware(Guard)]},
        **options,
    )


def _bypass_proxies():
    """Gradio asks its own server whether it has started; a proxy on another machine would ask another server."""
    direct = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    os.environ["no_proxy"] = ",".join(filter(None, [direct, LOOPBACK]))


def _listen(function, event, inputs, outputs, trigger_mode="always_last", concurrency_id="model"):
    """Let an event call a function, one at a time; what a person can do something about is said on the page."""
    return event(
        _told(function),
        inputs,
        outputs,
        concurrency_id=concurrency_id,
        concurrency_limit=1,
        trigger_mode=trigger_mode,
        show_progress="hidden",
        api_visibility="private",
    )


def _told(function):
    """The function with bad input said on the page, where Gradio would say no more than that there was an error."""

    @contextlib.contextmanager
    def telling():
        try:
            yield
        except BAD_INPUT as error:
            raise gr.Error(" ".join(str(error).split()), print_exception=False) from error

    @functools.wraps(function)
    def of_generator(*args):
        with telling():
            yield from function(*args)

    @functools.wraps(function)
    def of_function(*args):
        with telling():
            return function(*args)

    return of_generator if inspect.isgeneratorfunction(function) else of_function


def _given(model, label):
    """What images are given with, as the model's methods take it."""
    return {} if model.num_classes is None else {"labels": int(label or 0)}


def _image(picture, state):
    style = "width: 100%; image-rendering: pixelated"
    return f'<img src="{picture}" class="{state}" alt="{COMPLETIONS} completions" style="{style}">'


def _of_first(said):
    """What is said above the surprise map, before anything is known too."""
    return f"-log p of each pixel of the first completion, bright where it is large. {said}"
