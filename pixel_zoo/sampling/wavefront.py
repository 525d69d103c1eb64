"""The wavefront: rows of an image drawn at the same time, each some columns behind the row above."""

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.layers import RasterLayer
from pixel_zoo.sampling.packing import pack_features
from pixel_zoo.sampling.raster_graph import autocast

# A step along a wavefront takes as long as two or three steps from left to right.
_COST_OF_A_STEP = 3


class Wavefront:
    """The order of pixels along a wavefront.

    If no layer sees more than R columns to the right in the rows above, a pixel can be drawn as soon as the pixel R
    columns to the right in the row above is drawn. So pixel (row, column) is drawn in step `lag * row + column`, with
    `lag = R + 1`: an image takes `lag * (height - 1) + width` steps instead of `height * width`.

    About `width / lag` rows are drawn at a time, each in a slot. When its row ends, a slot moves on to the row that is
    `slots` rows further down, which is then due.

    Args:
        lag: int, how many columns a row is behind the row above.
        image_shape: (height, width, colours).

    Attributes:
        rows, columns: int32 arrays (steps, slots), the pixel that a slot draws in each step. Rows are negative before a
            slot starts. Where a row or column lies beyond the image, the slot idles: what it computes is ignored.

    Example:

    >>> front = Wavefront(4, (28, 28, 1))
    >>> front.slots, len(front.rows)
    (7, 136)
    >>> front.rows[9].tolist(), front.columns[9].tolist()
    ([0, 1, 2, -4, -3, -2, -1], [9, 5, 1, 25, 21, 17, 13])
    """

    def __init__(self, lag, image_shape):
        self.lag, (self.height, self.width, _) = lag, image_shape
        self.slots = -(-self.width // lag)
        slots, period = np.arange(self.slots), lag * self.slots
        since_start = np.arange(lag * (self.height - 1) + self.width)[:, None] - lag * slots
        self.rows = (slots + self.slots * (since_start // period)).astype("int32")
        self.columns = (since_start % period).astype("int32")

    def in_steps(self, x):
        """What is given at each pixel, (height, width, batch, ...), by steps: (steps, slots, batch, ...)."""
        pixels = np.clip(self.rows, 0, self.height - 1) * self.width + np.clip(self.columns, 0, self.width - 1)
        rest = ops.shape(x)[2:]
        return ops.reshape(ops.take(ops.reshape(x, (-1, *rest)), pixels.ravel(), axis=0), (*pixels.shape, *rest))

    def in_rows(self, x):
        """The inverse of `in_steps`."""
        rows, columns = np.indices((self.height, self.width))
        drawn = (self.lag * rows + columns) * self.slots + rows % self.slots
        rest = ops.shape(x)[2:]
        return ops.reshape(ops.take(ops.reshape(x, (-1, *rest)), drawn.ravel(), axis=0), (*drawn.shape, *rest))


class WavefrontWalk:
    """Draws the images of a walker along a wavefront.

    To layers, the slots of all images are one batch (slots * batch), slot by slot. What a pixel takes from the rows
    above, layers compute from a window of the records that former steps left (`RasterLayer.enter_window`). Records of
    layers with the same `reach` are packed, so that few operations move all of them. This class is a part of the
    walker, and calls its private methods.

    Args:
        walker: `Walker` of a model whose layers all have a `reach`.
    """

    def __init__(self, walker):
        self.walker, self.nodes = walker, walker.layer_nodes
        self.groups = {}  # indices of the layers that see rows above, by reach
        for index, node in enumerate(self.nodes):
            if node.operation.reach[0]:
                self.groups.setdefault(node.operation.reach, []).append(index)
        lag = 1 + max((columns for _, columns in self.groups), default=0)
        self.front = Wavefront(lag, walker.graph.image_shape)

    def pays(self, pixels):
        """Whether it takes less time than drawing so many pixels, an int or a tensor, from left to right."""
        return pixels >= _COST_OF_A_STEP * len(self.front.rows)

    def __call__(self, weights, maps, given, choose):
        """Draw images.

        Args:
            weights, maps: from `Walker.start`.
            given: dictionary of tensors (height, width, batch, ...), what `choose` is given at each pixel.
            choose: as for `Walker.row_of_choices`, of batches of slots and images.

        Returns:
            (values, log_prob): int32 tensor (height, width, batch, colours), float32 tensor (batch,) of nats.
        """
        walker, front = self.walker, self.front
        batch = ops.shape(keras.tree.flatten(given)[0])[2]
        memory, unpack_memory, above, unpack_records = self._before_first(walker._unpack(weights)[1], batch)
        histories = {(rows, reach): [above[rows, reach]] * (front.lag * rows + reach) for rows, reach in self.groups}

        def step(carry, x):
            memories, histories, total = carry
            pixel = _Pixel(front, x["rows"], x["columns"], batch)
            _, of_layers, projections = walker._unpack(weights)
            maps_here = walker._conditioning_of_row(projections, [pixel.of_map(rows) for rows in maps], width=1)
            windows = {
                (rows, reach): [
                    unpack_records[rows, reach](pixel.window(history, r, reach)) for r in range(rows, 0, -1)
                ]
                for (rows, reach), history in histories.items()
            }
            drawn = {
                "contexts": self._contexts(of_layers, windows, maps_here, batch),
                "given": {name: pixel.of_all_slots(value) for name, value in x["given"].items()},
                "beside": [row[0] for row in walker._maps_beside_image(maps_here)],
            }
            memories = unpack_memory(pixel.where(pixel.is_first, memory, memories))
            memories, _, (values, (records, _), _), log_prob = walker._pixel(of_layers, memories, drawn, choose, ())
            records, _ = self._pack_records(records)
            histories = {
                reach: [pixel.where(pixel.has_started, records[reach], above[reach]), *history[:-1]]
                for reach, history in histories.items()
            }
            total = total + ops.where(pixel.of_slots(pixel.is_in_image), log_prob, 0.0)
            memories, _ = pack_features(memories, axes=1)
            return (memories, histories, total), ops.reshape(values, (front.slots, batch, values.shape[-1]))

        xs = {"given": {name: front.in_steps(x) for name, x in given.items()}}
        xs |= {"rows": front.rows, "columns": front.columns}
        init = memory, histories, ops.zeros((front.slots * batch,), "float32")
        (_, _, total), values = backend.scan(step, init, xs)
        return front.in_rows(values), ops.sum(ops.reshape(total, (front.slots, batch)), axis=0)

    def _before_first(self, weights, batch):
        """What is to the left of the first column and above the first row, packed, and how to unpack such things."""
        batch = self.front.slots * batch
        with_weights = [(node.operation, w) for node, w in zip(self.nodes, weights, strict=True)]
        memory, unpack_memory = pack_features([layer.initial_memory(w, batch) for layer, w in with_weights], axes=1)
        records = self._pack_records([layer.initial_record(w, batch) for layer, w in with_weights])
        return memory, unpack_memory, *records

    def _pack_records(self, records):
        packed = {reach: pack_features([records[i] for i in group], axes=1) for reach, group in self.groups.items()}
        return tuple({reach: pair[part] for reach, pair in packed.items()} for part in (0, 1))

    def _contexts(self, weights, windows, maps, batch):
        """The contexts of all layers at the pixels of a step."""
        windows = {
            index: [of_row[place] for of_row in windows[reach]]
            for reach, group in self.groups.items()
            for place, index in enumerate(group)
        }
        contexts = []
        for index, (node, w) in enumerate(zip(self.nodes, weights, strict=True)):
            layer, (rows, columns) = node.operation, node.operation.reach
            state = layer.initial_state(w, self.front.slots * batch, 2 * columns + 1 if rows else 1)
            for window in windows.get(index, []):
                state = layer.leave_row(w, state, [], window)
            bias = None if node.bias is None else layer.prepare_bias(autocast(layer, maps[node.bias][0]))
            contexts.append(layer.enter_window(w, state, bias))
        return contexts


def wavefront_of(walker):
    """The walk of a walker along a wavefront, or None if its model does not allow one, or none that saves time."""
    layers = [node.operation for node in walker.layer_nodes]
    if walker.graph.above or not all(layer.reach is not None and _windows_match_rows(layer) for layer in layers):
        return None
    walk, (height, width, _) = WavefrontWalk(walker), walker.graph.image_shape
    return walk if walk.pays(height * width) else None


def _windows_match_rows(layer):
    """Whether windows of the rows above give what rows give: not if a subclass overrides the methods of rows alone."""
    kind = type(layer)

    def depth(method):
        return next(depth for depth, base in enumerate(kind.__mro__) if method in vars(base))

    enters_rows = kind.enter_window is RasterLayer.enter_window  # by `enter_row`
    matches = enters_rows or depth("enter_window") <= min(depth("enter_row"), depth("leave_row"))
    if layer.reach[0]:
        matches = matches and depth("initial_record") <= depth("initial_state")
    return matches and depth("leave_row") <= depth("leave_rows")


class _Pixel:
    """The pixels that all slots draw in one step.

    Args:
        front: `Wavefront`.
        rows, columns: int32 tensors (slots,).
        batch: int or scalar tensor, how many images.
    """

    def __init__(self, front, rows, columns, batch):
        self.front, self.rows, self.columns, self.batch = front, rows, columns, batch
        self.is_first, self.has_started = ops.equal(columns, 0), rows >= 0
        self.is_in_image = ops.logical_and(
            self.has_started, ops.logical_and(rows < front.height, columns < front.width)
        )

    def of_slots(self, x):
        """What belongs to a slot (slots,), for each of its images: (slots * batch,)."""
        return ops.reshape(ops.broadcast_to(x[:, None], (self.front.slots, self.batch)), (-1,))

    def of_all_slots(self, x):
        """A tensor (slots, batch, ...) as (slots * batch, ...)."""
        return ops.reshape(x, (-1, *x.shape[2:]))

    def where(self, condition, packed, others):
        """Packed tensors (slots * batch, ...) where a condition on slots holds, and others elsewhere."""
        each = self.of_slots(condition)

        def where(x, y):
            return ops.where(ops.reshape(each, (-1, *[1] * (len(x.shape) - 1))), x, y)

        return keras.tree.map_structure(where, packed, others)

    def of_map(self, x):
        """A map (height, 1 or width, batch, features) at these pixels: (1, slots * batch, features)."""
        pixels = ops.clip(self.rows, 0, self.front.height - 1)
        if x.shape[1] > 1:
            pixels = pixels * self.front.width + ops.clip(self.columns, 0, self.front.width - 1)
        return self.of_all_slots(ops.take(ops.reshape(x, (-1, *ops.shape(x)[2:])), pixels, axis=0))[None]

    def window(self, history, row, reach):
        """The records of the pixels `row` rows above, up to `reach` columns to the left and to the right; 0 outside.

        Args:
            history: list of packed records, of the last step first.
        """
        front, offsets = self.front, np.arange(-reach, reach + 1, dtype="int32")
        columns = self.columns + offsets[:, None]
        inside = ops.logical_and(columns >= 0, columns < front.width)

        def window(*records):
            features = records[0].shape[1:]
            there = ops.stack([records[front.lag * row - offset - 1] for offset in offsets])
            there = ops.reshape(there, (len(offsets), front.slots, self.batch, *features))
            there = ops.roll(there, row, axis=1)  # the slot before draws the row above
            in_image = ops.reshape(inside, (len(offsets), front.slots, 1, *[1] * len(features)))
            there = ops.where(in_image, there, ops.zeros((), there.dtype))
            return ops.reshape(there, (len(offsets), -1, *features))

        return keras.tree.map_structure(window, *history)
