"""Exact sampling and completion, pixel by pixel, for any functional model of raster layers."""

from pixel_zoo.sampler import Ranking, Rule, Sampler
from pixel_zoo.sampling.drawing import Drawing, DrawingOptions, complete, generate
from pixel_zoo.sampling.walker import Walker

__all__ = ["Drawing", "DrawingOptions", "Ranking", "Rule", "Sampler", "Walker", "complete", "generate"]
