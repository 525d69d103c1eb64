"""The contract of a raster layer."""

import keras

from pixel_zoo.checks import check_groups, check_rank, positive_integer


class RasterLayer(keras.layers.Layer):
    """A layer whose output at a pixel depends only on pixels before or at it in raster order, colours in their groups.

    It maps (batch, height, width, c_in) to (batch, height, width, c_out), in two ways that agree to float rounding:

    - `call(x, bias=None)` does all positions at once: training and likelihood.
    - Row by row, then pixel by pixel: sampling and completion. The walker in `pixel_zoo.sampling` drives it:

      ```
      weights = layer.prepare()                                       # once
      state = layer.initial_state(weights, batch, width)              # what the rows above leave behind
      for each row:
          context = layer.enter_row(weights, state, bias)             # all that the rows above add, all columns at once
          memory = layer.initial_memory(weights, batch)               # what the pixels to the left leave behind
          for each pixel:
              base = layer.enter_pixel(weights, context[column], memory)   # what the colours of a pixel share
              for each colour:
                  outputs[colour] = layer.step(weights, base, inputs, colour)
              memory, record[column] = layer.leave_pixel(weights, memory, inputs, outputs)
          state = layer.leave_row(weights, state, context, record)
      ```

      A row whose inputs are all known takes `row` in place of the loop over its pixels.

    Row by row, a row is a tensor (width, batch, features): columns first, because they are stepped over. Features
    stand sorted by colour, so that a colour group is a contiguous slice; `prepare` sorts the weights once to match.
    `inputs` and `outputs` of a pixel are lists with one entry per colour. Any structure of tensors may serve as
    weights, state, context, memory, base and record; `()` says that there is nothing.

    Args:
        colours: int, number of colour channels of the image. Feature k of every map belongs to colour k % colours.
    """

    #: Whether an output sees its own colour of its own pixel. A model whose outputs all do would see what it predicts.
    sees_itself = True

    #: Whether the output depends on the rows above alone. Such a layer has no steps: its rows are run by `row` when
    #: they are entered. Features stand as they are, not sorted by colour. Its input depends on the rows above alone
    #: too, or `row` does not read it.
    of_rows_above = False

    #: The name of the argument of `call` for the map that the walker hands to `prepare_bias`.
    map_argument = "bias"

    def __init__(self, colours=1, **kwargs):
        super().__init__(**kwargs)
        self.colours = positive_integer("colours", colours)

    def build(self, input_shape):
        check_rank(self, input_shape)
        check_groups(f"the number of input features of {self.name!r}", input_shape[-1], self.colours)
        super().build(input_shape)

    def get_config(self):
        return {**super().get_config(), "colours": self.colours}

    def call(self, x, bias=None):
        """All positions at once.

        Args:
            x: float tensor (batch, height, width, c_in).
            bias: optional float tensor that broadcasts to the input-to-state map, which it is added to: the
                conditioning map of a multi-scale or class-conditional model, or a map of the rows above.

        Returns:
            float tensor (batch, height, width, c_out).
        """
        raise NotImplementedError

    def prepare(self):
        """The weights as the steps want them: masked, cut and sorted by colour, computed once before the loops."""
        raise NotImplementedError

    def prepare_bias(self, bias):
        """Sort the features of a conditioning map (..., features) by colour."""
        raise NotImplementedError

    def initial_state(self, weights, batch, width):
        """The state above row 0."""
        return ()

    def enter_row(self, weights, state, bias=()):
        """All that the rows above and the conditioning map's row add to this row: structure of (width, batch, ...).

        The map's row is (1, batch, features) where all columns are alike; what is nothing but it may stay so.
        """
        return ()

    def initial_memory(self, weights, batch):
        """The memory to the left of column 0."""
        return ()

    def enter_pixel(self, weights, context, memory):
        """What the colours of one pixel share: all but the pixel itself."""
        raise NotImplementedError

    def step(self, weights, base, inputs, colour):
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

    def leave_pixel(self, weights, memory, inputs, outputs):
        """Pass a finished pixel on: (memory for the pixel to the right, record for the rows below)."""
        return (), ()

    def row(self, weights, context, x):
        """A row whose inputs (width, batch, c_in) are all known: (output (width, batch, c_out), record)."""
        raise NotImplementedError

    def leave_row(self, weights, state, context, record):
        """Pass a finished row on: the state for the row below."""
        return ()
