"""A canvas to paint and hide the pixels of an image."""

import pathlib

import gradio as gr
import numpy as np

from pixel_zoo.pictures import UNKNOWN

TOOLS = """
<canvas aria-label="Image to be completed: paint with the pointer"></canvas>
<div class="tools">
  <label><input type="radio" name="tool" class="paint" checked> paint</label>
  <label><input type="radio" name="tool" class="hide"> hide</label>
  <label class="grey">value <input type="range" class="value" min="0" max="1" value="1"></label>
  <label class="rgb" hidden>colour <input type="color" class="colour" value="#ffffff"></label>
  <label>brush <select class="size"><option>1</option><option>2</option><option>3</option></select></label>
</div>
"""
STYLE = """
canvas { width: 100%; max-width: 448px; image-rendering: pixelated; touch-action: none; cursor: crosshair; }
.tools { display: flex; flex-wrap: wrap; gap: 0.4em 1.2em; margin-top: 0.5em; align-items: center; }
.tools label[hidden] { display: none; }
"""


def paint_canvas(elem_id):
    """An image to paint on; hidden pixels are tinted.

    Args:
        elem_id: str, its `id` on the page.

    Returns:
        gradio.HTML, not a subclass: Gradio would write a file for that into this package. Its event `stroke` is
        triggered at the end of each stroke. `painted` makes its value, and `partly_known` reads it.
    """
    script = pathlib.Path(__file__).with_suffix(".js").read_text()
    return gr.HTML(html_template=TOOLS, css_template=STYLE, js_on_load=script, unknown=list(UNKNOWN), elem_id=elem_id)


def painted(image, known, levels):
    """The value of a canvas that shows an image.

    Args:
        image: integers 0..levels-1 (height, width, colours).
        known: bool (height, width), False where a pixel is hidden.
        levels: int.

    Returns:
        Dictionary that JSON can hold.

    Example:
    >>> images, known = partly_known(painted(np.ones((4, 4, 1), int), np.eye(4, dtype=bool), levels=2), (4, 4, 1))
    >>> images.shape, int(known.sum())
    ((1, 4, 4, 1), 4)
    """
    height, width, colours = image.shape
    size = {"height": height, "width": width, "colours": colours, "levels": levels}
    return size | {"image": image.ravel().tolist(), "known": known.ravel().astype(int).tolist()}


def partly_known(value, image_shape):
    """The image and the mask on a canvas, as `complete` takes them.

    A browser may send anything. This function checks types and shapes; `complete` checks the values.

    Args:
        value: the value that the page sent.
        image_shape: (height, width, colours).

    Returns:
        (images, known): integers (1, height, width, colours), bool (1, height, width).

    Raises:
        ValueError: if it holds no image of that shape.
    """
    height, width, colours = image_shape
    pixels = height * width
    image, known = (value.get(key) if isinstance(value, dict) else None for key in ("image", "known"))
    if not all(isinstance(part, list) for part in (image, known)) or (len(image), len(known)) != (
        pixels * colours,
        pixels,
    ):
        raise ValueError(f"the canvas holds no image of {height}x{width}x{colours}; choose an example")
    if not all(isinstance(number, int) and 0 <= number < 2**31 for number in (*image, *known)):
        raise ValueError("the canvas must hold integers of at least 0")
    return np.array(image).reshape(1, *image_shape), np.array(known, bool).reshape(1, height, width)
