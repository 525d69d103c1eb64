"""A threshold of scores with a known rate of false alarms."""

import dataclasses
import math
import numbers

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.anomaly.false_alarms import FalseAlarms
from pixel_zoo.anomaly.numbers import one_number_each


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A threshold of a score, calibrated on normal images that were held out: `Threshold.calibrate`.

    It is the quantile of split conformal prediction (Vovk et al. 2005; Angelopoulos & Bates 2023, arXiv 2107.07511,
    section 1): the k-th smallest of the n held-out scores, with

    ```
    k = ceil((n + 1) (1 - false_alarm_rate))
    ```

    If a new normal image comes from the same distribution as the held-out ones (precisely, if all are exchangeable),
    the probability that its score is above the threshold is at most (n + 1 - k) / (n + 1), for every n, every model and
    every score. It is exactly that if no two scores are equal. This probability is `expected_rate`. It is an average
    over held-out sets: with one particular set, the rate follows the Beta distribution with parameters n + 1 - k and k,
    whose standard deviation is `deviation`.

    Nothing is promised about anomalies: how many of them are flagged depends on the score.

    Attributes:
        value: float, the threshold; images whose score is above it are flagged.
        false_alarm_rate: float, the largest rate of false alarms that was asked for.
        expected_rate: float, the rate of false alarms that is expected, at most `false_alarm_rate`.
        deviation: float, the standard deviation of the rate between held-out sets of this size.
        images: int, n.

    Example:

    >>> threshold = Threshold.calibrate(np.arange(999), false_alarm_rate=0.01)
    >>> threshold.value, threshold.expected_rate, round(threshold.deviation, 4)
    (989.0, 0.01, 0.0031)
    >>> threshold.flags([500, 2000])
    array([False,  True])
    """

    value: float
    false_alarm_rate: float
    expected_rate: float
    deviation: float
    images: int

    @classmethod
    def calibrate(cls, scores: ArrayLike, false_alarm_rate: float = 0.05) -> "Threshold":
        """The lowest threshold that flags a new normal image with at most some probability.

        Args:
            scores: (n,) scores of normal images that the model was not trained on. If the score itself was estimated
                from images (`typical_nats` of `typicality`), take other images than these.
            false_alarm_rate: float between 0 and 1.

        Raises:
            TypeError, ValueError: naming the argument that is wrong; also if there are too few scores for the rate: it
                takes 1 / rate - 1, so 99 for one percent.
        """
        ordered = np.sort(one_number_each("scores", scores))
        if not isinstance(false_alarm_rate, numbers.Real) or not 0 < false_alarm_rate < 1:
            raise ValueError(f"false_alarm_rate must be a number between 0 and 1, got {false_alarm_rate!r}")
        count = len(ordered)
        above = math.floor((count + 1) * false_alarm_rate + 1e-9)  # n + 1 - k; 0.01 is a little more than a hundredth
        if not above:
            needed = math.ceil(1 / false_alarm_rate - 1e-9) - 1
            raise ValueError(
                f"scores: a false-alarm rate of {false_alarm_rate:g} needs at least {needed:,} held-out images, got "
                f"{count:,}"
            )
        rate = above / (count + 1)
        deviation = math.sqrt(rate * (1 - rate) / (count + 2))
        return cls(float(ordered[count - above]), float(false_alarm_rate), rate, deviation, count)

    def flags(self, scores: ArrayLike) -> np.ndarray:
        """Whether each image is flagged as an anomaly: bool array (n,), from scores (n,)."""
        return one_number_each("scores", scores) > self.value

    def measure(self, scores: ArrayLike) -> FalseAlarms:
        """The rate of false alarms on normal images that were not used for calibration, with its interval.

        Args:
            scores: (n,) scores of normal images.

        Example:

        >>> threshold = Threshold.calibrate(np.arange(99), false_alarm_rate=0.1)
        >>> measured = threshold.measure(np.arange(100))
        >>> measured.rate, round(measured.low, 3), round(measured.high, 3)
        (0.1, 0.055, 0.174)
        """
        return FalseAlarms.among(self.flags(scores))
