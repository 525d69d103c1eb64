"""Exact sampling and completion, pixel by pixel, for any functional model of raster layers."""

from pixel_zoo.sampling.generate import complete, generate
from pixel_zoo.sampling.samplers import Sampler
from pixel_zoo.sampling.walker import Walker

__all__ = ["Sampler", "Walker", "complete", "generate"]
