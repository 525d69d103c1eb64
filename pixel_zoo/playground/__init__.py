"""A page to paint part of an image and watch a model complete it. Needs Gradio: the extra `playground`."""

from pixel_zoo.playground.page import build, launch
from pixel_zoo.playground.served_model import ServedModel

__all__ = ["ServedModel", "build", "launch"]
