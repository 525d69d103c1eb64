"""A page on which one paints half an image and sees a model complete it. Needs Gradio: the extra `playground`."""

from pixel_zoo.playground.page import build, launch
from pixel_zoo.playground.served_model import ServedModel

__all__ = ["ServedModel", "build", "launch"]
