"""Anomalies: scores of images, thresholds with a known false-alarm rate, and maps of where an image is odd.

Every score has one meaning: **the higher, the more anomalous**. A score is a float64 array with one number for each
image, computed from the negative log-likelihoods that a model gives to the images:

```python
nats = -model.log_likelihood(images)  # the plainest score
typical = pz.anomaly.typicality(nats, -model.log_likelihood(validation))
ratio = pz.anomaly.likelihood_ratio(nats, -background.log_likelihood(images))
corrected = pz.anomaly.complexity_corrected(nats, pz.anomaly.png_bits(images))
```

The functions take arrays, not models, so they also take the columns that `pixel-zoo score` writes.
"""

from pixel_zoo.anomaly.area import auroc
from pixel_zoo.anomaly.background import perturb
from pixel_zoo.anomaly.complexity import complexity_corrected, png_bits
from pixel_zoo.anomaly.false_alarms import FalseAlarms
from pixel_zoo.anomaly.scores import likelihood_ratio, typicality
from pixel_zoo.anomaly.surprise_maps import surprise, surprise_of
from pixel_zoo.anomaly.threshold import Threshold

__all__ = [
    "FalseAlarms",
    "Threshold",
    "auroc",
    "complexity_corrected",
    "likelihood_ratio",
    "perturb",
    "png_bits",
    "surprise",
    "surprise_of",
    "typicality",
]
