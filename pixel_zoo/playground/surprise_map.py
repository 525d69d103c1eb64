"""A picture of how unexpected each pixel is, which says which one is pointed at."""

import pathlib

import gradio as gr

PICTURE = """
<div class="map"><img alt="How unexpected each pixel is: bright where most" draggable="false">
<div class="cursor" hidden></div></div>
"""
STYLE = """
.map { position: relative; width: 100%; max-width: 360px; }
img { width: 100%; image-rendering: pixelated; display: block; cursor: crosshair; touch-action: none; }
.cursor { position: absolute; box-sizing: border-box; border: 2px solid #ff7f0e; pointer-events: none; }
.cursor[hidden] { display: none; }
"""


def surprise_map(elem_id):
    """A picture of an image's pixels that says which one the pointer is at.

    Args:
        elem_id: str, its `id` on the page.

    Returns:
        gradio.HTML. Its value is a dictionary of `picture`, the address of the picture, `height` and `width`; its event
        `point` tells `row` and `column`.
    """
    script = pathlib.Path(__file__).with_suffix(".js").read_text()
    return gr.HTML(html_template=PICTURE, css_template=STYLE, js_on_load=script, elem_id=elem_id)
