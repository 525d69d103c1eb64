"""What all models share: likelihoods, sampling and completion, stage by stage."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from pixel_zoo.arguments import check_images, check_partly_known, check_seeds
from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import check_conditions
from pixel_zoo.likelihoods import bits_per_dim, log_likelihood, log_probabilities, surprise
from pixel_zoo.models.likelihood_training import LikelihoodTraining
from pixel_zoo.models.notebook import html_of
from pixel_zoo.models.provenance import Provenance
from pixel_zoo.sampling import Drawing, DrawingOptions
from pixel_zoo.sampling.particles import as_asked, check_particles, draw_with_particles
from pixel_zoo.stages import draw_stages, scales, subsample
from pixel_zoo.types import Tensor


class ImageModel(LikelihoodTraining):
    """A model of images that consists of stages: `PixelModel`, its own only stage, or `MultiScalePixelRNN`.

    Subclasses have these attributes:
        stages: list of `PixelModel`s, in the order in which they are drawn.
        image_shape: (height, width, colours).
        levels: int, how many values a colour of a pixel takes.
        likelihood_kind: "exact" or "lower bound": what `log_likelihood` is.
        num_classes: int, how many labels an image may be given with, or None for a model that takes no label.
        conditioning_dim: int, length of the vector that an image is given with, or None.
        provenance: `Provenance` of the weights of a pretrained model, else None.
    """

    provenance: Provenance | None = None

    def _repr_html_(self) -> str:
        """What a notebook displays for the model."""
        return html_of(self)

    # Likelihood

    def log_likelihood(
        self,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        *,
        conditioning: Sequence[ArrayLike] = (),
        batch_size: int = 128,
        known: ArrayLike | None = None,
        particles: int = 64,
        seed: ArrayLike = 0,
    ) -> np.ndarray:
        """log p(x) of images, exact or a lower bound (`likelihood_kind`); log p(x | label) if they have labels.

        Of partly known images, with `known`, it is an estimate of log p(known pixels) = log of the sum of p(x) over
        all values of the others. Sequential Monte Carlo gives it (see `complete`). The exponential of the estimate is
        unbiased; the estimate itself is too low on average, the less so the more particles there are. It is log p(known
        pixels) without error where no known pixel comes after an unknown one, as in images that are known in full.

        Args:
            images: integers 0..levels-1 (batch, height, width, colours).
            labels: integer, or one per image, for a model with `num_classes`.
            vectors: array (conditioning_dim,), or one per image, for a model with `conditioning_dim`.
            conditioning: the model's remaining inputs, in their order, one array each with an entry per image.
            batch_size: int, how many at a time; with `known`, images times particles.
            known: as of `complete`, or None: all pixels are known.
            particles: int, how many for each image, with `known`.
            seed: int or one integer per image, as of `complete`, with `known`.

        Returns:
            float32 NumPy array (batch,) in nats; float64 for a model of dtype float64, without `known`.

        Raises:
            TypeError, ValueError: naming the argument that is wrong, missing or superfluous.

        Example:
        >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1)
        >>> known = np.ones((4, 4), bool)
        >>> known[1, 1:3] = False
        >>> images = model.generate(2)
        >>> partly = model.log_likelihood(images, known=known)
        >>> bool((partly > model.log_likelihood(images)).all())
        True
        """
        if known is not None:
            drawing = Drawing.of(batch_size=batch_size, progress=False)
            check_particles(particles, 0, drawing.sampler)
            seeds, conditions, array, mask = self._check_partly_known(
                images, known, seed, labels, vectors, conditioning
            )
            _, _, diagnostics = draw_with_particles(self, drawing, seeds, conditions, array, mask, particles)
            return diagnostics.log_evidence
        return sum(self._score(log_likelihood, images, labels, vectors, conditioning, batch_size))

    def bits_per_dim(
        self,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        *,
        conditioning: Sequence[ArrayLike] = (),
        batch_size: int = 128,
    ) -> np.ndarray:
        """-log2 p(x) for each value of an image; arguments as of `log_likelihood`, float32 NumPy array (batch,)."""
        nats = -self.log_likelihood(images, labels, vectors, conditioning=conditioning, batch_size=batch_size)
        return bits_per_dim(nats, self.image_shape)

    def log_probabilities(
        self,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        *,
        conditioning: Sequence[ArrayLike] = (),
        batch_size: int = 128,
    ) -> np.ndarray:
        """The predicted distribution of each value: log p(value = v | the values before it), for every v.

        Values come in the model's order: raster order, or, of a multi-scale model, the smallest image, then what the
        next one adds. The log-probabilities of the values that the images hold sum to `log_likelihood` where that is
        exact. Where it is a lower bound, those of a smaller image's pixels are of their last prediction.

        Args:
            images, labels, vectors, conditioning, batch_size: as of `log_likelihood`.

        Returns:
            float32 NumPy array (batch, height, width, colours, levels) in nats; float64 for a model of dtype float64.

        Raises:
            TypeError, ValueError: naming the argument that is wrong, missing or superfluous.
        """
        expected = self._score(_log_probabilities, images, labels, vectors, conditioning, batch_size)
        return ops.convert_to_numpy(self.merge(list(expected)))

    def surprise(
        self,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        *,
        conditioning: Sequence[ArrayLike] = (),
        batch_size: int = 128,
    ) -> np.ndarray:
        """-log p of each value of the images, given the values before it: where an image departs from the expected.

        The order of the values is that of `log_probabilities`. Where the likelihood is exact, the surprise of all
        values of an image sums to its negative log-likelihood.

        Args:
            images, labels, vectors, conditioning, batch_size: as of `log_likelihood`.

        Returns:
            float32 NumPy array (batch, height, width, colours) in nats; float64 for a model of dtype float64.

        Raises:
            TypeError, ValueError: naming the argument that is wrong, missing or superfluous.

        Example:
        >>> model = pz.models.PixelCNN((4, 4, 1), levels=4, filters=4, num_blocks=1)
        >>> images = model.generate(2, seed=0)
        >>> bool(np.allclose(model.surprise(images).sum(axis=(1, 2, 3)), -model.log_likelihood(images), rtol=1e-5))
        True
        """
        nats = self._score(surprise, images, labels, vectors, conditioning, batch_size)
        return ops.convert_to_numpy(self.merge([of_stage[..., None] for of_stage in nats]))[..., 0]

    def merge(self, expected: Sequence[Tensor]) -> Tensor:
        """The log-probabilities of the model's images, from a list of those of each stage's; or other values."""
        (only,) = expected
        return only

    def _score(self, function, images, labels, vectors, conditioning, batch_size):
        """A function of (images, logits) of each stage, as NumPy arrays."""
        images = check_images(images, self.image_shape, self.levels)
        positive_integer("the number of images", len(images))
        positive_integer("batch_size", batch_size)
        conditions = check_conditions(self, len(images), labels, vectors, conditioning)
        return self._score_checked(function, images, conditions, batch_size)

    def _score_checked(self, function, images, conditions, batch_size):
        return (
            stage.in_batches(function, of_stage, own_conditions, batch_size)
            for stage, of_stage, own_conditions in scales(self, images, conditions)
        )

    # Sampling

    def generate(
        self,
        num_images: int = 16,
        seed: ArrayLike = 0,
        *,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        conditioning: Sequence[ArrayLike] = (),
        return_log_likelihood: bool = False,
        **options: Unpack[DrawingOptions],
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Draw images, value by value and exactly.

        Args:
            num_images: int, how many.
            seed: int, for images of seeds seed, seed + 1, ...; or one integer per image.
            labels, vectors, conditioning: as of `log_likelihood`: the conditions of the images.
            return_log_likelihood: bool, whether to return the log-likelihood too.
            sampler: `pixel_zoo.sampling.Sampler`, how values are drawn.
            temperature, top_k, top_p: shorthand for a `Sampler` of these.
            batch_size, jit_compile, progress: as of `pixel_zoo.sampling.generate`.

        Returns:
            NumPy array (num_images, height, width, colours), uint8 for up to 256 levels, else int32. With
            `return_log_likelihood`, a pair: the images, and their log-likelihoods as `log_likelihood` gives them,
            float32 (num_images,).

        Raises:
            ValueError, TypeError: naming the argument that is wrong, missing or superfluous, before any work.
            ValueError: the model's weights are NaN, or its layers overflow: the log-likelihood is NaN.

        Example:
        >>> model = pz.models.PixelCNN((4, 4, 1), levels=4, filters=4, num_blocks=1)
        >>> model.generate(2, seed=7, sampler=pz.sampling.Sampler(temperature=0.5, min_p=0.1)).shape
        (2, 4, 4, 1)
        """
        seeds = check_seeds(seed, positive_integer("num_images", num_images))
        drawing = Drawing.of(**options)
        conditions = check_conditions(self, num_images, labels, vectors, conditioning)
        images, nats = self._draw(drawing, seeds, conditions)
        return (images, nats) if return_log_likelihood else images

    def complete(
        self,
        images: ArrayLike,
        known: ArrayLike,
        seed: ArrayLike = 0,
        *,
        particles: int = 1,
        sweeps: int = 0,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        conditioning: Sequence[ArrayLike] = (),
        return_log_likelihood: bool = False,
        return_diagnostics: bool = False,
        **options: Unpack[DrawingOptions],
    ) -> np.ndarray | tuple:
        """Draw the unknown pixels of images given the known ones: those before them, or with `particles` all of them.

        With one particle, a pixel is drawn given the pixels before it in the model's order: raster order, or, of a
        multi-scale model, the smallest image in raster order, then the next one. Known pixels that come later do not
        influence it.

        With more particles, pixels are drawn from p(unknown pixels | known pixels) by sequential Monte Carlo, see
        `pixel_zoo.sampling.complete`: an approximation that tends to it as particles become many. The particles of a
        multi-scale model are weighted across all of its images.

        Args:
            images, known: as of `pixel_zoo.sampling.complete`.
            particles: int, how many draw each image. Time and memory grow with them.
            sweeps: int, with particles of 2 or more: how often blocks of rows of the completion are drawn again, given
                everything else; of a multi-scale model, those of the largest image.
            seed, labels, vectors, conditioning, return_log_likelihood: as of `generate`.
            return_diagnostics: bool, whether to return `pixel_zoo.sampling.Diagnostics` too: effective sample sizes,
                and estimates of log p(known pixels).
            sampler, temperature, top_k, top_p, batch_size, jit_compile, progress: as of `pixel_zoo.sampling.complete`.

        Returns:
            NumPy array of the images' shape, known pixels unchanged. With `return_log_likelihood` or
            `return_diagnostics`, a tuple: the images, then the log-likelihoods (as of `generate`) and the diagnostics,
            whichever were requested.

        Raises:
            ValueError, TypeError: as `pixel_zoo.sampling.complete`.

        Example:
        >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1)
        >>> known = np.arange(4)[:, None] * np.ones(4) >= 2  # the lower half
        >>> images = model.generate(2)
        >>> completed, diagnostics = model.complete(images, known, particles=16, sweeps=2, return_diagnostics=True)
        >>> completed.shape, diagnostics.effective_sample_size.shape
        ((2, 4, 4, 1), (2,))
        """
        drawing = Drawing.of(**options)
        check_particles(particles, sweeps, drawing.sampler)
        seeds, conditions, array, mask = self._check_partly_known(images, known, seed, labels, vectors, conditioning)
        if particles == 1 and not return_diagnostics:
            completed, nats = self._draw(drawing, seeds, conditions, array, mask)
            return (completed, nats) if return_log_likelihood else completed
        completed, nats, diagnostics = draw_with_particles(
            self, drawing, seeds, conditions, array, mask, particles, sweeps
        )
        if return_log_likelihood and self.likelihood_kind != "exact":
            nats = sum(self._score_checked(log_likelihood, completed, conditions, drawing.batch_size))
        return as_asked(completed, nats, diagnostics, return_log_likelihood, return_diagnostics)

    def _check_partly_known(self, images, known, seed, labels, vectors, conditioning):
        """(seeds, conditions, images, known), checked."""
        images, known = check_partly_known(images, known, self.image_shape, self.levels)
        seeds = check_seeds(seed, len(images))
        return seeds, check_conditions(self, len(images), labels, vectors, conditioning), images, known

    def _draw(self, drawing, seeds, conditions, images=None, known=None, small=None):
        """The images, and their log-likelihoods; where nothing is known, `images` and `known` are None."""

        def draw(index, stage, conditions):
            if known is None:
                return drawing(stage, seeds, conditions, stream=index)
            of_stage = (subsample(x, stage.image_shape) for x in (images, known))
            return drawing(stage, seeds, conditions, *of_stage, stream=index)

        images, nats = draw_stages(self, draw, conditions, small)
        if small is None and self.likelihood_kind != "exact":
            # The small images that were drawn are not in the large ones.
            nats = sum(self._score_checked(log_likelihood, images, conditions, drawing.batch_size))
        return images, nats


def _log_probabilities(images, logits):
    return log_probabilities(logits)
