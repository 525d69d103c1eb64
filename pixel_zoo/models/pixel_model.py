"""What all models share: likelihood, training defaults, sampling."""

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend, sampling
from pixel_zoo.likelihoods import (
    BitsPerDim,
    Nats,
    NegativeLogLikelihood,
    bits_per_dim,
    likelihood_of_logits,
    log_likelihood,
)
from pixel_zoo.sampling.arguments import check_count, check_images


@keras.saving.register_keras_serializable(package="pixel_zoo")
class PixelModel(keras.Model):
    """A functional model of raster layers with an exact likelihood (van den Oord et al. 2016, equations 1 and 2).

    p(x) is the product over pixels in raster order, and inside a pixel over colours, of p(value | values before).

    Any graph of `pixel_zoo.layers` and pointwise Keras layers gets likelihoods, training defaults, sampling and
    completion by being wrapped in it.

    Args:
        inputs: symbolic integer images (height, width, colours).
        outputs: symbolic logits (height, width, colours, levels), or (height, width, colours) for binary images.

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

    @property
    def image_shape(self):
        """(height, width, colours)."""
        return tuple(self.inputs[0].shape[1:])

    @property
    def levels(self):
        """How many values a colour of a pixel takes."""
        return likelihood_of_logits(self.outputs[0].shape).levels

    # Training

    def compile(self, optimizer="adam", loss="nats", metrics="default", **kwargs):
        """As in Keras, with defaults that train: loss -log p(x) in nats per image, metrics nats and bits/dim."""
        loss = NegativeLogLikelihood() if loss == "nats" else loss
        metrics = [Nats(), BitsPerDim()] if metrics == "default" else metrics
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def compile_from_config(self, config):
        """What `load_model` calls: Keras leaves models with a `compile` of their own to do this themselves."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y = self._target(x, y)
        return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, self._target(x, y), y_pred, sample_weight=sample_weight)

    def _target(self, x, y):
        """The images are their own targets."""
        return x if y is None else y

    # Likelihood

    def log_likelihood(self, images, batch_size=128):
        """Exact log-likelihood of images.

        Args:
            images: integers 0..levels-1 (batch, height, width, colours).
            batch_size: int, how many at a time.

        Returns:
            float32 NumPy array (batch,) in nats.

        Raises:
            TypeError, ValueError: if the images' dtype, shape or values are wrong.
        """
        images = check_images(images, self.image_shape, self.levels)
        check_count("batch_size", batch_size)
        if "_pixel_zoo_score" not in self.__dict__:
            self.__dict__["_pixel_zoo_score"] = backend.compiled(self._score, self.variables)
        return np.concatenate(
            [self._score_batch(images[i : i + batch_size]) for i in range(0, len(images), batch_size)]
        )

    def _score(self, images):
        return log_likelihood(images, self(images, training=False))

    def _score_batch(self, images):
        # A power of two of images: few sizes to compile for.
        size = 1 << (len(images) - 1).bit_length()
        padded = np.resize(images.astype("int32"), (size, *images.shape[1:]))
        return ops.convert_to_numpy(self.__dict__["_pixel_zoo_score"](padded))[: len(images)]

    def bits_per_dim(self, images, batch_size=128):
        """-log2 p(x) for each value of an image; arguments as `log_likelihood`, float32 NumPy array (batch,)."""
        return bits_per_dim(-self.log_likelihood(images, batch_size), self.image_shape)

    # Sampling

    def generate(self, num_images=16, seed=0, temperature=1.0, top_k=None, top_p=None, **options):
        """Draw images: see `pixel_zoo.sampling.generate`, also for the options."""
        return sampling.generate(self, num_images, seed, temperature, top_k, top_p, **options)

    def complete(self, images, known, seed=0, temperature=1.0, top_k=None, top_p=None, **options):
        """Draw the unknown pixels of images: see `pixel_zoo.sampling.complete`, also for the options."""
        return sampling.complete(self, images, known, seed, temperature, top_k, top_p, **options)


class ConfiguredModel(PixelModel):
    """A `PixelModel` that is rebuilt from its own few arguments, `config`, not from the graph they made."""

    def __init__(self, inputs, outputs, config, name=None, **kwargs):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self._config = config

    def get_config(self):
        return {"name": self.name, "trainable": self.trainable, **self._config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
