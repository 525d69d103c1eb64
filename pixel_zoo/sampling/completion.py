"""Completion of images by any functional model of raster layers."""

from collections.abc import Sequence
from typing import Unpack

import keras
import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.arguments import check_partly_known, check_seeds
from pixel_zoo.inputs import check_conditions
from pixel_zoo.sampling.drawing import Drawing, DrawingOptions, walker_of
from pixel_zoo.sampling.particles import as_asked, check_particles, draw_with_particles


def complete(
    model: keras.Model,
    images: ArrayLike,
    known: ArrayLike,
    seed: ArrayLike = 0,
    *,
    conditioning: Sequence[ArrayLike] = (),
    stream: int = 0,
    particles: int = 1,
    sweeps: int = 0,
    return_log_likelihood: bool = False,
    return_diagnostics: bool = False,
    **options: Unpack[DrawingOptions],
) -> np.ndarray | tuple:
    """Draw the unknown pixels of images given the known ones: those before them in raster order, or all of them.

    With one particle, a pixel is drawn given the pixels before it, known or drawn. Known pixels that come later do not
    influence it.

    With more, pixels are drawn given all known pixels, by sequential Monte Carlo (Gordon et al. 1993). An image has so
    many particles. Each draws the unknown pixels row by row and is weighted by the probability of the known ones. When
    the effective sample size falls below half of the particles, they are resampled. In the end one is chosen in
    proportion to its weight. As the particles become many, its distribution tends to q(unknown pixels | known pixels),
    where q is the distribution that `generate` draws from with the same temperature and rules; the model itself if
    there are none. Images whose known pixels all come first need one particle, and get one.

    Rows above the first unknown pixel are not sampled but run in parallel, as are all rows that are known in every
    image of a batch.

    Args:
        model: functional Keras model of raster and pointwise layers, from integers (height, width, colours) to logits.
        images: integers 0..levels-1 (batch, height, width, colours); what they hold where `known` is False is not read.
        known: bool (batch, height, width) or (height, width), True where a pixel is known, in all its colours; or
            (batch, height, width, colours).
        seed, conditioning: as in `generate`.
        stream: as in `generate`, with one particle.
        particles: int, how many draw each image.
        sweeps: int, with particles of 2 or more: how often the completion is drawn again after that, one block of rows
            after the other, with so many tries of each block. They help where most of what is known comes late, such as
            the lower half, so that few particles fit. Any number of sweeps leaves q(unknown | known) unchanged.
        return_log_likelihood: bool, whether to return the log-likelihood of the whole images too, known pixels
            included.
        return_diagnostics: bool, whether to return `Diagnostics` too: effective sample sizes, and estimates of
            log p(known pixels).
        sampler, temperature, top_k, top_p, jit_compile, progress: as in `generate`.
        batch_size: int, how many images times particles are drawn at a time, 128 by default; but all particles of an
            image at least.

    Returns:
        NumPy array of the images' shape, uint8 or int32 as in `generate`; known pixels are unchanged. With
        `return_log_likelihood` or `return_diagnostics`, a tuple of it, the log-likelihood as in `generate`, and the
        diagnostics, those that are asked for.

    Raises:
        ValueError, TypeError: naming the argument that is wrong, before any work. ValueError if the particles do not
            fit into memory, and with several particles if known pixels have probability 0 under the rules.

    Example:
    >>> import pixel_zoo as pz
    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> known = np.zeros((4, 4), bool)
    >>> known[:2] = True
    >>> images = np.ones((3, 4, 4, 1), "uint8")
    >>> bool((complete(model, images, known)[:, :2] == 1).all())
    True

    >>> given = {"particles": 16, "return_diagnostics": True}
    >>> completed, diagnostics = complete(model, images, ~known, **given)  # upper halves that fit lower ones
    >>> bool((completed[:, 2:] == 1).all()), bool((diagnostics.log_evidence < 0).all())
    (True, True)
    """
    drawing = Drawing.of(**options)
    walker = walker_of(model)
    images, known = check_partly_known(images, known, walker.graph.image_shape, walker.likelihood.levels)
    seeds = check_seeds(seed, len(images))
    conditions = check_conditions(model, len(images), conditioning=conditioning)
    check_particles(particles, sweeps, drawing.sampler)
    if particles == 1 and not return_diagnostics:
        completed, nats = drawing(model, seeds, conditions, images, known, stream)
        return (completed, nats) if return_log_likelihood else completed
    drawn = draw_with_particles(model, drawing, seeds, conditions, images, known, particles, sweeps)
    return as_asked(*drawn, return_log_likelihood, return_diagnostics)
