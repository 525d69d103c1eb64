"""What a model is given beside the image, and what its layers make of it."""

import keras

from pixel_zoo.layers.checks import positive_integer


class Conditioning:
    """Inputs "label" and "vector" of a model of p(x | label, vector), and the biases that its layers make of them.

    ```
    bias of a layer = row of its embedding that belongs to the label + V * vector
    ```

    The same at every position, for each conditioned layer with weights of its own (van den Oord et al. 2016,
    *Conditional Image Generation with PixelCNN Decoders*, 1606.05328, section 2.3, equation 4).

    Args:
        num_classes: int, how many labels there are, or None for a model that takes no label.
        conditioning_dim: int, length of the vector, or None for a model that takes no vector.
        dtype: str, dtype policy of the layers.

    Attributes:
        inputs: dictionary from name to symbolic input.
    """

    def __init__(self, num_classes, conditioning_dim, dtype):
        self.num_classes, self.dtype = num_classes, dtype
        self.inputs = {}
        if num_classes is not None:
            positive_integer("num_classes", num_classes)
            self.inputs["label"] = keras.Input((), dtype="int32", name="label")
        if conditioning_dim is not None:
            shape = (positive_integer("conditioning_dim", conditioning_dim),)
            self.inputs["vector"] = keras.Input(shape, dtype="float32", name="vector")

    def beside(self, image):
        """The inputs of the model: the symbolic image, or a dictionary by name if there are others."""
        return {"image": image, **self.inputs} if self.inputs else image

    def bias(self, name, features):
        """The bias of one layer.

        Args:
            name: str, of the layer.
            features: int, width of the map that the bias is added to.

        Returns:
            Symbolic map (batch, 1, 1, features), or None if the model is given nothing.
        """
        terms = []
        if "label" in self.inputs:
            embed = keras.layers.Embedding(self.num_classes, features, dtype=self.dtype, name=f"{name}_label")
            terms.append(embed(self.inputs["label"]))
        if "vector" in self.inputs:
            project = keras.layers.Dense(features, use_bias=False, dtype=self.dtype, name=f"{name}_vector")
            terms.append(project(self.inputs["vector"]))
        if not terms:
            return None
        total = terms[0] if len(terms) == 1 else keras.layers.Add(dtype=self.dtype, name=f"{name}_given")(terms)
        return keras.layers.Reshape((1, 1, features), dtype=self.dtype, name=f"{name}_bias")(total)
