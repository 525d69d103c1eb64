"""The conditions of a model, and the biases that its layers compute from them."""

import keras
from keras import ops

from pixel_zoo.layers import CopyingLogits, Logits, ValueEmbedding
from pixel_zoo.stages import scale_factors


class Conditioning:
    """Inputs "label", "vector" and "small" of a model of p(x | them), and the biases that its layers compute from them.

    ```
    bias of a layer = row of its embedding that belongs to the label + V * vector + 1x1 convolution of the small image
    ```

    Each conditioned layer has an embedding, V and 1x1 convolution of its own; label and vector are added at every
    position (van den Oord et al. 2016, *Conditional Image Generation with PixelCNN Decoders*, 1606.05328, section 2.3).
    A 3x3 convolution and a deconvolution, shared by all layers, upsample the small image (*Pixel Recurrent Neural
    Networks*, 1601.06759, section 3.6).

    Args:
        config: namespace of the arguments of a model's constructor, of which `num_classes`, `conditioning_dim` and
            `small_shape` say which inputs there are; see `pixel_zoo.models.PixelCNN`. `embedding_dim` applies to the
            small image too.
        features: int, number of features that the small image is upsampled to.

    Attributes:
        inputs: dictionary from name to symbolic input.

    Raises:
        ValueError: `small_shape` does not divide the image's height and width.
    """

    def __init__(self, config, features):
        self.config, self.inputs, self.known = config, {}, None
        if config.num_classes is not None:
            self.inputs["label"] = keras.Input((), dtype="int32", name="label")
        if config.conditioning_dim is not None:
            self.inputs["vector"] = keras.Input((config.conditioning_dim,), dtype="float32", name="vector")
        if config.small_shape is not None:
            factors = scale_factors(config.image_shape, config.small_shape)
            small = keras.Input((*config.small_shape, config.image_shape[-1]), dtype="int32", name="small")
            self.inputs["small"] = small
            self.upsampled = self._upsample(small, features, factors)
            self.known = _at_full_size(small, factors) if config.copy_known else None

    def _upsample(self, small, features, factors):
        x = entered(small, self.config, prefix="small_")
        # Neighbours are read at the small size, where that is cheap, so the deconvolution needs no overlaps.
        options = {"padding": "same", "activation": "relu"}
        read, dtype = at_least_float32(self.config.dtype), self.config.dtype
        x = keras.layers.Conv2D(features, 3, name="small_features", dtype=read, **options)(x)
        return keras.layers.Conv2DTranspose(features, factors, factors, name="small_upsample", dtype=dtype, **options)(
            x
        )

    def beside(self, image):
        """The inputs of the model: the symbolic image, or a dictionary by name if there are others."""
        return {"image": image, **self.inputs} if self.inputs else image

    def bias(self, name, features):
        """The bias of one layer.

        Args:
            name: str, of the layer.
            features: int, width of the map that the bias is added to.

        Returns:
            Symbolic map that broadcasts to (batch, height, width, features), or None for an unconditional model.
        """
        terms, dtype = [], self.config.dtype
        if "label" in self.inputs:
            embed = keras.layers.Embedding(self.config.num_classes, features, dtype=dtype, name=f"{name}_label")
            terms.append(ops.reshape(embed(self.inputs["label"]), (-1, 1, 1, features)))
        if "vector" in self.inputs:
            project = keras.layers.Dense(features, use_bias=False, dtype=dtype, name=f"{name}_vector")
            terms.append(ops.reshape(project(self.inputs["vector"]), (-1, 1, 1, features)))
        if "small" in self.inputs:
            terms.append(keras.layers.Conv2D(features, 1, dtype=dtype, name=f"{name}_small")(self.upsampled))
        return sum(terms[1:], start=terms[0]) if terms else None

    def logits(self, x):
        """The symbolic logits of features x, with all probability on copied values; in float32 under a mixed policy."""
        dtype = "float32" if self.config.dtype.startswith("mixed") else self.config.dtype
        options = {"colours": self.config.image_shape[-1], "dtype": dtype, "name": "logits"}
        if self.known is None:
            return Logits(self.config.levels, **options)(x)
        return CopyingLogits(self.config.levels, **options)(x, known=self.known)


def entered(image, config, prefix=""):
    """The features with which a symbolic integer image enters a network, in at least float32.

    Args:
        image: symbolic integers 0..levels-1.
        config: namespace of a model's arguments. With an `embedding_dim`, each value becomes a learned vector of that
            length; else it is scaled to [-1, 1].
        prefix: str, put before the name of the layer, "scale" or "embedding".
    """
    dtype = at_least_float32(config.dtype)
    if config.embedding_dim is None:
        return keras.layers.Rescaling(2 / (config.levels - 1), offset=-1.0, dtype=dtype, name=f"{prefix}scale")(image)
    embedding = {"colours": image.shape[-1], "dtype": dtype, "name": f"{prefix}embedding"}
    return ValueEmbedding(config.levels, config.embedding_dim, **embedding)(image)


def at_least_float32(dtype: str | keras.DTypePolicy) -> str | keras.DTypePolicy:
    """The dtype policy of layers that read the image's values: half precision would merge neighbouring levels."""
    return dtype if keras.dtype_policies.get(dtype).compute_dtype == "float64" else "float32"


def _at_full_size(small, factors):
    """The small image's values at their positions in the large one, (batch, height, width, colours); elsewhere -1."""
    _, height, width, colours = small.shape
    rows, columns = factors
    x = ops.reshape(small, (-1, height, 1, width, 1, colours))
    x = ops.pad(x, [[0, 0], [0, 0], [0, rows - 1], [0, 0], [0, columns - 1], [0, 0]], constant_values=-1)
    return ops.reshape(x, (-1, height * rows, width * columns, colours))
