"""Gated PixelCNN."""

from typing import Any

import keras

from pixel_zoo.layers import GatedActivation, GatedConv2D, VerticalConv2D
from pixel_zoo.models.network import Network, constructor_arguments
from pixel_zoo.models.pixel_model import ConfiguredModel


class TwoStacks:
    """The layers of both stacks, one after the other.

    Args:
        network: `Network` that they belong to.

    Attributes:
        vertical: the vertical stack's symbolic map, the input of its next layer; None before the first layer.
    """

    def __init__(self, network):
        self.network, self.vertical = network, None

    def layer(self, x, name, kernel_size, mask_type):
        """Add a layer to both stacks: from the horizontal stack's map to its next one."""
        config, filters = self.network.config, self.network.config.filters
        vertical = self._vertical_convolution(x, f"{name}_vertical", kernel_size, mask_type)
        self.vertical = GatedActivation(dtype=config.dtype, name=f"{name}_vertical_gate")(vertical)
        to_horizontal = VerticalConv2D(2 * filters, 1, "B", dtype=config.dtype, name=f"{name}_to_horizontal")
        above = to_horizontal(vertical, bias=self.network.bias(to_horizontal.name, 2 * filters))
        dtype = self.network.dtype(mask_type)
        options = {"colours": self.network.colours, "dtype": dtype, "name": f"{name}_horizontal"}
        return GatedConv2D(filters, (1, kernel_size), mask_type, **options)(x, bias=above)

    def _vertical_convolution(self, x, name, kernel_size, mask_type):
        """The vertical stack's convolution before its gate; the first one reads the image."""
        features = 2 * self.network.config.filters
        dtype = self.network.dtype(mask_type)
        convolution = VerticalConv2D(features, kernel_size, mask_type, dtype=dtype, name=name)
        bias = self.network.bias(name, features)
        if self.vertical is not None:
            return convolution(self.vertical, bias=bias)
        positions = self.network.positions(x, features)
        terms = [term for term in (positions, bias) if term is not None]
        return convolution(x, bias=sum(terms[1:], start=terms[0]) if terms else None)


@keras.saving.register_keras_serializable(package="pixel_zoo")
class GatedPixelCNN(ConfiguredModel):
    """Gated PixelCNN (van den Oord et al. 2016, *Conditional Image Generation with PixelCNN Decoders*, 1606.05328).

    Two stacks (section 2.2, figure 2): the vertical one sees the rows above, the horizontal one the row to the left and
    the vertical one; together they have no blind spot. Every layer is gated (equation 2):

    ```
    vertical:    v -> 3x3 (2p) ----------------> tanh * sigmoid (p)
                        |
                     1x1 (2p)
                        v
    horizontal:  h -> 1x3 mask B (2p) -> + ----> tanh * sigmoid (p) -> 1x1 (p) -> + h
    ```

    The first layer has 7x7 and 1x7 kernels under mask A and no residual connection. Skip connections lead from every
    horizontal layer to the output, as in PixelCNN.

    Args:
        image_shape: (height, width, colours).
        levels: int, number of values 0..levels-1 of a colour: 2 for binary images (one sigmoid), 256 in the paper.
        filters: int, p, features of both stacks.
        num_blocks: int, layers after the first.
        head_filters: int, maps of the two 1x1 convolutions before the logits.
        dropout: float in [0, 1), rate at which features of a horizontal layer are dropped in training.
        num_classes: int, labels 0..num_classes-1 that an image is given with, or None: p(x | label), section 2.3.
        conditioning_dim: int, length of a vector that an image is given with, or None: p(x | vector).
        small_shape: (height, width) of a small image that an image is given with, or None: p(x | small). It holds every
            k-th row and column, from the first one on; see `MultiScalePixelRNN`.
        copy_known: bool, whether the small image's pixels are copied, not predicted.
        position_embedding: bool, whether the first layer of the vertical stack gets a learned bias for each position
            (`PositionEmbedding`), which the paper's model lacks. Without it, where the model does not see the image's
            upper, left and right edges, all positions look alike.
        embedding_dim: int, length of a learned vector as which each value enters (`ValueEmbedding`), for values without
            an order, such as the codes of a VQ-VAE; None, as in the paper: a value enters as a number in [-1, 1].
        dtype: str, Keras dtype policy of the layers, or None for the global one; logits stay in float32.
        name: str or None.

    Input: integers 0..levels-1 (batch, height, width, colours); of a conditional model, a dictionary of `image` and
    `label` int (batch,), `vector` float32 (batch, conditioning_dim), `small` integers (batch, *small_shape, colours).
    Output: float32 logits (batch, height, width, colours, levels), or (batch, height, width, colours) for 2 levels.

    Raises:
        ValueError: naming the argument that is wrong.

    Example:
    >>> import numpy as np
    >>> model = GatedPixelCNN((8, 8, 1), levels=17, filters=8, num_blocks=2)
    >>> model(np.zeros((1, 8, 8, 1), "uint8")).shape[1:] == (8, 8, 1, 17)
    True
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        levels: int = 2,
        filters: int = 32,
        num_blocks: int = 7,
        head_filters: int = 32,
        dropout: float = 0.0,
        num_classes: int | None = None,
        conditioning_dim: int | None = None,
        small_shape: tuple[int, int] | None = None,
        copy_known: bool = True,
        position_embedding: bool = False,
        embedding_dim: int | None = None,
        dtype: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        config = constructor_arguments(locals())
        network = Network(config, width=filters, upsampled=filters)
        stacks = TwoStacks(network)
        inputs, outputs = network.connect(
            body=lambda _, x, name: stacks.layer(x, name, 3, "B"),
            first=lambda image: stacks.layer(image, "first", 7, "A"),
        )
        super().__init__(inputs, outputs, config, name=name, **kwargs)
