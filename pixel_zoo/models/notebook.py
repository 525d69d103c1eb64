"""A model as a notebook displays it."""

import base64
import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixel_zoo.models.image_model import ImageModel

_STYLE = "text-align: left; vertical-align: top; padding: 2px 12px 2px 0"
_PICTURE = "max-width: 100%; image-rendering: pixelated; margin-top: 6px"
_LEFT_OUT = ("image_shape", "levels", "num_classes", "conditioning_dim", "dtype", "copy_known")  # or shown elsewhere


def html_of(model: "ImageModel") -> str:
    """Describe a model in HTML: its name, architecture, images, data, likelihood and samples, as far as they are known.

    It computes nothing: samples are those of the file that `Provenance` names.

    Args:
        model: a model of `pixel_zoo.models`.

    Returns:
        str, with all pictures inside.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), levels=4, filters=4, num_blocks=1, head_filters=4, name="tiny")
    >>> "<b>tiny</b>" in html_of(model), "4 x 4 x 1, 4 levels" in html_of(model)
    (True, True)
    """
    known = model.provenance
    rows = {
        "architecture": known.architecture if known else "",
        "model": f"{_in_words(model)}, {model.count_params():,} parameters",
        "images": _images(model),
        "trained on": known.data if known else "",
        "test split": known.figure if known else "",
    }
    table = "".join(
        f'<tr><th style="{_STYLE}">{name}</th><td style="{_STYLE}">{html.escape(text)}</td></tr>'
        for name, text in rows.items()
        if text
    )
    name = html.escape(known.name if known else model.name)
    return f"<div><b>{name}</b><table>{table}</table>{_samples(model)}</div>"


def _in_words(model):
    """The class of a model and its options: "PixelCNN(filters=32, num_blocks=7, ...)"."""
    members = getattr(model, "members", None)
    if members is not None:
        return f"{type(model).__name__}({', '.join(_in_words(member) for member in members)})"
    options = getattr(model, "_config", {})
    shown = (f"{name}={value!r}" for name, value in options.items() if value and name not in _LEFT_OUT)
    return f"{type(model).__name__}({', '.join(shown)})"


def _images(model):
    """The shape and values of a model's images, and their conditions."""
    words = f"{' x '.join(map(str, model.image_shape))}, {model.levels} levels"
    if model.num_classes is not None:
        words += f", given one of {model.num_classes} labels"
    if model.conditioning_dim is not None:
        words += f", given a vector of {model.conditioning_dim} numbers"
    return words


def _samples(model):
    picture = model.provenance and model.provenance.picture
    if picture is None or not picture.is_file():
        return "<code>pz.show(model.generate(16), model.levels)</code> draws samples."
    content = base64.b64encode(picture.read_bytes()).decode()
    return f'<img src="data:image/png;base64,{content}" alt="samples and completions" style="{_PICTURE}">'
