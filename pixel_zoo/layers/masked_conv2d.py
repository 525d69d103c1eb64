"""The masked convolution."""

import functools
import operator
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.checks import check_groups, odd_integer, positive_integer
from pixel_zoo.layers.colours import by_colour, centre_mask, feature_colours, join, sort_features
from pixel_zoo.layers.raster_layer import RasterLayer
from pixel_zoo.types import Shape, Structure, Tensor


@keras.saving.register_keras_serializable(package="pixel_zoo")
class MaskedConv2D(RasterLayer):
    """Convolution that sees only earlier pixels in raster order (van den Oord et al. 2016, section 3.4, figure 2).

    ```
    mask of a 5x5 kernel    x x x x x     x: all colours
                            x x x x x     c: mask A earlier colours only, mask B the own colour too
                            x x c . .     .: nothing
                            . . . . .     rows that are never stored
                            . . . . .
    ```

    The kernel holds only the rows at and above the centre, so that the rows below cost neither memory nor time. Outside
    of the image there are zeros.

    Args:
        filters: int, number of output features.
        kernel_size: odd int or pair of odd ints (rows, columns), of the kernel before it is cut.
        mask_type: "A" for the first layer of a model, "B" for all others.
        colours: int, number of colour channels of the image; feature k belongs to colour k % colours.
        use_bias: bool, whether a bias vector is added.
        kernel_initializer: initializer of the kernel (rows // 2 + 1, columns, c_in, filters).

    Input: float tensor (batch, height, width, c_in). Output: float tensor (batch, height, width, filters).

    Raises:
        ValueError: for a kernel size that is not odd, a mask type other than "A" and "B", or numbers below 1.

    Example:
    >>> import numpy as np
    >>> layer = MaskedConv2D(32, 7, "A")
    >>> layer(np.zeros((2, 28, 28, 1), "float32")).shape[1:] == (28, 28, 32)
    True
    >>> tuple(layer.kernel.shape)
    (4, 7, 1, 32)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        mask_type: str,
        colours: int = 1,
        use_bias: bool = True,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(colours=colours, **kwargs)
        self.filters = positive_integer("filters", filters)
        check_groups("filters", filters, colours)
        pair = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size, kernel_size)
        if len(pair) != 2:
            raise ValueError(f"kernel_size must be an odd integer or a pair of them, got {kernel_size!r}")
        self.kernel_size = tuple(odd_integer("kernel_size", size) for size in pair)
        if mask_type not in ("A", "B"):
            raise ValueError(f"mask_type must be 'A' or 'B', got {mask_type!r}")
        self.mask_type = mask_type
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.rows_above, self.columns_left = self.kernel_size[0] // 2, self.kernel_size[1] // 2
        self.columns_seen = self.columns_left + 1  # of the own row

    @property
    def sees_itself(self) -> bool:  # type: ignore[override]
        return self.mask_type == "B"

    def output_colours(self) -> np.ndarray:
        """The colour of each output feature, int array (filters,)."""
        return feature_colours(self.filters, self.colours)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        inputs = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(self.rows_above + 1, self.kernel_size[1], inputs, self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias") if self.use_bias else None

    def compute_output_shape(self, x_shape: Shape, bias_shape: Shape | None = None) -> Shape:
        return (*x_shape[:-1], self.filters)

    def mask(self) -> np.ndarray:
        """The mask of the stored kernel, float32 NumPy array (rows // 2 + 1, columns, c_in, filters)."""
        mask = np.ones(self.kernel.shape, "float32")
        mask[-1, self.columns_left + 1 :] = 0.0
        input_colours = feature_colours(self.kernel.shape[2], self.colours)
        mask[-1, self.columns_left] = centre_mask(self.mask_type, input_colours, self.output_colours())
        return mask

    def masked_kernel(self) -> Tensor:
        mask = self.mask()
        return ops.convert_to_tensor(self.kernel) if mask.all() else self.kernel * ops.cast(mask, self.kernel.dtype)

    def call(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        y = self._convolve(x, ops.cast(self.masked_kernel(), x.dtype))
        if self.use_bias:
            y = _add_bias(y, ops.cast(self.bias, y.dtype))
        return y if bias is None else y + bias

    def _convolve(self, x, kernel):
        if self.kernel_size == (1, 1):
            pixels = ops.reshape(x, (-1, x.shape[-1]))  # one large product; TensorFlow would compute one for each row
            return ops.reshape(ops.matmul(pixels, kernel[0, 0]), (-1, *x.shape[1:-1], self.filters))
        left = self.columns_left
        padded = ops.pad(x, [[0, 0], [self.rows_above, 0], [left, left], [0, 0]])
        return ops.conv(padded, kernel, padding="valid")

    # Row by row: the kernel is split into the rows above, and the taps of the own row up to the pixel itself.

    def prepare(self) -> Structure:
        return self._prepare(self.masked_kernel(), self.bias, self.output_colours())

    def _prepare(self, kernel, bias, output_colours):
        order, widths = by_colour(output_colours)
        _, columns, inputs, features = kernel.shape
        input_order, input_widths = by_colour(feature_colours(inputs, self.colours))
        kernel = backend.take(backend.take(kernel, input_order, axis=2), order, axis=3)
        kernel = ops.cast(kernel, self.compute_dtype)
        if self.kernel_size == (1, 1):
            above, row = None, ops.squeeze(kernel, (0, 1))
        else:
            taps = [self.rows_above * columns, self.columns_seen, columns - self.columns_seen]
            above, row, _ = backend.split(ops.reshape(kernel, (-1, features)), [n * inputs for n in taps], axis=0)
        weights = {"row": row, "steps": self._steps_by_colour(row, input_widths, widths)}
        if self.rows_above:
            weights["above"] = above
        if self.use_bias:
            bias = ops.cast(backend.take(bias, order, axis=0), self.compute_dtype)
            weights |= {"bias": bias, "minus_bias": backend.split(-bias, widths)}
        return weights

    def _steps_by_colour(self, row, input_widths, widths):
        """The taps of the own row as one matrix per output colour, with the rows of the inputs which that colour sees.

        Those of the pixel itself come last, sorted by colour, so each matrix is a block of the whole.
        """
        ends, input_ends = np.cumsum([0, *widths]), np.cumsum([0, *input_widths])
        left = self.columns_left * input_ends[-1]
        seen = [left + input_ends[min(colour + self.sees_itself, len(input_widths))] for colour in range(len(widths))]
        whole = len(widths) == 1 and seen[0] == row.shape[0]
        return [row] if whole else [row[:end, ends[c] : ends[c + 1]] for c, end in enumerate(seen)]

    def prepare_bias(self, bias: Tensor) -> Structure:
        return sort_features(bias, self.output_colours())

    def initial_state(self, weights: Structure, batch: int | Tensor, width: int) -> Structure:
        if self.rows_above or self.sees_itself:
            shape = (width, batch, self.kernel.shape[2])
            return [ops.zeros(shape, self.compute_dtype) for _ in range(self.rows_above)]
        # Without rows above and without the pixel itself, only this empty sum has the size of the batch.
        return ops.zeros((width, batch, self.filters), self.compute_dtype)

    @property
    def reach(self) -> tuple[int, int]:
        return self.rows_above, self.columns_left

    def initial_record(self, weights: Structure, batch: int | Tensor) -> Structure:
        return [ops.zeros((batch, self.kernel.shape[2]), self.compute_dtype)] if self.rows_above else []

    def enter_row(self, weights: Structure, state: Structure, bias: Tensor | None = None) -> Structure:
        """The sum of all terms from outside the row, a list of one tensor; [] if there is nothing."""
        taps = [tap for row in state for tap in self._taps(row, self.kernel_size[1])] if self.rows_above else []
        return self._terms_from_outside(weights, taps, state, bias)

    def enter_window(self, weights: Structure, state: Structure, bias: Tensor | None = None) -> Structure:
        if not self.rows_above:
            return self._terms_from_outside(weights, [], state if self.sees_itself else state[0], bias)
        taps = [tap for row in state for tap in ops.unstack(row)]
        return self._terms_from_outside(weights, taps, state, bias)

    def _terms_from_outside(self, weights, taps, state, bias):
        terms = []
        if taps:
            terms.append(ops.matmul(join(taps), weights["above"]))
        elif not self.sees_itself:
            terms.append(state)
        if bias is not None:
            terms.append(bias)
        # A row of bias vectors alone is not worth its memory: then `step` adds the vector.
        return _sum([*terms, *self._bias_vector(weights)]) if terms else []

    def _bias_vector(self, weights):
        return [weights["bias"]] if self.use_bias else []

    def _taps(self, row, count):
        """The row (width, batch, c) as each of the kernel's first `count` columns sees it."""
        width, left = row.shape[0], self.columns_left
        if not left:
            return [row]
        padded = ops.pad(row, [[left, left], [0, 0], [0, 0]])
        return [row if tap == left else padded[tap : tap + width] for tap in range(count)]

    def initial_memory(self, weights: Structure, batch: int | Tensor) -> Structure:
        return [ops.zeros((batch, self.kernel.shape[2]), self.compute_dtype) for _ in range(self.columns_left)]

    def enter_pixel(self, weights: Structure, context: Structure, memory: Structure) -> Structure:
        """What the rows above add to each colour, [] if there is nothing; and the inputs of the pixels to the left."""
        if context:
            return backend.split(context[0], [matrix.shape[1] for matrix in weights["steps"]]), memory
        return [], memory

    def step(self, weights: Structure, base: Structure, inputs: Sequence[Tensor], colour: int) -> tuple[Tensor, ...]:
        above, memory = base
        seen = [*memory, *inputs[: colour + self.sees_itself]]
        terms = [ops.matmul(join(seen), weights["steps"][colour])] if seen else []
        if terms and not above and self.use_bias:
            # Not a sum: TensorFlow would merge a product, a bias and the next sum into one operation of oneDNN, which
            # takes ten times as long for the few rows of a step.
            return (terms[0] - weights["minus_bias"][colour],)
        return tuple(_sum([*terms, *above[colour : colour + 1]]))

    def leave_pixel(
        self, weights: Structure, memory: Structure, inputs: Sequence[Tensor], outputs: Sequence[tuple[Tensor, ...]]
    ) -> tuple[Structure, Structure]:
        x = join(inputs) if self.columns_left or self.rows_above else None
        return [*memory, x][-self.columns_left :] if self.columns_left else [], [x] if self.rows_above else []

    def row(self, weights: Structure, context: Structure, x: Tensor) -> tuple[Tensor, Structure]:
        own = ops.concatenate(self._taps(x, self.columns_seen), axis=-1) if self.columns_left else x
        (y,) = _sum([ops.matmul(own, weights["row"]), *(context or self._bias_vector(weights))])
        return y, [x] if self.rows_above else []

    def leave_row(self, weights: Structure, state: Structure, context: Structure, record: Structure) -> Structure:
        return [*state, *record][-self.rows_above :] if self.rows_above else state

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "mask_type": self.mask_type,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@ops.custom_gradient
def _add_bias(y, bias):
    """The sum of a map (..., features) and a vector. Its gradient avoids XLA's slow sum over pixels."""

    def backward(*d_y, **_):
        # TensorFlow passes the gradient of the output as it is, JAX in a structure like the output's.
        (d_y,) = keras.tree.flatten(d_y)
        pixels = ops.reshape(d_y, (-1, d_y.shape[-1]))
        return d_y, ops.matmul(ops.ones(ops.shape(pixels)[:1], pixels.dtype), pixels)

    return y + bias, backward


def _sum(terms):
    """The sum of a list of tensors, in their order, as a list of one tensor; [] stays []."""
    return [functools.reduce(operator.add, terms)] if terms else []
