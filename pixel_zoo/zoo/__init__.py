"""Pretrained models: by name, with what each reached and how, and whether that is so."""

from pixel_zoo.zoo.index import list
from pixel_zoo.zoo.pretrained import load

__all__ = ["list", "load"]
