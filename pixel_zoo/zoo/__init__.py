"""Pretrained models by name, and the record of how each was trained and what it reached."""

from pixel_zoo.zoo.index import pretrained_names
from pixel_zoo.zoo.pretrained import load, path

list = pretrained_names  # the older name

__all__ = ["list", "load", "path", "pretrained_names"]
