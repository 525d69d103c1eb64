"""What a model is given beside the image, and what its layers make of it."""

import keras
from keras import ops

from pixel_zoo.checks import positive_integer
from pixel_zoo.layers import CopyingLogits, Logits
from pixel_zoo.models.network import scaled
from pixel_zoo.stages import scale_factors


class Conditioning:
    """Inputs "label", "vector" and "small" of a model of p(x | them), and the biases that its layers make of them.

    ```
    bias of a layer = row of its embedding that belongs to the label + V * vector + 1x1 convolution of the small image
    ```

    Each conditioned layer has an embedding, V and 1x1 convolution of its own; label and vector are added at every
    position (van den Oord et al. 2016, *Conditional Image Generation with PixelCNN Decoders*, 1606.05328, section 2.3).
    A 3x3 convolution and a deconvolution, shared by all layers, upsample the small image (*Pixel Recurrent Neural
    Networks*, 1601.06759, section 3.6).

    Args:
        image_shape: (height, width, colours) of the image.
        levels: int, number of values that a colour takes.
        features: int, number of features that the small image is upsampled to.
        num_classes: int, how many labels there are, or None for a model that takes no label.
        conditioning_dim: int, length of the vector, or None for a model that takes no vector.
        small_shape: (height, width) of the small image, or None for a model that takes none.
        copy_known: bool, whether the pixels of the small image are copied into the large one, not predicted.
        dtype: str, dtype policy of the layers.

    Attributes:
        inputs: dictionary from name to symbolic input.

    Raises:
        ValueError: naming the argument that is wrong.
    """

    def __init__(self, image_shape, levels, features, num_classes, conditioning_dim, small_shape, copy_known, dtype):
        self.num_classes, self.dtype = num_classes, dtype
        self.inputs, self.known = {}, None
        if num_classes is not None:
            positive_integer("num_classes", num_classes)
            self.inputs["label"] = keras.Input((), dtype="int32", name="label")
        if conditioning_dim is not None:
            shape = (positive_integer("conditioning_dim", conditioning_dim),)
            self.inputs["vector"] = keras.Input(shape, dtype="float32", name="vector")
        if small_shape is not None:
            factors = scale_factors(image_shape, small_shape)
            small = keras.Input((*small_shape, image_shape[-1]), dtype="int32", name="small")
            self.inputs["small"] = small
            self.upsampled = self._upsample(small, levels, features, factors)
            self.known = _spread(small, factors) if copy_known else None

    def _upsample(self, small, levels, features, factors):
        x = scaled(small, levels, self.dtype, name="small_scale")
        # Neighbours are seen at the small size, where they cost nothing: so the deconvolution needs no overlaps.
        how = {"padding": "same", "activation": "relu", "dtype": self.dtype}
        x = keras.layers.Conv2D(features, 3, name="small_features", **how)(x)
        return keras.layers.Conv2DTranspose(features, factors, factors, name="small_upsample", **how)(x)

    def beside(self, image):
        """The inputs of the model: the symbolic image, or a dictionary by name if there are others."""
        return {"image": image, **self.inputs} if self.inputs else image

    def bias(self, name, features):
        """The bias of one layer.

        Args:
            name: str, of the layer.
            features: int, width of the map that the bias is added to.

        Returns:
            Symbolic map that broadcasts to (batch, height, width, features), or None if the model is given nothing.
        """
        terms = []
        if "label" in self.inputs:
            embed = keras.layers.Embedding(self.num_classes, features, dtype=self.dtype, name=f"{name}_label")
            terms.append(ops.reshape(embed(self.inputs["label"]), (-1, 1, 1, features)))
        if "vector" in self.inputs:
            project = keras.layers.Dense(features, use_bias=False, dtype=self.dtype, name=f"{name}_vector")
            terms.append(ops.reshape(project(self.inputs["vector"]), (-1, 1, 1, features)))
        if "small" in self.inputs:
            terms.append(keras.layers.Conv2D(features, 1, dtype=self.dtype, name=f"{name}_small")(self.upsampled))
        return sum(terms[1:], start=terms[0]) if terms else None

    def logits(self, x, levels, colours, dtype):
        """The symbolic logits of features x, certain of what is copied."""
        arguments = {"levels": levels, "colours": colours, "dtype": dtype, "name": "logits"}
        return Logits(**arguments)(x) if self.known is None else CopyingLogits(**arguments)(x, bias=self.known)


def _spread(small, factors):
    """The small image's values where they stand in the large one, (batch, height, width, colours); elsewhere -1."""
    _, height, width, colours = small.shape
    rows, columns = factors
    x = ops.reshape(small, (-1, height, 1, width, 1, colours))
    x = ops.pad(x, [[0, 0], [0, 0], [0, rows - 1], [0, 0], [0, columns - 1], [0, 0]], constant_values=-1)
    return ops.reshape(x, (-1, height * rows, width * columns, colours))
