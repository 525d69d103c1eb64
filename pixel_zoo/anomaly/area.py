"""How well a score separates anomalies from normal images."""

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.anomaly.numbers import one_number_each


def auroc(normal: ArrayLike, anomalous: ArrayLike) -> float:
    """The area under the ROC curve: how often an anomalous image has a higher score than a normal one.

    Ties count half: this is the Mann-Whitney statistic, divided by the number of pairs. 1 is perfect and 0.5 is chance.
    Below 0.5 the score is misleading.

    Args:
        normal: (n,) scores of normal images.
        anomalous: (m,) scores of anomalous ones.

    Returns:
        float from 0 to 1. Its standard error is at most 0.5 / sqrt(min(n, m)).

    Raises:
        TypeError, ValueError: naming the argument that is wrong.

    Example:

    >>> auroc(normal=[1, 2, 3], anomalous=[3, 4])
    0.9166666666666666
    """
    ordered, anomalous = np.sort(one_number_each("normal", normal)), one_number_each("anomalous", anomalous)
    below, not_above = (np.searchsorted(ordered, anomalous, side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(ordered)))
