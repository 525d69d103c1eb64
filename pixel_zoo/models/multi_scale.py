"""Multi-Scale PixelRNN."""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from pixel_zoo.arguments import check_images, check_seeds
from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import check_conditions, condition_values, join_inputs, logits_of
from pixel_zoo.likelihoods import bits_per_dim, log_likelihood
from pixel_zoo.models.configured import Configured
from pixel_zoo.models.gated_pixel_cnn import GatedPixelCNN
from pixel_zoo.models.image_model import ImageModel
from pixel_zoo.models.network import constructor_arguments
from pixel_zoo.models.pixel_cnn import PixelCNN
from pixel_zoo.models.pixel_rnn import PixelRNN
from pixel_zoo.sampling import Drawing, DrawingOptions
from pixel_zoo.stages import scale_factors, scales
from pixel_zoo.types import Structure, Tensor

BASES = {"GatedPixelCNN": GatedPixelCNN, "PixelCNN": PixelCNN, "PixelRNN": PixelRNN}


@keras.saving.register_keras_serializable(package="pixel_zoo")
class MultiScalePixelRNN(Configured, ImageModel, keras.Model):
    """Multi-Scale PixelRNN (van den Oord et al. 2016, section 3.6): a small image first, then a larger one given it.

    ```
    log p(x) = log p(small) + log p(x | small),   small = rows 0, k, 2k ... and columns 0, k, 2k ... of x
    ```

    The first stage is a model of the smallest image. Each further stage is a model of a larger image given the one
    before: a 3x3 convolution and a deconvolution upsample the smaller image, and a 1x1 convolution in every block adds
    the result to the map of its core layer. Labels and vectors are given to every stage.

    The small image's pixels are pixels of the large one. With `copy_known` they are copied into it, not predicted, so
    the sum above is exactly log p(x). The paper predicts them a second time; then the sum is a lower bound of log p(x).
    `likelihood_kind` says which.

    Args:
        image_shape: (height, width, colours).
        levels: int, number of values 0..levels-1 of a colour.
        small_shapes: (height, width) of each smaller image, the smallest first; each divides the next.
        base: "GatedPixelCNN", "PixelCNN" or "PixelRNN", the architecture of all stages.
        options: dictionary of that architecture's other arguments, or a list of them, one for each stage.
        copy_known: bool, whether the pixels of a smaller image are copied, not predicted.
        num_classes: int, labels that an image is given with, or None: every stage is given the label.
        conditioning_dim: int, length of a vector that an image is given with, or None.
        embedding_dim: int, length of a learned vector as which each value enters, or None; see `PixelCNN`. Every stage
            has its own vectors; a stage's own options come first.
        dtype: str, Keras dtype policy of the stages, or None for the global one; a stage's own options come first.
        name: str or None.

    Attributes:
        stages: list of models, the smallest image's first. Each can be trained alone, on `stage_inputs` of images.

    Input: integers 0..levels-1 (batch, height, width, colours), or a dictionary of `image`, `label` and `vector`, as of
    the architecture. Output: float32 log-likelihoods (batch,) in nats.

    Raises:
        ValueError: naming the argument that is wrong.

    Example:
    >>> options = {"units": 4, "num_blocks": 1, "head_filters": 4}
    >>> model = MultiScalePixelRNN((8, 8, 1), levels=4, small_shapes=((4, 4),), options=options)
    >>> images = model.generate(num_images=2, seed=1)
    >>> images.shape, model.log_likelihood(images).shape, model.likelihood_kind
    ((2, 8, 8, 1), (2,), 'exact')
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        levels: int = 2,
        small_shapes: Sequence[tuple[int, int]] = ((7, 7),),
        base: str = "PixelRNN",
        options: dict | list[dict] | None = None,
        copy_known: bool = True,
        num_classes: int | None = None,
        conditioning_dim: int | None = None,
        embedding_dim: int | None = None,
        dtype: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        config = constructor_arguments(locals())
        super().__init__(name=name, dtype=config["dtype"], **kwargs)
        self._config, self.image_shape, self.levels = config, config["image_shape"], config["levels"]
        self.num_classes, self.conditioning_dim = num_classes, conditioning_dim
        self.likelihood_kind = "exact" if copy_known else "lower bound"
        shapes = _shapes(self.image_shape, small_shapes)
        if base not in BASES:
            raise ValueError(f"base must be one of {', '.join(map(repr, BASES))}, got {base!r}")
        common = {name: config[name] for name in ("copy_known", "num_classes", "conditioning_dim")}
        defaults = {"embedding_dim": embedding_dim, "dtype": dtype}
        given: list[tuple[int, int] | None] = [None, *(shape[:2] for shape in shapes[:-1])]
        self.stages = [
            BASES[base](shape, levels, small_shape=small, **common, **defaults | own, name=f"stage{index}")
            for index, (shape, small, own) in enumerate(zip(shapes, given, _options(options, len(shapes)), strict=True))
        ]
        self.built = True  # all weights are the stages'

    # Training

    def default_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        return negative_log_likelihood

    def default_metrics(self) -> list[keras.metrics.Metric]:
        return [
            keras.metrics.MeanMetricWrapper(negative_log_likelihood, name="nats"),
            keras.metrics.MeanMetricWrapper(negative_bits_per_dim, name="bits_per_dim"),
        ]

    def _target(self, x):
        return _named(x)["image"]

    def call(self, inputs: Structure, training: bool = False) -> Tensor:
        """log p(x) of each image: the sum over stages, float32 tensor (batch,)."""
        conditions = _named(inputs)
        total = 0.0
        for stage, images, own_conditions in scales(self, conditions["image"], conditions):
            total = total + log_likelihood(images, logits_of(stage, images, own_conditions, training))
        return total

    def stage_inputs(
        self, stage: int, images: ArrayLike, labels: ArrayLike | None = None, vectors: ArrayLike | None = None
    ) -> Structure:
        """The inputs for training `stages[stage]` alone: `model.stages[1].fit(model.stage_inputs(1, images))`.

        Args:
            stage: int, index of the stage.
            images, labels, vectors: as of `log_likelihood`.

        Returns:
            The stage's images, or a dictionary of them and their conditions.

        Example:
        >>> model = MultiScalePixelRNN((4, 4, 1), small_shapes=((2, 2),), options={"units": 2, "num_blocks": 1})
        >>> inputs = model.stage_inputs(1, np.zeros((3, 4, 4, 1), "uint8"))
        >>> {name: value.shape for name, value in inputs.items()}
        {'image': (3, 4, 4, 1), 'small': (3, 2, 2, 1)}
        """
        images = check_images(images, self.image_shape, self.levels)
        conditions = check_conditions(self, len(images), labels, vectors)
        model, own, own_conditions = list(scales(self, images, conditions))[stage]
        return join_inputs(model, own, condition_values(model, own_conditions))

    # Likelihood

    def merge(self, expected: Sequence[Tensor]) -> Tensor:
        """Put together what the stages expect: a pixel that is copied was expected by the stage that predicted it.

        Args:
            expected: log-probabilities (batch, height, width, colours, levels) of each stage's image, or other
                values of this form.

        Returns:
            Those of the large image.
        """
        merged, *larger = expected
        for own in larger:
            merged = _with_copied(own, merged) if self._config["copy_known"] else own
        return merged

    # Sampling

    def generate(  # type: ignore[override]  # its images may be given with a small image, not with other inputs
        self,
        num_images: int = 16,
        seed: ArrayLike = 0,
        *,
        small: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        return_log_likelihood: bool = False,
        **options: Unpack[DrawingOptions],
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Draw images: the smallest first, each further one given the one before.

        Args:
            num_images, seed, labels, vectors, return_log_likelihood: as of `PixelModel.generate`.
            small: integers 0..levels-1 (num_images, *small_shapes[0], colours), the smallest images, if they are given
                and not drawn: then the log-likelihood is log p(x | small). See `upscale`.
            sampler, temperature, top_k, top_p, batch_size, jit_compile, progress: as of `PixelModel.generate`.

        Returns:
            As `PixelModel.generate`.

        Raises:
            ValueError, TypeError: naming the argument that is wrong, missing or superfluous, before any work.
        """
        common: dict[str, Any] = {"labels": labels, "vectors": vectors, "return_log_likelihood": return_log_likelihood}
        if small is None:
            return super().generate(num_images, seed, **common, **options)
        count = len(np.atleast_1d(small))
        if count != num_images:
            raise ValueError(f"small must hold num_images={num_images} images, got {count}")
        return self.upscale(small, seed, **common, **options)

    def upscale(
        self,
        small: ArrayLike,
        seed: ArrayLike = 0,
        *,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        return_log_likelihood: bool = False,
        **options: Unpack[DrawingOptions],
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Draw a large image given each of the smallest ones: what `generate` does after its first stage.

        Args:
            small: integers 0..levels-1 (batch, *small_shapes[0], colours).
            seed, labels, vectors: as of `generate`.
            return_log_likelihood: bool, whether to return log p(x | small) too.
            sampler, temperature, top_k, top_p, batch_size, jit_compile, progress: as of `generate`.

        Returns:
            As `generate`, an image for each small one.

        Raises:
            ValueError, TypeError: naming the argument that is wrong, missing or superfluous, before any work.
        """
        small = check_images(small, self.stages[0].image_shape, self.levels, name="small")
        seeds = check_seeds(seed, positive_integer("the number of images", len(small)))
        drawing = Drawing.of(**options)
        conditions = check_conditions(self, len(small), labels, vectors)
        images, nats = self._draw(drawing, seeds, conditions, small=small)
        return (images, nats) if return_log_likelihood else images


@keras.saving.register_keras_serializable(package="pixel_zoo")
def negative_log_likelihood(images, log_likelihoods):
    """Nats of each image; a loss and a metric of models whose output is the log-likelihood."""
    return -log_likelihoods


@keras.saving.register_keras_serializable(package="pixel_zoo")
def negative_bits_per_dim(images, log_likelihoods):
    """Bits for each value of an image; a metric of models whose output is the log-likelihood."""
    return bits_per_dim(-log_likelihoods, images.shape[1:])


def _with_copied(large, small):
    """Values (batch, height, width, ...) of a large image, with those of a small one at their positions."""
    rows, columns = scale_factors(tuple(large.shape[1:]), tuple(small.shape[1:3]))
    repeated = ops.repeat(ops.repeat(small, rows, axis=1), columns, axis=2)
    copied = np.zeros((*large.shape[1:3], 1, 1), bool)
    copied[::rows, ::columns] = True
    return ops.where(copied, repeated, large)


def _named(inputs):
    """A model's inputs as a dictionary by name, where they may be the image alone."""
    return inputs if isinstance(inputs, dict) else {"image": inputs}


def _shapes(image_shape, small_shapes):
    """(height, width, colours) of all stages' images, the smallest first, checked."""
    if not isinstance(small_shapes, (tuple, list)) or not small_shapes:
        raise ValueError(f"small_shapes must hold at least one (height, width), got {small_shapes!r}")
    shapes = [image_shape]
    for small_shape in reversed(small_shapes):
        if scale_factors(shapes[0], small_shape) == (1, 1):
            raise ValueError(f"small_shapes must be smaller than the next larger image, got {small_shapes!r}")
        shapes.insert(0, (*small_shape, image_shape[-1]))
    return shapes


def _options(options, count):
    """A dictionary of options for each stage, checked."""
    each = options if isinstance(options, (tuple, list)) else [options or {}] * count
    if len(each) != count or not all(isinstance(one, dict) for one in each):
        raise ValueError(f"options must be a dictionary, or a list of {count}, one for each stage, got {options!r}")
    return each
