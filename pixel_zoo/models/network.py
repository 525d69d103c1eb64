"""The frame that all architectures of the paper share (van den Oord et al. 2016, table 1)."""

import keras

from pixel_zoo.checks import positive_integer
from pixel_zoo.layers import MaskedConv2D, PositionEmbedding


def check_image_shape(image_shape):
    """Return (height, width, colours) as a tuple of ints, or raise a ValueError that says what is wrong."""
    shape = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    if len(shape) != 3:
        raise ValueError(f"image_shape must be (height, width, colours), got {image_shape!r}")
    return tuple(positive_integer(f"image_shape[{axis}]", size) for axis, size in enumerate(shape))


def check_levels(levels):
    """Return the number of levels, or raise a ValueError unless it is an integer of at least 2."""
    if positive_integer("levels", levels) < 2:
        raise ValueError(f"levels must be an integer of at least 2, got {levels!r}")
    return int(levels)


def check_dropout(dropout):
    """Return the dropout rate, or raise a ValueError unless it lies in [0, 1)."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1), got {dropout!r}")
    return float(dropout)


def dtype_name(dtype):
    """The name of a dtype policy; None stands for the global one."""
    return keras.dtype_policies.get(dtype or keras.config.dtype_policy()).name


def scaled(image, levels, dtype, name):
    """The symbolic integer image with its values 0..levels-1 scaled to [-1, 1], in at least float32."""
    scale = 2 / (check_levels(levels) - 1)
    return keras.layers.Rescaling(scale, offset=-1.0, dtype=at_least_float32(dtype), name=name)(image)


def at_least_float32(dtype):
    """The dtype policy of layers that read the image's values: half precision would merge neighbouring levels."""
    return dtype if keras.dtype_policies.get(dtype).compute_dtype == "float64" else "float32"


def raster_network(
    image_shape,
    levels,
    features,
    num_blocks,
    body,
    head_filters,
    residual,
    skip,
    dropout,
    conditioning,
    dtype,
    position_embedding=False,
    first=None,
):
    """Connect the layers of a model: 7x7 mask A, blocks, head, logits.

    ```
    image -> scale to [-1, 1] -> 7x7 convolution, mask A -> blocks -> 2 x (ReLU, 1x1 convolution) -> ReLU, logits
    block: x -> body -> 1x1 convolution -> + x (residual)
    ```

    With `skip`, a 1x1 convolution of every block's body is also added to what enters the head.

    Args:
        image_shape: (height, width, colours).
        levels: int, number of values that a colour takes.
        features: int, width of the maps between blocks: 2h.
        num_blocks: int.
        body: maps (symbolic map, name of the block) to the block's h features.
        head_filters: int, width of the two 1x1 convolutions before the logits.
        residual: bool, whether a block adds to its input.
        skip: bool, whether blocks are connected to the output.
        dropout: float, rate at which a body's features are dropped in training.
        conditioning: `Conditioning`, what the model is given beside the image.
        dtype: str, dtype policy of the layers.
        position_embedding: bool, whether the 7x7 convolution gets a learned bias for each place.
        first: maps the scaled image to what enters the first block, instead of the 7x7 convolution.

    Returns:
        (inputs, outputs): the symbolic image, or a dictionary of it and what it is given with; the symbolic logits.
    """
    colours, levels = image_shape[-1], check_levels(levels)

    def convolution(filters, name, kernel_size=1, mask_type="B", dtype=dtype):
        return MaskedConv2D(filters, kernel_size, mask_type, colours=colours, dtype=dtype, name=name)

    def first_convolution(x):
        places = PositionEmbedding(features, dtype=dtype, name="positions")(x) if position_embedding else None
        return convolution(features, "first", 7, "A", at_least_float32(dtype))(x, bias=places)

    image = keras.Input(image_shape, dtype="int32", name="image")
    x = scaled(image, levels, dtype, name="scale")
    x = (first or first_convolution)(x)
    skips = []
    for block in range(1, positive_integer("num_blocks", num_blocks) + 1):
        y = body(x, f"block{block}")
        if dropout:
            y = keras.layers.Dropout(dropout, dtype=dtype, name=f"block{block}_dropout")(y)
        if skip:
            skips.append(convolution(features, f"block{block}_skip")(y))
        y = convolution(features, f"block{block}_up")(y)
        x = keras.layers.Add(dtype=dtype, name=f"block{block}_add")([x, y]) if residual else y
    if skips:
        x = keras.layers.Add(dtype=dtype, name="skips")([x, *skips])
    for layer in (1, 2):
        x = keras.layers.ReLU(dtype=dtype, name=f"head{layer}_relu")(x)
        x = convolution(head_filters, f"head{layer}")(x)
    x = keras.layers.ReLU(dtype=dtype, name="logits_relu")(x)
    # Logits and softmax stay in float32 under a mixed policy.
    logits_dtype = "float32" if dtype.startswith("mixed") else dtype
    return conditioning.beside(image), conditioning.logits(x, levels, colours, logits_dtype)
