"""Scores that compare the likelihood of an image with that of other images, or under another model."""

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.anomaly.numbers import one_number_each
from pixel_zoo.checks import positive_integer


def typicality(nats: ArrayLike, typical_nats: ArrayLike, together: int = 1) -> np.ndarray:
    """How far the likelihood lies from what is usual, above it or below (Nalisnick et al. 2019).

    The test of *Detecting Out-of-Distribution Inputs to Deep Generative Models Using Typicality* (arXiv 1906.02994,
    algorithm 1): a batch of M images is anomalous if its mean negative log-likelihood is far from the entropy of the
    model, estimated by the mean over images of the training distribution:

    ```
    | 1/M sum_m -log p(x_m)  -  1/N sum_n -log p(x_n) |
    ```

    It finds images that are too likely. It cannot find images that are as likely as normal ones, and it ranks unlikely
    images just as the likelihood does.

    Args:
        nats: (n,) negative log-likelihoods of the images, in nats.
        typical_nats: (N,) those of normal images that the model was not trained on, such as the validation split: a
            model gives its training images higher likelihoods than other ones.
        together: int, M: how many consecutive images are judged together, as they come from one source. `n` must be a
            multiple of it. More images make the test more sensitive.

    Returns:
        float64 array (n / together,) in nats, at least 0: the higher, the more anomalous.

    Raises:
        TypeError, ValueError: naming the argument that is wrong.

    Example:

    >>> typicality([80.0, 40.0, 120.0], typical_nats=[79.0, 81.0])
    array([ 0., 40., 40.])
    >>> typicality([70.0, 84.0, 40.0, 50.0], typical_nats=[79.0, 81.0], together=2)
    array([ 3., 35.])
    """
    nats, typical_nats = one_number_each("nats", nats), one_number_each("typical_nats", typical_nats)
    if not np.isfinite(typical_nats).all():
        raise ValueError("typical_nats must be finite, got infinity: normal images of probability 0")
    if len(nats) % positive_integer("together", together):
        raise ValueError(f"together must divide the number of images, {len(nats):,}, got {together}")
    return np.abs(nats.reshape(-1, together).mean(axis=1) - typical_nats.mean())


def likelihood_ratio(nats: ArrayLike, background_nats: ArrayLike) -> np.ndarray:
    """log p_background(x) - log p(x): what a background model explains no worse than the model is anomalous.

    The score of Ren et al. 2019 (*Likelihood Ratios for Out-of-Distribution Detection*, arXiv 1906.02845),
    with the sign turned so that a higher score is more anomalous. What both models explain equally well, such as the
    background of an image and how complex it is, cancels. Ren et al. train the background model on perturbed images
    (`perturb`); Schirrmeister et al. 2020 (arXiv 2006.10848) train it on images of all kinds.

    Args:
        nats: (n,) negative log-likelihoods of the images under the model, in nats.
        background_nats: (n,) those under the background model.

    Returns:
        float64 array (n,) in nats: the higher, the more anomalous.

    Raises:
        TypeError, ValueError: naming the argument that is wrong.

    Example:

    >>> likelihood_ratio([80.0, 120.0], background_nats=[110.0, 100.0])
    array([-30.,  20.])
    """
    nats, background_nats = one_number_each("nats", nats), one_number_each("background_nats", background_nats)
    if nats.shape != background_nats.shape:
        raise ValueError(f"background_nats must be of the same {len(nats):,} images, got {len(background_nats):,}")
    if np.isinf(nats).any() and np.isinf(background_nats[np.isinf(nats)]).any():
        raise ValueError("background_nats: an image has probability 0 under both models, so its ratio is undefined")
    return nats - background_nats
