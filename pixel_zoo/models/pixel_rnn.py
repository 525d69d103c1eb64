"""PixelRNN: Row LSTM and Diagonal BiLSTM."""

from typing import Any

import keras

from pixel_zoo.layers import DiagonalBiLSTM, RowLSTM
from pixel_zoo.models.network import Network, constructor_arguments
from pixel_zoo.models.pixel_model import ConfiguredModel

RECURRENCES = {"row": RowLSTM, "diagonal": DiagonalBiLSTM}


def block(network, x, name):
    """The body of a residual block: x (2h) -> LSTM (h)."""
    config = network.config
    recurrence = RECURRENCES[config.recurrence]
    lstm = recurrence(config.units, colours=network.colours, dtype=config.dtype, name=f"{name}_lstm")
    return lstm(x, bias=network.bias(lstm.name, lstm.input_to_state.filters))


@keras.saving.register_keras_serializable(package="pixel_zoo")
class PixelRNN(ConfiguredModel):
    """PixelRNN with Row LSTM or Diagonal BiLSTM layers (van den Oord et al. 2016, sections 3.1 to 3.3 and table 1).

    ```
    block: x (2h) -> LSTM (h) -> 1x1 (2h) -> + x
    ```

    Args:
        image_shape: (height, width, colours).
        levels: int, number of values 0..levels-1 of a colour: 2 for binary images (one sigmoid), 256 in the paper.
        recurrence: "row" (a pixel sees a triangle above it) or "diagonal" (it sees all pixels before it, except the
            last one of the row above where that is out of reach of the first layer: see `DiagonalBiLSTM`).
        units: int, h; 16 for MNIST and 128 for CIFAR-10 in the paper.
        num_blocks: int, LSTM layers: 7 for MNIST, 12 for CIFAR-10.
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
            which the paper's model lacks.
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
    >>> model = PixelRNN((8, 8, 3), levels=256, recurrence="row", units=6, num_blocks=2)
    >>> model(np.zeros((1, 8, 8, 3), "uint8")).shape[1:] == (8, 8, 3, 256)
    True
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        levels: int = 2,
        recurrence: str = "diagonal",
        units: int = 16,
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
        if recurrence not in RECURRENCES:
            raise ValueError(f"recurrence must be one of {', '.join(map(repr, RECURRENCES))}, got {recurrence!r}")
        network = Network(config, width=2 * units, upsampled=units)
        super().__init__(*network.connect(block), config, name=name, **kwargs)
