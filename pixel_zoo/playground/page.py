"""The page of the playground."""

import contextlib
import functools
import inspect
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
import numpy as np
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pixel_zoo import data
from pixel_zoo.anomaly import surprise_of
from pixel_zoo.arguments import check_images
from pixel_zoo.likelihoods import bits_per_dim
from pixel_zoo.pictures import check_pixel, receptive_field
from pixel_zoo.playground import drawing
from pixel_zoo.playground.completed import Completed, drawing_order
from pixel_zoo.playground.guard import Guard, Listeners
from pixel_zoo.playground.paint_canvas import paint_canvas, painted, partly_known
from pixel_zoo.playground.surprise_map import surprise_map
from pixel_zoo.zoo.codecs import codec_of
from pixel_zoo.zoo.index import read_index

LOOPBACK = "127.0.0.1"
COMPLETIONS = 8
LARGEST_SEED = 9999
QUEUE = 32  # requests that wait; more are refused
PARTICLES = (1, 4, 16, 64)
FRAME = 0.03  # seconds; long enough to be seen
BAD_INPUT = (ValueError, TypeError, OSError, RuntimeError, ImportError)
LIT = 2e8  # numbers that a receptive field is computed from, at most; more take minutes
HINT = "Point at a pixel to see what was expected there."
LOADING = "<p>Loading the model, and drawing for the first time: some seconds ...</p>"
STEPS = """### Step by step

The first completion, pixel by pixel: the framed pixel has just been drawn from the distribution on the right; its value
is orange. With several particles, visible pixels that come later had a say in it too. The receptive field is all that
the distribution depends on, brighter where it depends on it more."""
INTRODUCTION = """# pixel_zoo playground

Paint the image, or hide the part that the model is to complete. The model draws the hidden pixels one by one, from the
top left to the bottom right, each given all pixels before it. It draws each completion several times, as so many
particles, and keeps those that fit the visible pixels after a hidden one too: the more particles, the better. With one
particle, visible pixels that come later stay as they are, but are not taken into account. A multi-scale model draws a
small image first. A prior over codes draws codes, each of which stands for a block of pixels, and shows them decoded;
a code is hidden if any of its pixels is. The same seed draws the same images."""


