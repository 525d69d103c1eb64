"""The structure that all architectures of the paper share (van den Oord et al. 2016, table 1)."""

import types
from collections.abc import Callable

import keras

from pixel_zoo.layers import MaskedConv2D, PositionEmbedding
from pixel_zoo.models.arguments import CHECKS
from pixel_zoo.models.conditioning import Conditioning, at_least_float32, entered
from pixel_zoo.types import Structure, Tensor


def constructor_arguments(variables):
    """The arguments of a model's constructor, checked: what the model is rebuilt from.

    Args:
        variables: what `locals()` returns on the constructor's first line.

    Returns:
        Dictionary from name to value, without `name` and Keras's own arguments.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    config = {name: value for name, value in variables.items() if name not in ("self", "name", "kwargs", "__class__")}
    return {name: CHECKS[name](name, value) if name in CHECKS else value for name, value in config.items()}


class Network:
    """Makes and connects the layers of a model.

    ```
    image -> scale or embed -> 7x7 convolution, mask A -> blocks -> 2 x (ReLU, 1x1 convolution) -> ReLU, logits
    block: x -> body -> 1x1 convolution -> + x (residual)
    ```

    Values are scaled to [-1, 1], or embedded as vectors of length `embedding_dim`. With `skip`, a 1x1 convolution of
    every block's body is also added to the input of the head.

    Args:
        config: dictionary from `constructor_arguments`. Of an architecture that has no option `residual` or `skip`,
            blocks add to their input and are connected to the output.
        width: int, features of the maps between blocks: 2h.
        upsampled: int, features of the small image's upsampled map.

    Attributes:
        config: namespace of the constructor's arguments.
        colours: int, number of colour channels of the image.
        conditioning: `Conditioning`, the conditions of the model.
    """

    def __init__(self, config, width, upsampled):
        self.config = types.SimpleNamespace(**{"residual": True, "skip": True} | config)
        self.colours = self.config.image_shape[-1]
        self.width = width
        self.conditioning = Conditioning(self.config, upsampled)

    def convolution(self, x, filters, name, kernel_size=1, mask_type="B", bias=None):
        """A masked convolution of x; `bias` is a map that is added to it."""
        options = {"colours": self.colours, "dtype": self.dtype(mask_type), "name": name}
        return MaskedConv2D(filters, kernel_size, mask_type, **options)(x, bias=bias)

    def dtype(self, mask_type):
        """The dtype policy of a layer: one of mask A reads the image's values, which half precision would merge."""
        return at_least_float32(self.config.dtype) if mask_type == "A" else self.config.dtype

    def relu(self, x, name):
        return keras.layers.ReLU(dtype=self.config.dtype, name=name)(x)

    def bias(self, name, features):
        """What the conditions add to the map of a layer, or None if there are none; see `Conditioning.bias`."""
        return self.conditioning.bias(name, features)

    def positions(self, x, features):
        """A learned bias for each position, or None without `position_embedding`."""
        if not self.config.position_embedding:
            return None
        return PositionEmbedding(features, dtype=self.config.dtype, name="positions")(x)

    def connect(self, body: Callable, first: Callable | None = None) -> tuple[Structure, Tensor]:
        """Connect all layers.

        Args:
            body: maps (network, symbolic map, name of the block) to the block's h features.
            first: maps the scaled or embedded image to the input of the first block, instead of the 7x7 convolution.

        Returns:
            (inputs, outputs): the symbolic image, or a dictionary of it and its conditions; the symbolic logits.
        """
        image = keras.Input(self.config.image_shape, dtype="int32", name="image")
        x = (first or self._first)(entered(image, self.config))
        skips = []
        for block in range(1, self.config.num_blocks + 1):
            x, skip = self._block(x, body, f"block{block}")
            skips += skip
        if skips:
            x = keras.layers.Add(dtype=self.config.dtype, name="skips")([x, *skips])
        for layer in (1, 2):
            x = self.convolution(self.relu(x, f"head{layer}_relu"), self.config.head_filters, f"head{layer}")
        x = self.relu(x, "logits_relu")
        return self.conditioning.beside(image), self.conditioning.logits(x)

    def _first(self, x):
        return self.convolution(x, self.width, "first", 7, "A", bias=self.positions(x, self.width))

    def _block(self, x, body, name):
        """The output of a block, and a list of what it adds to the head."""
        y = body(self, x, name)
        if self.config.dropout:
            y = keras.layers.Dropout(self.config.dropout, dtype=self.config.dtype, name=f"{name}_dropout")(y)
        skip = [self.convolution(y, self.width, f"{name}_skip")] if self.config.skip else []
        y = self.convolution(y, self.width, f"{name}_up")
        return keras.layers.Add(dtype=self.config.dtype, name=f"{name}_add")(
            [x, y]
        ) if self.config.residual else y, skip
