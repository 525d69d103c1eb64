"""Multi-Scale PixelRNN."""

import keras
import numpy as np
from keras import ops

from pixel_zoo import sampling
from pixel_zoo.arguments import check_images, check_partly_known, check_seeds
from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import join_inputs, other_inputs
from pixel_zoo.likelihoods import bits_per_dim, log_likelihood
from pixel_zoo.models.conditioning import given_values, scale_factors
from pixel_zoo.models.gated_pixel_cnn import GatedPixelCNN
from pixel_zoo.models.likelihood_training import LikelihoodTraining
from pixel_zoo.models.network import check_image_shape, check_levels
from pixel_zoo.models.pixel_cnn import PixelCNN
from pixel_zoo.models.pixel_rnn import PixelRNN

BASES = {"GatedPixelCNN": GatedPixelCNN, "PixelCNN": PixelCNN, "PixelRNN": PixelRNN}


@keras.saving.register_keras_serializable(package="pixel_zoo")
class MultiScalePixelRNN(LikelihoodTraining, keras.Model):
    """Multi-Scale PixelRNN (van den Oord et al. 2016, section 3.6): a small image first, then a larger one given it.

    ```
    log p(x) = log p(small) + log p(x | small),   small = rows 0, k, 2k ... and columns 0, k, 2k ... of x
    ```

    The first stage is an unconditional model of the smallest image; each further stage a model of a larger image given
    the one before, which a deconvolution upsamples and a 1x1 convolution in every block adds to the input-to-state map.

    The small image's pixels are pixels of the large one. With `copy_known` they are copied into it, not predicted: what
    is left out of p(x | small) is known, so the sum above is log p(x) exactly. The paper predicts them a second time;
    then the sum is a lower bound of log p(x). `likelihood_kind` says which.

    Args:
        image_shape: (height, width, colours).
        levels: int, number of values 0..levels-1 of a colour.
        small_shapes: (height, width) of each smaller image, the smallest first; each divides the next.
        base: "GatedPixelCNN", "PixelCNN" or "PixelRNN", the architecture of all stages.
        options: dictionary of that architecture's other arguments, or a list of them, one for each stage.
        copy_known: bool, whether the pixels of a smaller image are copied, not predicted.
        num_classes: int, labels that an image is given with, or None: every stage is given the label.
        conditioning_dim: int, length of a vector that an image is given with, or None.
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
        image_shape=(28, 28, 1),
        levels=2,
        small_shapes=((7, 7),),
        base="PixelRNN",
        options=None,
        copy_known=True,
        num_classes=None,
        conditioning_dim=None,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.image_shape, self.levels = check_image_shape(image_shape), check_levels(levels)
        self.num_classes, self.conditioning_dim = num_classes, conditioning_dim
        self.likelihood_kind = "exact" if copy_known else "lower bound"
        shapes = _shapes(self.image_shape, small_shapes)
        if base not in BASES:
            raise ValueError(f"base must be one of {', '.join(map(repr, BASES))}, got {base!r}")
        self._config = {
            "image_shape": self.image_shape,
            "levels": self.levels,
            "small_shapes": small_shapes,
            "base": base,
            "options": options,
            "copy_known": copy_known,
            "num_classes": num_classes,
            "conditioning_dim": conditioning_dim,
        }
        given = {"num_classes": num_classes, "conditioning_dim": conditioning_dim}
        self.stages = [
            BASES[base](shape, levels, small_shape=small, copy_known=copy_known, **given, **own, name=f"stage{index}")
            for index, (shape, small, own) in enumerate(
                zip(shapes, [None, *(shape[:2] for shape in shapes)], _options(options, len(shapes)), strict=False)
            )
        ]
        self.built = True  # all weights are the stages'

    # Training

    def default_loss(self):
        return negative_log_likelihood

    def default_metrics(self):
        return [
            keras.metrics.MeanMetricWrapper(negative_log_likelihood, name="nats"),
            keras.metrics.MeanMetricWrapper(negative_bits_per_dim, name="bits_per_dim"),
        ]

    def _target(self, x):
        return _named(x)["image"]

    def call(self, inputs, training=False):
        """log p(x) of each image: the sum over stages, float32 tensor (batch,)."""
        given = _named(inputs)
        total = 0.0
        for stage, image in zip(self.stages, self._scales(given["image"]), strict=True):
            values = [given[tensor.name] for tensor in other_inputs(stage)]
            logits = stage(join_inputs(stage, image, values), training=training)
            total = total + log_likelihood(image, logits)
            given = given | {"small": image}
        return total

    def stage_inputs(self, stage, images, labels=None, vectors=None):
        """What `stages[stage]` is fed to be trained alone: `model.stages[1].fit(model.stage_inputs(1, images))`.

        Args:
            stage: int, index of the stage.
            images, labels, vectors: as of `log_likelihood`.

        Returns:
            The stage's images, or a dictionary of them and of what they are given with.

        Example:
        >>> model = MultiScalePixelRNN((4, 4, 1), small_shapes=((2, 2),), options={"units": 2, "num_blocks": 1})
        >>> inputs = model.stage_inputs(1, np.zeros((3, 4, 4, 1), "uint8"))
        >>> {name: value.shape for name, value in inputs.items()}
        {'image': (3, 4, 4, 1), 'small': (3, 2, 2, 1)}
        """
        scales = self._scales(check_images(images, self.image_shape, self.levels))
        model, small = self.stages[stage], scales[stage - 1 : stage] if stage else []
        return join_inputs(model, scales[stage], given_values(model, len(images), labels, vectors, small))

    def _scales(self, x):
        """The images or masks of all stages, the smallest first: every k-th row and column, from the first one on."""
        factors = [scale_factors(self.image_shape, stage.image_shape[:2]) for stage in self.stages]
        return [x[:, ::rows, ::columns] for rows, columns in factors]

    # Likelihood

    def log_likelihood(self, images, labels=None, vectors=None, batch_size=128):
        """log p(x) of images, exact or a lower bound: see `likelihood_kind`.

        Args:
            images: integers 0..levels-1 (batch, height, width, colours).
            labels: integer, or one per image, for a model with `num_classes`.
            vectors: array (conditioning_dim,), or one per image, for a model with `conditioning_dim`.
            batch_size: int, how many at a time.

        Returns:
            float32 NumPy array (batch,) in nats.

        Raises:
            TypeError, ValueError: naming the argument that is wrong, missing or needless.
        """
        scales = self._scales(check_images(images, self.image_shape, self.levels))
        return sum(
            stage.log_likelihood(image, labels, vectors, small, batch_size)
            for stage, image, small in zip(self.stages, scales, [[], *([image] for image in scales)], strict=False)
        )

    def bits_per_dim(self, images, labels=None, vectors=None, batch_size=128):
        """-log2 p(x) for each value of an image; arguments as `log_likelihood`, float32 NumPy array (batch,)."""
        return bits_per_dim(-self.log_likelihood(images, labels, vectors, batch_size), self.image_shape)

    def log_probabilities(self, images, labels=None, vectors=None, batch_size=128):
        """What is expected of each value: log p(value = v | the values before it), for every v that it might take.

        Values come in the model's order: the smallest image, then what the next one adds. Those of the values that the
        images hold sum to `log_likelihood` where that is exact; where it is a lower bound, a smaller image's pixels are
        shown as they are predicted the last time.

        Args:
            images, labels, vectors, batch_size: as of `log_likelihood`.

        Returns:
            float32 NumPy array (batch, height, width, colours, levels) in nats.

        Raises:
            TypeError, ValueError: naming the argument that is wrong, missing or needless.
        """
        scales = self._scales(check_images(images, self.image_shape, self.levels))
        return ops.convert_to_numpy(
            self.merge(
                stage.log_probabilities(image, labels, vectors, small, batch_size)
                for stage, image, small in zip(self.stages, scales, [[], *([image] for image in scales)], strict=False)
            )
        )

    def merge(self, expected):
        """Put together what the stages expect: a pixel that is copied was expected by the stage that predicted it.

        Args:
            expected: log-probabilities (batch, height, width, colours, levels) of each stage's image.

        Returns:
            Those of the large image.
        """
        merged, *larger = expected
        for own in larger:
            merged = _with_copied(own, merged) if self._config["copy_known"] else own
        return merged

    # Sampling

    def generate(
        self,
        num_images=16,
        seed=0,
        temperature=1.0,
        top_k=None,
        top_p=None,
        labels=None,
        vectors=None,
        small=None,
        batch_size=128,
        jit_compile="auto",
        progress=None,
        return_log_likelihood=False,
    ):
        """Draw images: the smallest first, each further one given the one before.

        Args:
            num_images, seed, temperature, top_k, top_p: as of `pixel_zoo.sampling.generate`.
            labels, vectors: as of `log_likelihood`.
            small: integers 0..levels-1 (num_images, *small_shapes[0], colours), the smallest images, where they are
                given and not drawn; see `upscale`.
            batch_size, jit_compile, progress, return_log_likelihood: as of `pixel_zoo.sampling.generate`. The
                log-likelihood of what is drawn: log p(x | small) where small is given.

        Returns:
            As `PixelModel.generate`.

        Raises:
            ValueError, TypeError: naming the argument that is wrong, missing or needless, before any work.
        """
        positive_integer("num_images", num_images)
        seeds = check_seeds(seed, num_images)
        if small is not None:
            small = check_images(small, self.stages[0].image_shape, self.levels, name="small")
            if len(small) != num_images:
                raise ValueError(f"small must hold num_images={num_images} images, got {len(small)}")

        def draw(index, conditioning):
            return sampling.generate(
                self.stages[index],
                num_images,
                seeds,
                temperature,
                top_k,
                top_p,
                conditioning=conditioning,
                stream=index,
                batch_size=batch_size,
                jit_compile=jit_compile,
                progress=progress,
                return_log_likelihood=True,
            )

        images, nats = self._stage_by_stage(draw, num_images, labels, vectors, small)
        return (images, nats) if return_log_likelihood else images

    def upscale(
        self,
        small,
        seed=0,
        temperature=1.0,
        top_k=None,
        top_p=None,
        labels=None,
        vectors=None,
        batch_size=128,
        jit_compile="auto",
        progress=None,
        return_log_likelihood=False,
    ):
        """Draw a large image given each of the smallest ones: what `generate` does after its first stage.

        Args:
            small: integers 0..levels-1 (batch, *small_shapes[0], colours).
            seed, temperature, top_k, top_p, labels, vectors, batch_size, jit_compile, progress: as of `generate`.
            return_log_likelihood: bool, whether to return log p(x | small) too.

        Returns:
            As `generate`, an image for each small one.

        Raises:
            ValueError, TypeError: naming the argument that is wrong, missing or needless, before any work.
        """
        return self.generate(
            len(np.atleast_1d(small)),
            seed,
            temperature,
            top_k,
            top_p,
            labels,
            vectors,
            small,
            batch_size,
            jit_compile,
            progress,
            return_log_likelihood,
        )

    def complete(
        self,
        images,
        known,
        seed=0,
        temperature=1.0,
        top_k=None,
        top_p=None,
        labels=None,
        vectors=None,
        batch_size=128,
        jit_compile="auto",
        progress=None,
        return_log_likelihood=False,
    ):
        """Draw the unknown pixels of images, given the known ones before them in the model's order.

        That order is the smallest image in raster order, then the next one's: a pixel of the smallest image is drawn
        given only those of its known pixels that come before it.

        Args:
            images, known: as of `pixel_zoo.sampling.complete`.
            seed, temperature, top_k, top_p: as of `generate`.
            labels, vectors: as of `log_likelihood`.
            batch_size, jit_compile, progress, return_log_likelihood: as of `pixel_zoo.sampling.complete`.

        Returns:
            NumPy array of the images' shape, known pixels as they came; else as `generate`.

        Raises:
            ValueError, TypeError: naming the argument that is wrong, missing or needless, before any work.
        """
        images, known = check_partly_known(images, known, self.image_shape, self.levels)
        seeds, scales, masks = check_seeds(seed, len(images)), self._scales(images), self._scales(known)

        def draw(index, conditioning):
            return sampling.complete(
                self.stages[index],
                scales[index],
                masks[index],
                seeds,
                temperature,
                top_k,
                top_p,
                conditioning=conditioning,
                stream=index,
                batch_size=batch_size,
                jit_compile=jit_compile,
                progress=progress,
                return_log_likelihood=True,
            )

        images, nats = self._stage_by_stage(draw, len(images), labels, vectors)
        return (images, nats) if return_log_likelihood else images

    def _stage_by_stage(self, draw, count, labels, vectors, small=None):
        """The last stage's images, and the log-likelihoods of all that were drawn.

        Args:
            draw: maps (index of a stage, the values of its other inputs) to its images and their log-likelihoods.
            count: int, number of images.
            labels, vectors: as of `log_likelihood`.
            small: the first stage's images, or None if it draws them.
        """
        images, total = small, np.zeros(count, "float32")
        for index, stage in enumerate(self.stages):
            if index == 0 and small is not None:
                continue
            conditioning = given_values(stage, count, labels, vectors, [images] if index else [])
            images, nats = draw(index, conditioning)
            total = total + nats
        return images, total

    def get_config(self):
        return {"name": self.name, "trainable": self.trainable, **self._config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


@keras.saving.register_keras_serializable(package="pixel_zoo")
def negative_log_likelihood(images, log_likelihoods):
    """Nats of each image; a loss and a metric of models whose output is the log-likelihood."""
    return -log_likelihoods


@keras.saving.register_keras_serializable(package="pixel_zoo")
def negative_bits_per_dim(images, log_likelihoods):
    """Bits for each value of an image; a metric of models whose output is the log-likelihood."""
    return bits_per_dim(-log_likelihoods, images.shape[1:])


def _with_copied(large, small):
    """Values (batch, height, width, ...) of a large image, those of a small one in its place."""
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
