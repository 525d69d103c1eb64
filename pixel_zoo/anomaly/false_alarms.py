"""A measured rate of false alarms."""

import dataclasses
import math

import numpy as np

_STANDARD_DEVIATIONS = 1.959964  # of a normal distribution, on both sides, that hold 95 % of it


@dataclasses.dataclass(frozen=True)
class FalseAlarms:
    """The share of normal images that are flagged, measured, with a confidence interval.

    Attributes:
        rate: float, flagged images / all images.
        low, high: floats, the 95 % confidence interval of the true rate: the score interval of Wilson (1927, equation
            4), which is valid for few alarms too.
        images: int, how many images it was measured on.
    """

    rate: float
    low: float
    high: float
    images: int

    @classmethod
    def among(cls, flagged: np.ndarray) -> "FalseAlarms":
        """The false alarms among normal images: `flagged` is a bool array (n,)."""
        count, rate, z = len(flagged), float(np.mean(flagged)), _STANDARD_DEVIATIONS
        centre = rate + z**2 / (2 * count)
        half = z * math.sqrt(rate * (1 - rate) / count + z**2 / (4 * count**2))
        low, high = ((centre + side * half) / (1 + z**2 / count) for side in (-1, 1))
        return cls(rate, max(0.0, low), min(1.0, high), count)