class Page:
    """What the page does: each public method handles an event.

    Args:
        models: dictionary from a name to a zero-argument callable that returns the model: a `PixelModel` or a
            `MultiScalePixelRNN`, with or without labels, or a `ServedModel`. It is called once, when somebody chooses
            that name.
    """

    def __init__(self, models):
        self.models = models
        self.model = functools.cache(lambda name: models[name]())
        self.codec = functools.cache(self._codec)

    def _codec(self, name):
        """What encodes the canvas, and decodes the images of a prior over codes."""
        model = self.model(name)
        return getattr(model, "codec", None) or codec_of(name, model)

    def choose(self, name, index):
        """Show an example whose lower half is hidden: the value of the canvas, and the field of the label."""
        model, codec = self.model(name), self.codec(name)
        image, label = self._example(name, index)
        height, width, _ = model.image_shape
        known = codec.enlarge(np.arange(height)[:, None].repeat(width, axis=1) < height // 2)
        last = None if model.num_classes in (None, math.inf) else model.num_classes - 1
        field = gr.Number(label, maximum=last, visible=model.num_classes is not None)
        return painted(codec.decode(image), known, codec.levels), field

    def _example(self, name, index):
        """An image and its label: from the test split of the model's own data where that is here, else a sample."""
        model = self.model(name)
        recipe = read_index().get(name, {}).get("recipe")
        if recipe is None or not data.info(recipe["data"], **recipe["data_options"]).is_here():
            return model.generate(1, seed=index, **_conditions(model, 0))[0], 0
        test = {"data": recipe["data"], "split": "test", **recipe["data_options"]}
        label = 0 if model.num_classes is None else data.labels(**test)[index]
        return data.arrays(**test)[index], int(label)

    def complete(self, name, value, label, temperature, seed, particles=1):
        """Complete the canvas: yield pictures that fill in row by row, then how surprising the first completion is.

        At temperature 0 one particle is as good as many.

        Yields:
            (pictures, value of the surprise map, its caption, `Completed`, chart, slider of the steps).
        """
        model, codec = self.model(name), self.codec(name)
        conditions = _conditions(model, label)
        image, (known,) = partly_known(value, codec.image_shape)
        if codec.of_codes:
            check_images(image, codec.image_shape, codec.levels)
            image, known = codec.encode_known(image, known)
        images = image.repeat(COMPLETIONS, axis=0)
        options = {"particles": _particles_of(model, particles)} if temperature else {}
        completed = model.complete(images, known, seed=int(seed), temperature=temperature, **options, **conditions)
        first = completed[:1]
        expected = model.log_probabilities(first, **conditions)
        pictures = drawing.filling_in(codec.decode(completed), codec.enlarge(known), codec.levels)
        for picture in pictures[:-1]:
            yield _image(picture, "filling"), *[gr.skip()] * 5
            time.sleep(FRAME)
        (nats,) = surprise_of(first, expected).sum(axis=-1)
        height, width, _ = model.image_shape
        total = f"{nats.sum():.1f} nats, {bits_per_dim(nats.sum(), model.image_shape):.3f} bits/dim"
        surprise = {"picture": drawing.heat_map(nats), "height": height, "width": width}
        order = drawing_order(model, known)
        completed = Completed(name, conditions.get("labels"), first[0], expected[0], known, order)
        steps = gr.Slider(value=0, maximum=max(1, len(order) - 1))
        yield _image(pictures[-1], "whole"), surprise, _caption(total, codec), completed, HINT, steps

    def point(self, completed, event: gr.EventData):
        """The distribution at the pixel under the pointer, as a chart."""
        if completed is None:
            return gr.skip()
        return _chart(completed, *check_pixel((event.row, event.column), completed.image.shape)[:2])

    def step(self, completed, number, lit):
        """Show the image just after a pixel was drawn, and the distribution that it was drawn from.

        Args:
            completed: `Completed`, or None.
            number: int, the pixels drawn before this one.
            lit: bool, whether to light the pixels that the distribution depends on, which takes a while.

        Yields:
            (picture, chart): first without light.
        """
        if completed is None:
            yield gr.skip(), gr.skip()
            return
        if not completed.order:
            yield "<p>No pixel is hidden, so none is drawn.</p>", ""
            return
        number = min(max(int(number), 0), len(completed.order) - 1)
        row, column = completed.order[number]
        shown = completed.known.copy()
        shown[tuple(np.transpose(completed.order[: number + 1]))] = True
        model, codec = self.model(completed.model), self.codec(completed.model)
        (rows, columns), (image,) = codec.block, codec.decode(completed.image[None])
        corner = row * rows, column * columns
        draw = functools.partial(drawing.step, image, codec.levels, codec.enlarge(shown), corner, block=codec.block)
        chart = f"<p>Pixel {number + 1} of {len(completed.order)}</p>{_chart(completed, row, column)}"
        yield _image(draw(), "step", "the image so far"), chart
        if lit:
            height, width, _ = model.image_shape
            if completed.log_probabilities.size * height * width > LIT:
                raise ValueError("the receptive field of images of this size takes minutes: see `pixel-zoo inspect`")
            influence = receptive_field(model, completed.image, (row, column, 0), completed.label)
            yield _image(draw(codec.enlarge(influence)), "lit", "the image so far, its receptive field lit"), chart

    def forward(self, completed, number):
        """The number of the next step; the last one stays."""
        return int(number) + 1 if completed and number + 1 < len(completed.order) else gr.skip()

    def back(self, completed, number):
        """The number of the step before; the first one stays."""
        return int(number) - 1 if completed and number > 0 else gr.skip()


def build(models: Mapping[str, Callable[[], Any]], listeners: Listeners | None = None) -> gr.Blocks:
    """The page, as Gradio's Blocks.

    Args:
        models: as of `Page`.
        listeners: the `Listeners` that a `Guard` keeps up to date; None also computes answers that no session waits
        for.

    Returns:
        gradio.Blocks.

    Example:
    >>> page = build({"tiny": lambda: pz.models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)})
    >>> page.title
    'pixel_zoo playground'
    """
    handlers = Page(models)
    listen = functools.partial(_listen, listeners=listeners)
    with gr.Blocks(title="pixel_zoo playground", analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION)
        completed = gr.State()
        with gr.Row():
            with gr.Column():
                name = gr.Dropdown(list(models), label="Model", elem_id="model")
                canvas = paint_canvas("canvas")
                with gr.Row():
                    hide_all, show_all = gr.Button("Hide all", size="sm"), gr.Button("Show all", size="sm")
                example = gr.Slider(0, 99, 0, step=1, precision=0, label="Example", elem_id="example")
                seed = gr.Slider(0, LARGEST_SEED, 0, step=1, precision=0, label="Seed", elem_id="seed")
                temperature = gr.Slider(0.0, 2.0, 1.0, step=0.05, label="Temperature", elem_id="temperature")
                particles = gr.Radio(PARTICLES, value=16, label="Particles", elem_id="particles")
                label = gr.Number(0, precision=0, minimum=0, label="Label", visible=False, elem_id="label")
            with gr.Column():
                gr.Markdown("### Completions")
                pictures = gr.HTML(LOADING, elem_id="completions")
                gr.Markdown("### Surprise")
                caption = gr.Markdown(_caption())
                with gr.Row():
                    surprise = surprise_map("surprise")
                    chart = gr.HTML(HINT, elem_id="chart")
        gr.Markdown(STEPS)
        with gr.Row():
            back, forward = gr.Button("Previous pixel", size="sm"), gr.Button("Next pixel", size="sm")
            lit = gr.Checkbox(False, label="Light the receptive field", elem_id="lit")
        number = gr.Slider(0, 1, 0, step=1, precision=0, label="Pixels drawn before", elem_id="step")
        with gr.Row():
            stepped, predicted = gr.HTML(elem_id="stepped"), gr.HTML(elem_id="predicted")
        inputs = [name, canvas, label, temperature, seed, particles]
        outputs = [pictures, surprise, caption, completed, chart, number]
        step = functools.partial(
            listen,
            handlers.step,
            inputs=[completed, number, lit],
            outputs=[stepped, predicted],
            concurrency_id="step",
        )

        def complete(event):
            step(listen(handlers.complete, event, inputs=inputs, outputs=outputs).success)

        for event in (page.load, name.change, example.change):
            complete(listen(handlers.choose, event, inputs=[name, example], outputs=[canvas, label]).success)
        for button, known in ((hide_all, 0), (show_all, 1)):
            # In the browser, so that it is shown at once, whatever is running.
            script = f"value => ({{...value, known: value.known.map(() => {known})}})"
            complete(button.click(None, [canvas], [canvas], js=script, api_visibility="private").success)
        for event in (canvas.stroke, temperature.change, seed.change, particles.change, label.input):
            complete(event)
        # "always_last" would resend the event data of an earlier trigger: an old position of the pointer.
        options = {"trigger_mode": "multiple", "concurrency_id": "point"}
        listen(handlers.point, surprise.point, inputs=[completed], outputs=[chart], **options)
        for event in (number.change, lit.change):
            step(event)
        for move, button in ((handlers.back, back), (handlers.forward, forward)):
            options = {"trigger_mode": "multiple", "concurrency_id": "move"}
            listen(move, button.click, inputs=[completed, number], outputs=[number], **options)
    return page.queue(max_size=QUEUE)


def launch(models: Mapping[str, Callable[[], Any]], port: int | None, **options: Any) -> tuple:
    """Serve the page, to this machine alone, until the process is interrupted.

    Args:
        models: as of `Page`.
        port: int, the port on the loopback address; None takes a free one.
        **options: of Gradio's `launch`.

    Returns:
        As Gradio's `launch`: (app, local address, None).
    """
    _bypass_proxies()
    listeners = Listeners()
    # A page of another site can send requests to a loopback address, but only under its own host name.
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"], www_redirect=False)
    page = build(models, listeners)
    try:
        return page.launch(
            server_name=LOOPBACK,
            server_port=port,
            share=False,
            ssr_mode=False,
            theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
            footer_links=[],
            app_kwargs={"middleware": [trusted, Middleware(Guard, listeners=listeners)]},
            **options,
        )
    except KeyboardInterrupt:  # while it starts; once it has started, Gradio itself catches it
        page.close(verbose=False)
        return None, None, None


def _bypass_proxies():
    """Add the loopback address to `no_proxy`: Gradio asks its own server whether it has started."""
    direct = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    os.environ["no_proxy"] = ",".join(filter(None, [direct, LOOPBACK]))


def _listen(function, event, inputs, outputs, trigger_mode="always_last", concurrency_id="model", listeners=None):
    """Call a function on an event, one call at a time; show errors that a person can act on on the page."""
    return event(
        _handler(function, listeners),
        inputs,
        outputs,
        concurrency_id=concurrency_id,
        concurrency_limit=1,
        trigger_mode=trigger_mode,
        show_progress="hidden",
        api_visibility="private",
    )


def _handler(function, listeners):
    """The function as Gradio calls it: with the request before its own arguments.

    Errors of bad input are shown with their message. Requests of sessions that do not wait for the answer are dropped.
    """

    @contextlib.contextmanager
    def checked(request):
        if listeners is not None and listeners.has_left(request.session_hash):
            raise gr.Error("nobody waits for this answer", print_exception=False)
        try:
            yield
        except BAD_INPUT as error:
            raise gr.Error(" ".join(str(error).split()), print_exception=False) from error

    @functools.wraps(function)
    def generator(request, *args):
        with checked(request):
            yield from function(*args)

    @functools.wraps(function)
    def plain(request, *args):
        with checked(request):
            return function(*args)

    handler = generator if inspect.isgeneratorfunction(function) else plain
    # Gradio finds the parameter for the request by its annotation.
    first = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
    signature = inspect.signature(function)
    handler.__signature__ = signature.replace(parameters=[first, *signature.parameters.values()])
    handler.__annotations__ = {"request": gr.Request, **function.__annotations__}
    return handler


def _conditions(model, label):
    """The label, as the model's methods take it."""
    return {} if model.num_classes is None else {"labels": int(label or 0)}


def _particles_of(model, wanted):
    """The number of particles closest to what is wanted: a served model has a few numbers of them only."""
    return max(number for number in getattr(model, "particles", (wanted,)) if number <= wanted)


def _image(picture, state, alt=f"{COMPLETIONS} completions"):
    style = "width: 100%; image-rendering: pixelated"
    return f'<img src="{picture}" class="{state}" alt="{alt}" style="{style}">'


def _chart(completed, row, column):
    """The distribution of a pixel, and what its values cost."""
    values, log_probabilities = completed.image[row, column], completed.log_probabilities[row, column]
    nats = -np.take_along_axis(log_probabilities, values[:, None].astype(int), axis=-1).sum()
    title = f"row {row}, column {column}: {', '.join(map(str, values))}, {nats:.2f} nats"
    return f"<p>{title}</p>{drawing.bars(log_probabilities, values)}"


def _caption(total="", codec=None):
    """The text above the surprise map; `total` is "" as long as nothing is known."""
    what = "code" if codec is not None and codec.of_codes else "pixel"
    return f"-log p of each {what} of the first completion, bright where it is large. {total}"
