"""Gated PixelCNN."""

import keras

from pixel_zoo.checks import positive_integer
from pixel_zoo.layers import GatedActivation, GatedConv2D, PositionEmbedding, VerticalConv2D
from pixel_zoo.models.conditioning import Conditioning
from pixel_zoo.models.network import at_least_float32, check_dropout, check_image_shape, dtype_name, raster_network
from pixel_zoo.models.pixel_model import ConfiguredModel


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
        position_embedding: bool, whether the first layer of the vertical stack gets a learned bias for each place
            (`PositionEmbedding`), which the paper's has not. Without it, where the model does not see the image's
            upper, left and right edges, one place is like another.
        dtype: str, Keras dtype policy of the layers, or None for the global one; logits stay in float32.
        name: str or None.

    Input: integers 0..levels-1 (batch, height, width, colours); if it is given with more, a dictionary of `image` and
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
        image_shape=(28, 28, 1),
        levels=2,
        filters=32,
        num_blocks=7,
        head_filters=32,
        dropout=0.0,
        num_classes=None,
        conditioning_dim=None,
        small_shape=None,
        copy_known=True,
        position_embedding=False,
        dtype=None,
        name=None,
        **kwargs,
    ):
        image_shape, dropout = check_image_shape(image_shape), check_dropout(dropout)
        dtype = dtype_name(dtype)
        colours = image_shape[-1]
        positive_integer("filters", filters)
        conditioning = Conditioning(
            image_shape, levels, filters, num_classes, conditioning_dim, small_shape, copy_known, dtype
        )
        vertical = None

        def both_stacks(x, name, kernel_size, mask_type):
            """A layer of both stacks; the vertical one goes on by itself, what is returned is the horizontal one."""
            nonlocal vertical
            dtype_of_input = at_least_float32(dtype) if vertical is None else dtype
            above = VerticalConv2D(2 * filters, kernel_size, mask_type, dtype=dtype_of_input, name=f"{name}_vertical")
            bias = conditioning.bias(above.name, 2 * filters)
            if position_embedding and vertical is None:
                places = PositionEmbedding(2 * filters, dtype=dtype, name="positions")(x)
                bias = places if bias is None else places + bias
            above = above(x if vertical is None else vertical, bias=bias)
            vertical = GatedActivation(dtype=dtype, name=f"{name}_vertical_gate")(above)
            to_horizontal = VerticalConv2D(2 * filters, 1, "B", dtype=dtype, name=f"{name}_to_horizontal")
            above = to_horizontal(above, bias=conditioning.bias(to_horizontal.name, 2 * filters))
            horizontal = GatedConv2D(
                filters, (1, kernel_size), mask_type, colours=colours, dtype=dtype_of_input, name=f"{name}_horizontal"
            )
            return horizontal(x, bias=above)

        inputs, outputs = raster_network(
            image_shape,
            levels,
            filters,
            num_blocks,
            lambda x, name: both_stacks(x, name, 3, "B"),
            head_filters,
            residual=True,
            skip=True,
            dropout=dropout,
            conditioning=conditioning,
            dtype=dtype,
            first=lambda image: both_stacks(image, "first", 7, "A"),
        )
        config = {
            "image_shape": image_shape,
            "levels": levels,
            "filters": filters,
            "num_blocks": num_blocks,
            "head_filters": head_filters,
            "dropout": dropout,
            "num_classes": num_classes,
            "conditioning_dim": conditioning_dim,
            "small_shape": small_shape,
            "copy_known": copy_known,
            "position_embedding": position_embedding,
            "dtype": dtype,
        }
        super().__init__(inputs, outputs, config, name=name, **kwargs)
