"""What all models share: likelihood, training defaults, sampling."""

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend, sampling
from pixel_zoo.arguments import check_images
from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import image_input, image_of, join_inputs
from pixel_zoo.likelihoods import (
    BitsPerDim,
    Nats,
    NegativeLogLikelihood,
    bits_per_dim,
    likelihood_of_logits,
    log_likelihood,
    log_probabilities,
)
from pixel_zoo.models.conditioning import given_values
from pixel_zoo.models.likelihood_training import LikelihoodTraining
from pixel_zoo.sampling.raster_graph import RasterGraph


@keras.saving.register_keras_serializable(package="pixel_zoo")
class PixelModel(LikelihoodTraining, keras.Model):
    """A functional model of raster layers with an exact likelihood (van den Oord et al. 2016, equations 1 and 2).

    p(x) is the product over pixels in raster order, and inside a pixel over colours, of p(value | values before).

    Any graph of `pixel_zoo.layers` and pointwise Keras layers gets likelihoods, training defaults, sampling and
    completion by being wrapped in it.

    Args:
        inputs: symbolic integer images (height, width, colours); or a list or dictionary of them, then named "image",
            and of what they are given with: p(x | the other inputs).
        outputs: symbolic logits (height, width, colours, levels), or (height, width, colours) for binary images.

    Raises:
        ValueError: if a layer is neither a raster layer nor pointwise, or the logits depend on what they predict. The
            error names the layer and says what to use instead.

    Example:
    >>> image = keras.Input((8, 8, 1), dtype="int32", name="image")
    >>> x = keras.layers.Rescaling(2.0, -1.0)(image)
    >>> x = pz.layers.MaskedConv2D(8, 5, "A")(x)
    >>> model = PixelModel(image, pz.layers.Logits(2)(keras.layers.ReLU()(x)))
    >>> model.generate(num_images=2).shape
    (2, 8, 8, 1)
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        RasterGraph(self)  # refuses layers that are not causal or cannot be sampled

    @property
    def image_shape(self):
        """(height, width, colours)."""
        return tuple(image_input(self).shape[1:])

    @property
    def levels(self):
        """How many values a colour of a pixel takes."""
        return likelihood_of_logits(self.outputs[0].shape).levels

    #: What `log_likelihood` is: log p(x) itself, or a lower bound of it.
    likelihood_kind = "exact"

    @property
    def num_classes(self):
        """How many labels an image may be given with, or None for a model that takes no label."""
        return None

    @property
    def conditioning_dim(self):
        """The length of the vector that an image is given with, or None for a model that takes no vector."""
        return None

    # Training

    def default_loss(self):
        return NegativeLogLikelihood()

    def default_metrics(self):
        return [Nats(), BitsPerDim()]

    def _target(self, x):
        """The images are their own targets."""
        return image_of(self, x)

    # Likelihood

    def log_likelihood(self, images, labels=None, vectors=None, conditioning=(), batch_size=128):
        """Exact log-likelihood of images, log p(x); log p(x | label) for a class-conditional model.

        Args:
            images: integers 0..levels-1 (batch, height, width, colours).
            labels: integer, or one per image, for a model with `num_classes`.
            vectors: array (conditioning_dim,), or one per image, for a model with `conditioning_dim`.
            conditioning: the model's inputs beside these, in their order, one array each with an entry per image.
            batch_size: int, how many at a time.

        Returns:
            float32 NumPy array (batch,) in nats.

        Raises:
            TypeError, ValueError: naming the argument that is wrong, missing or needless.
        """
        return self._in_batches(log_likelihood, images, labels, vectors, conditioning, batch_size)

    def log_probabilities(self, images, labels=None, vectors=None, conditioning=(), batch_size=128):
        """What is expected of each value: log p(value = v | the values before it), for every v that it might take.

        Those of the values that the images hold sum to `log_likelihood`.

        Args:
            images, labels, vectors, conditioning, batch_size: as of `log_likelihood`.

        Returns:
            float32 NumPy array (batch, height, width, colours, levels) in nats.

        Raises:
            TypeError, ValueError: naming the argument that is wrong, missing or needless.
        """
        return self._in_batches(_expected, images, labels, vectors, conditioning, batch_size)

    def _in_batches(self, function, images, labels, vectors, conditioning, batch_size):
        """A function of (images, logits) of all images, as a NumPy array."""
        images = check_images(images, self.image_shape, self.levels)
        given = given_values(self, len(images), labels, vectors, conditioning)
        positive_integer("batch_size", batch_size)
        compiled = self._compiled(function)
        return np.concatenate(
            [
                _of_batch(compiled, *(values[i : i + batch_size] for values in (images.astype("int32"), *given)))
                for i in range(0, len(images), batch_size)
            ]
        )

    def _compiled(self, function):
        """A function of (images, logits) as one of images and what they are given with, kept with the model."""
        kept = self.__dict__.setdefault("_pixel_zoo_compiled", {})
        if function not in kept:

            def run(images, *given):
                return function(images, self(join_inputs(self, images, given), training=False))

            kept[function] = backend.compiled(run, self.variables)
        return kept[function]

    def bits_per_dim(self, images, labels=None, vectors=None, conditioning=(), batch_size=128):
        """-log2 p(x) for each value of an image; arguments as `log_likelihood`, float32 NumPy array (batch,)."""
        nats = -self.log_likelihood(images, labels, vectors, conditioning, batch_size)
        return bits_per_dim(nats, self.image_shape)

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
        conditioning=(),
        batch_size=128,
        jit_compile="auto",
        progress=None,
        return_log_likelihood=False,
    ):
        """Draw images, pixel by pixel and exactly.

        Args:
            num_images, seed, temperature, top_k, top_p: as of `pixel_zoo.sampling.generate`.
            labels, vectors, conditioning: as of `log_likelihood`: what the images are given with.
            batch_size, jit_compile, progress, return_log_likelihood: as of `pixel_zoo.sampling.generate`.

        Returns:
            NumPy array (num_images, height, width, colours), uint8 for up to 256 levels, else int32. With
            `return_log_likelihood`, a pair of it and a float32 NumPy array (num_images,) of nats.

        Raises:
            ValueError, TypeError: naming the argument that is wrong, missing or needless, before any work.
        """
        positive_integer("num_images", num_images)
        return sampling.generate(
            self,
            num_images,
            seed,
            temperature,
            top_k,
            top_p,
            conditioning=given_values(self, num_images, labels, vectors, conditioning),
            batch_size=batch_size,
            jit_compile=jit_compile,
            progress=progress,
            return_log_likelihood=return_log_likelihood,
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
        conditioning=(),
        batch_size=128,
        jit_compile="auto",
        progress=None,
        return_log_likelihood=False,
    ):
        """Draw the unknown pixels of images, given the known ones before them in raster order.

        Args:
            images, known: as of `pixel_zoo.sampling.complete`.
            seed, temperature, top_k, top_p: as of `generate`.
            labels, vectors, conditioning: as of `log_likelihood`: what the images are given with.
            batch_size, jit_compile, progress, return_log_likelihood: as of `pixel_zoo.sampling.complete`.

        Returns:
            NumPy array of the images' shape, known pixels as they came; else as `generate`.

        Raises:
            ValueError, TypeError: naming the argument that is wrong, missing or needless, before any work.
        """
        return sampling.complete(
            self,
            images,
            known,
            seed,
            temperature,
            top_k,
            top_p,
            conditioning=given_values(self, len(np.atleast_1d(images)), labels, vectors, conditioning),
            batch_size=batch_size,
            jit_compile=jit_compile,
            progress=progress,
            return_log_likelihood=return_log_likelihood,
        )


def _expected(images, logits):
    return log_probabilities(logits)


def _of_batch(function, *values):
    """A compiled function of arrays; it sees a power of two of images, so that there are few sizes to compile for."""
    count = len(values[0])
    size = 1 << (count - 1).bit_length()
    padded = [np.resize(value, (size, *value.shape[1:])) for value in values]
    return ops.convert_to_numpy(function(*padded))[:count]


class ConfiguredModel(PixelModel):
    """A `PixelModel` that is rebuilt from its own few arguments, `config`, not from the graph they made."""

    def __init__(self, inputs, outputs, config, name=None, **kwargs):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self._config = config

    @property
    def num_classes(self):
        return self._config.get("num_classes")

    @property
    def conditioning_dim(self):
        return self._config.get("conditioning_dim")

    def get_config(self):
        return {"name": self.name, "trainable": self.trainable, **self._config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
