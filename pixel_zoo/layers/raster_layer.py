"""The base class of raster layers."""

from collections.abc import Sequence
from typing import Any, Self

import keras

from pixel_zoo.checks import check_groups, check_rank, positive_integer
from pixel_zoo.types import Shape, Structure, Tensor


class RasterLayer(keras.layers.Layer):
    """A layer whose output at a pixel depends only on that pixel and those before it in raster order.

    Colours are treated the same way: inside a pixel, the features of a colour depend on those of its own and earlier
    colours. A raster layer maps (batch, height, width, c_in) to (batch, height, width, c_out) in two ways, which agree
    up to float rounding:

    - `call(x, bias=None)` computes all positions at once. Training and likelihoods use it.
    - Sampling and completion compute row by row and, within a row, pixel by pixel. The walker in `pixel_zoo.sampling`
      calls these methods:

      ```
      weights = layer.prepare()                                       # once
      state = layer.initial_state(weights, batch, width)              # the state above row 0
      for each row:
          context = layer.enter_row(weights, state, bias)             # all that the rows above add, all columns at once
          memory = layer.initial_memory(weights, batch)               # the memory to the left of column 0
          for each pixel:
              base = layer.enter_pixel(weights, context[column], memory)   # what the colours of a pixel share
              for each colour:
                  outputs[colour] = layer.step(weights, base, inputs, colour)
              memory, record[column] = layer.leave_pixel(weights, memory, inputs, outputs)
          state = layer.leave_row(weights, state, context, record)     # by way of `leave_rows`
      ```

      For a row whose inputs are all known, `row` replaces the loop over pixels.
    - A layer that sees few columns of few rows above says so by `reach`, (rows, columns). Several rows can then be
      drawn at the same time, along a wavefront (`pixel_zoo.sampling.wavefront`). What a pixel takes from the rows above
      comes from windows of their records, which are `2 * columns + 1` columns wide, or 1 if `rows` is 0. They are zero
      outside the image. Rows above row 0 have `initial_record` at each pixel. `leave_rows` is not called:

      ```
      state = layer.initial_state(weights, batch, width_of_window)
      for each of the rows above, from the top:
          state = layer.leave_row(weights, state, [], records[first_column:last_column + 1])
      context = layer.enter_window(weights, state, bias)              # of the pixel in the middle
      ```

    In these methods a row is a tensor (width, batch, features); columns come first because the loop runs over them.
    Features are sorted by colour, so that the features of a colour are a contiguous slice; `prepare` sorts the weights
    once to match. `inputs` and `outputs` of a pixel are lists with one entry per colour. Weights, state, context,
    memory, base and record may be any structure of tensors (an empty list if there is nothing to pass on). The tensors
    of a state have the images in axis 1, as rows do: where images are resampled, their states are. `bias` is None if
    the layer has no conditioning map.

    Args:
        colours: int, number of colour channels of the image. Feature k of every map belongs to colour k % colours.
    """

    #: Whether an output sees its own colour of its own pixel. A model needs a layer whose outputs do not.
    sees_itself = True

    #: Whether the output depends on the rows above only. Such a layer has no steps: `row` computes its rows when they
    #: are entered, with features in their natural order, not sorted by colour. Its input depends on the rows above
    #: only, or `row` does not read it (and may get None). `leave_row` gets [the row of its input] as record.
    of_rows_above = False

    #: Whether `row` runs pixel by pixel, so that it takes about as long as the steps of all pixels.
    row_is_a_scan = False

    #: The name of the argument of `call` for the map that the walker hands to `prepare_bias`.
    map_argument = "bias"

    def __init__(self, colours: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.colours = positive_integer("colours", colours)

    @property
    def reach(self) -> tuple[int, int] | None:
        """(rows, columns): how many rows above it a pixel sees, and how many columns to each side; None: no limit."""
        return None

    def build(self, input_shape: Shape) -> None:
        check_rank(self, input_shape)
        check_groups(f"the number of input features of {self.name!r}", input_shape[-1], self.colours)
        super().build(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "colours": self.colours}

    def call(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """All positions at once.

        Args:
            x: float tensor (batch, height, width, c_in).
            bias: optional float tensor that is added to the input-to-state map and broadcasts to it: the conditioning
                map of a multi-scale or class-conditional model, or a map of the rows above.

        Returns:
            float tensor (batch, height, width, c_out).
        """
        raise NotImplementedError

    def prepare(self) -> Structure:
        """The weights in the form that the steps take: masked, cut and sorted by colour. Computed once."""
        raise NotImplementedError

    def prepare_bias(self, bias: Tensor) -> Structure:
        """Sort the features of a conditioning map (..., features) by colour."""
        raise NotImplementedError

    def initial_state(self, weights: Structure, batch: int | Tensor, width: int) -> Structure:
        """The state above row 0."""
        return []

    def initial_record(self, weights: Structure, batch: int | Tensor) -> Structure:
        """The record of each pixel above row 0, for layers with a `reach`."""
        return []

    def enter_row(self, weights: Structure, state: Structure, bias: Tensor | None = None) -> Structure:
        """All that the rows above and the conditioning map add to this row: structure of tensors (width, batch, ...).

        `bias` is the row of the conditioning map, or None. It has shape (1, batch, features) where all columns are
        alike; a result that depends on it only may have that width too.
        """
        return []

    def enter_window(self, weights: Structure, state: Structure, bias: Tensor | None = None) -> Structure:
        """The context of one pixel, tensors (batch, ...), for layers with a `reach`: that of the middle of a window.

        `bias` is the conditioning map at this pixel, (batch, features), or None.
        """
        context = self.enter_row(weights, state, None if bias is None else bias[None])
        return keras.tree.map_structure(lambda x: x[x.shape[0] // 2], context)

    def initial_memory(self, weights: Structure, batch: int | Tensor) -> Structure:
        """The memory to the left of column 0."""
        return []

    def enter_pixel(self, weights: Structure, context: Structure, memory: Structure) -> Structure:
        """What the colours of one pixel share: all terms that do not depend on the pixel itself."""
        raise NotImplementedError

    def step(self, weights: Structure, base: Structure, inputs: Sequence[Tensor], colour: int) -> tuple[Tensor, ...]:
        """One colour of one pixel.

        Args:
            weights: from `prepare`.
            base: from `enter_pixel`.
            inputs: list of tensors (batch, c), the pixel's input features, one per colour known so far.
            colour: int, which colour group of the output to compute.

        Returns:
            Tuple of tensors; the first is the output features (batch, c_out of that colour).
        """
        raise NotImplementedError

    def leave_pixel(
        self, weights: Structure, memory: Structure, inputs: Sequence[Tensor], outputs: Sequence[tuple[Tensor, ...]]
    ) -> tuple[Structure, Structure]:
        """Finish a pixel: (memory for the pixel to the right, record for the rows below)."""
        return [], []

    def row(self, weights: Structure, context: Structure, x: Tensor) -> tuple[Tensor, Structure]:
        """A row whose inputs x (width, batch, c_in) are all known: (output (width, batch, c_out), record)."""
        raise NotImplementedError

    def leave_row(self, weights: Structure, state: Structure, context: Structure, record: Structure) -> Structure:
        """Finish a row: the state for the row below."""
        return []

    @classmethod
    def leave_rows(
        cls,
        layers: Sequence[Self],
        weights: Sequence[Structure],
        states: Sequence[Structure],
        contexts: Sequence[Structure],
        records: Sequence[Structure],
    ) -> list[Structure]:
        """`leave_row` of all layers of this class in a model, which the walker calls; they may share operations."""
        rows = zip(weights, states, contexts, records, strict=True)
        return [layer.leave_row(*row) for layer, row in zip(layers, rows, strict=True)]
