"""A picture of how surprising each pixel is, which reports the pixel under the pointer."""

import pathlib

import gradio as gr

PICTURE = """
<div class="map"><img alt="How surprising each pixel is: bright where most" draggable="false" hidden>
<div class="cursor" hidden></div></div>
"""
STYLE = """
.map { position: relative; width: 100%; max-width: 360px; }
img { width: 100%; image-rendering: pixelated; display: block; cursor: crosshair; touch-action: none; }
.cursor { position: absolute; box-sizing: border-box; border: 2px solid #ff7f0e; pointer-events: none; }
.map [hidden] { display: none; }
"""


def surprise_map(elem_id):
    """A picture that reports the pixel under the pointer.

    Args:
        elem_id: str, its `id` on the page.

    Returns:
        gradio.HTML. Its value is a dictionary of `picture` (a data URI), `height` and `width`. Its event `point` has
        `row` and `column`.
    """
    script = pathlib.Path(__file__).with_suffix(".js").read_text()
    return gr.HTML(html_template=PICTURE, css_template=STYLE, js_on_load=script, elem_id=elem_id)
