"""Exact sampling and completion, pixel by pixel, for any functional model of raster layers."""

from pixel_zoo.sampler import Ranking, Rule, Sampler
from pixel_zoo.sampling.completion import complete
from pixel_zoo.sampling.drawing import Drawing, DrawingOptions, generate
from pixel_zoo.sampling.particles import Diagnostics
from pixel_zoo.sampling.walker import Walker

__all__ = ["Diagnostics", "Drawing", "DrawingOptions", "Ranking", "Rule", "Sampler", "Walker", "complete", "generate"]
