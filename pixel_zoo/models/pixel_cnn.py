"""PixelCNN."""

from typing import Any

import keras

from pixel_zoo.models.network import Network, constructor_arguments
from pixel_zoo.models.pixel_model import ConfiguredModel


def block(network, x, name):
    """The body of a residual block: x (2h) -> ReLU, 1x1 (h) -> ReLU, 3x3 mask B (h) -> ReLU."""
    filters = network.config.filters
    x = network.convolution(network.relu(x, f"{name}_relu"), filters, f"{name}_down")
    x = network.relu(x, f"{name}_down_relu")
    x = network.convolution(x, filters, f"{name}_conv", 3, bias=network.bias(f"{name}_conv", filters))
    return network.relu(x, f"{name}_conv_relu")


@keras.saving.register_keras_serializable(package="pixel_zoo")
class PixelCNN(ConfiguredModel):
    """PixelCNN (van den Oord et al. 2016, sections 3.3 to 3.6 and table 1).

    ```
    block: x (2h) -> ReLU, 1x1 (h) -> ReLU, 3x3 mask B (h) -> ReLU, 1x1 (2h) -> + x
    ```

    Fast to train; sees a bounded field, and not the blind spot to the upper right (see Gated PixelCNN, 1606.05328).

    Args:
        image_shape: (height, width, colours).
        levels: int, number of values 0..levels-1 of a colour: 2 for binary images (one sigmoid), 256 in the paper.
        filters: int, h.
        num_blocks: int, residual blocks; 15 with h = 128 for CIFAR-10 in the paper.
        head_filters: int, maps of the two 1x1 convolutions before the logits: 32 for MNIST, 1024 for CIFAR-10.
        residual: bool, whether blocks add to their input.
        skip: bool, whether every block is connected to the output.
        dropout: float in [0, 1), rate at which features of a block are dropped in training.
        num_classes: int, labels 0..num_classes-1 that an image is given with, or None: p(x | label), see 1606.05328.
        conditioning_dim: int, length of a vector that an image is given with, or None: p(x | vector).
        small_shape: (height, width) of a small image that an image is given with, or None: p(x | small). It holds every
            k-th row and column, from the first one on; see `MultiScalePixelRNN`.
        copy_known: bool, whether the small image's pixels are copied, not predicted.
        position_embedding: bool, whether the first layer gets a learned bias for each position (`PositionEmbedding`),
            which the paper's model lacks. Without it, where the model does not see the image's upper, left and right
            edges, all positions look alike.
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
    >>> model = PixelCNN((8, 8, 1), levels=17, filters=8, num_blocks=2)
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
        residual: bool = True,
        skip: bool = True,
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
        network = Network(config, width=2 * filters, upsampled=filters)
        super().__init__(*network.connect(block), config, name=name, **kwargs)
