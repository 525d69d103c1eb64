"""The walker: runs a graph of raster layers row by row, and a row pixel by pixel."""

import functools
from collections.abc import Callable, Sequence

import keras
from keras import ops

from pixel_zoo import backend
from pixel_zoo.layers import PositionEmbedding
from pixel_zoo.layers.colours import (
    by_colour,
    colour_slice,
    feature_colours,
    join,
    sort_features,
    unsort_features,
)
from pixel_zoo.likelihoods import likelihood_of_logits
from pixel_zoo.sampler import Sampler
from pixel_zoo.sampling.packing import pack_features, pack_rows
from pixel_zoo.sampling.pointwise import run_pointwise
from pixel_zoo.sampling.raster_graph import RasterGraph, autocast, is_projection
from pixel_zoo.sampling.rows_above import RowsAbove, all_columns, enter_row
from pixel_zoo.sampling.wavefront import wavefront_of
from pixel_zoo.types import Structure, Tensor

# At most this many binary images are drawn by iteration: for more, its passes over whole rows take longer than the
# steps that they save. The second number is for XLA and for models with a wavefront. See benchmarks/few_images.py.
_FEW_IMAGES, _VERY_FEW_IMAGES = 4, 2

# At most this many pixels are drawn in a step along a wavefront. Beyond, a step takes time in proportion to its pixels,
# so nothing is gained.
_PIXELS_OF_A_STEP = 512

#: How a row gets its values; see `Walker.row_of_choices`.
Choose = Callable[[Structure, Tensor, Structure, int], tuple[Structure, Tensor, Structure]]


class Walker:
    """Samples the unknown values of images from a functional model, exactly.

    At the start of a row every raster layer computes, for all columns at once, what it takes from the rows above. Then
    each pixel adds only its left neighbours and itself. A row that is wholly known in every image of the batch runs in
    parallel. What depends on the rows above alone runs at the start of a row (`RowsAbove`); what does not depend on the
    image at all is computed once, in full, before.

    A call processes whole images in one graph, which is the fastest way for few images and the one that a server needs.
    It draws along a wavefront (`WavefrontWalk`) or iterates rows (`iterate_row`) where that takes less time. To regain
    control between rows, call `start`, then `sample_row` or `known_row` for each row, from the top.

    A row of images is a tensor (width, batch, colours).

    Args:
        model: functional Keras model; see `RasterGraph`.
        sampler_class: `Sampler`, or a subclass of it, whose rules are compiled; their options are tensors.
    """

    def __init__(self, model: keras.Model, sampler_class: type[Sampler] = Sampler) -> None:
        self.graph = RasterGraph(model)
        self.rows_above = RowsAbove(self.graph)
        self.layer_nodes = [node for node in self.graph.nodes if node.raster is not None]
        self.sampler_class = sampler_class
        self.wavefront = wavefront_of(self)
        self.likelihood = likelihood_of_logits(model.outputs[0].shape, (None, *self.graph.image_shape))

    def __call__(
        self,
        noise: Tensor,
        options: dict[str, Tensor],
        images: Tensor | None = None,
        known: Tensor | None = None,
        conditioning: Sequence[Tensor] = (),
    ) -> tuple[Tensor, Tensor]:
        """Draw what is not known.

        Args:
            noise: float32 tensor (batch, height, width, colours) of numbers above 0 and below 1.
            options: tensors of each image's options of sampling, see `Sampler.draw`.
            images: int32 tensor of the noise's shape, of which only known values are read; or None, nothing is known.
            known: bool tensor (batch, height, width), or (batch, height, width, colours), or None.
            conditioning: the model's other inputs, in their order.

        Returns:
            (images, log_likelihood): int32 tensor of the noise's shape, and float32 tensor (batch,) of nats under the
            model itself, whatever the options.
        """
        batch = ops.shape(noise)[0]
        weights, states, maps = self.start(batch, conditioning)
        given = {"noise": to_rows(noise)}
        if images is not None:
            given |= {"known_values": to_rows(images), "known": ops.moveaxis(known, 0, 2)}

        def by_rows():
            return self._draw_rows(weights, maps, states, given, options)

        def along_wavefront():
            slots = self.wavefront.front.slots
            return self.wavefront(weights, maps, given, self._choose(_options_for_each(options, (slots, batch))))

        way = False if backend.compiles_with_xla() else self.draws_along_wavefront(batch)
        if way is not False and known is not None:  # rows that are wholly known cost little, one by one
            way = way & self.wavefront.pays(self._pixels_of_unknown_rows(given["known"]))
        values, log_likelihood = _either(way, along_wavefront, by_rows)
        return from_rows(values), log_likelihood

    def draws_along_wavefront(self, batch: int | Tensor) -> bool | Tensor:
        """Whether a call without XLA draws so many images along a wavefront."""
        if self.wavefront is None:
            return False
        few = _VERY_FEW_IMAGES if self.may_iterate else 0
        return (batch > few) & (batch * self.wavefront.front.slots <= _PIXELS_OF_A_STEP)

    def _pixels_of_unknown_rows(self, known):
        """How many pixels are in rows of which something is unknown, from rows (height, width, batch, ...)."""
        height, width, _ = self.graph.image_shape
        all_known = ops.all(ops.reshape(known, (height, -1)), axis=1)
        return width * (height - ops.sum(ops.cast(all_known, "int32")))

    def _draw_rows(self, weights, maps, states, given, options):
        """Images row by row, as rows of values (height, width, batch, colours), and their log-likelihood."""

        def row(carry, row):
            states, total = carry
            states, values, log_prob = self._any_row(weights, states, row, options)
            return (states, total + log_prob), values

        (_, log_likelihood), values = backend.scan(row, (states, _no_nats(options)), given | {"maps": maps})
        return values, log_likelihood

    def _any_row(self, weights, states, row, options):
        if "known" not in row:
            return self._draw_row(weights, row["maps"], states, row["noise"], options)
        return ops.cond(
            ops.all(row["known"]),
            lambda: self.known_row(weights, row["maps"], states, row["known_values"]),
            lambda: self._draw_row(
                weights, row["maps"], states, row["noise"], options, row["known_values"], row["known"]
            ),
        )

    def _draw_row(self, weights, maps, states, noise, *args):
        """A row in the way that takes less time: by iteration for few binary images, else from left to right."""
        args = (weights, maps, states, noise, *args)
        if not self.may_iterate:
            return self.sample_row(*args)
        few = self._few_images()
        return _either(ops.shape(noise)[1] <= few, lambda: self.iterate_row(*args), lambda: self.sample_row(*args))

    @property
    def may_iterate(self) -> bool:
        """Whether rows may be drawn by iteration, which pays if most passes settle many values."""
        scans = any(node.operation.row_is_a_scan for node in self.layer_nodes)
        return self.likelihood.levels == 2 and not scans  # a row takes as long as its slowest value

    def _few_images(self):
        """How many binary images are drawn by iteration at most."""
        return _VERY_FEW_IMAGES if self.wavefront or backend.compiles_with_xla() else _FEW_IMAGES

    def start(self, batch: int | Tensor, conditioning: Sequence[Tensor] = ()) -> tuple[Structure, Structure, Structure]:
        """The work before the first row.

        Args:
            batch: int or scalar tensor, how many images.
            conditioning: the model's other inputs, in their order.

        Returns:
            (weights, states, maps): what every row takes, what the first row takes from above, and the conditioning
            maps, a list of tensors (height, width, batch, features), of width 1 where all columns are alike.
        """
        width = self.graph.image_shape[1]
        above, states_above = self.rows_above.start(batch, width)
        of_layers = [node.operation.prepare() for node in self.layer_nodes]
        states = [layer.initial_state(w, batch, width) for layer, w in self._with_layers(of_layers)]
        weights: Structure = (above, of_layers, self._projections())
        if not backend.compiles_with_xla():  # XLA would copy the parts at every step
            weights, self._unpack_weights = pack_rows(weights)  # always the same: shapes of weights don't change
        return weights, (states_above, states), self._conditioning(conditioning, batch)

    def _within_loops(self, weights):
        """The weights as a loop reads them: packed, so that it has few tensors to pass on, but not for XLA."""
        return self._unpack(weights) if backend.compiles_with_xla() else weights

    def _unpack(self, weights):
        """The weights of rows above, layers and projections, from what `start` returned."""
        return self._unpack_weights(weights) if isinstance(weights, dict) else weights

    def sample_row(
        self,
        weights: Structure,
        maps: Structure,
        states: Structure,
        noise: Tensor,
        options: dict[str, Tensor],
        known_values: Tensor | None = None,
        known: Tensor | None = None,
        weighed: Tensor | None = None,
    ) -> tuple[Structure, Tensor, Tensor]:
        """A row from left to right.

        Args:
            weights: from `start`.
            maps: this row of the maps from `start`.
            states: from `start`, or from the row above.
            noise: float32 tensor (width, batch, colours) of numbers above 0 and below 1.
            options: as of a call.
            known_values: int32 tensor (width, batch, colours), read only where `known` is True; None: nothing is known.
            known: bool tensor (width, batch), or (width, batch, colours), or None.
            weighed: bool tensor (width, batch, colours), the values whose probability is returned apart, or None.

        Returns:
            (states, values, log_prob): for the row below; int32 tensor (width, batch, colours); float32 tensor
            (batch,) of nats. With `weighed`, `log_prob` is a float32 tensor (2, batch): of all values under the model,
            and of those weighed under the distribution that values are drawn from.
        """
        given = {"noise": noise} if known is None else {"noise": noise, "known_values": known_values, "known": known}
        draw = self._choose(options)
        if weighed is None:
            states, values, log_prob, _, _ = self.row_of_choices(weights, maps, states, draw, (), given)
            return states, values, log_prob
        given, nothing = given | {"weighed": weighed}, _no_nats(options)
        states, values, log_prob, log_weight, _ = self.row_of_choices(weights, maps, states, draw, nothing, given)
        return states, values, ops.stack([log_prob, log_weight])

    def _choose(self, options):
        """The way to choose values that draws those that are not known."""
        return functools.partial(_draw, self.sampler_class, options)

    def row_of_choices(
        self,
        weights: Structure,
        maps: Structure,
        states: Structure,
        choose: Choose,
        carried: Structure,
        given: Structure,
    ) -> tuple[Structure, Tensor, Tensor, Structure, Structure]:
        """A row from left to right, each value as `choose` says: drawn from the model, read from a file ...

        Args:
            weights: from `start`.
            maps: this row of the maps from `start`.
            states: from `start`, or from the row above.
            choose: maps (carried, logits, given, colour) to (carried, value, note). `logits` is a float32 tensor
                (batch, levels), `given` what is given at this pixel, `colour` an int; `value` is an int32 tensor
                (batch,), `note` any structure of tensors.
            carried: structure of tensors, what `choose` passes on from one value to the next.
            given: structure of tensors (width, batch, ...), what `choose` is given at each pixel.

        Returns:
            (states, values, log_prob, carried, notes): the first three as of `sample_row`; what the last value passed
            on; a list of the notes of each colour, whose tensors have a new axis 0 for the pixels.
        """
        weights, weights_within = self._unpack(weights), self._within_loops(weights)
        maps, contexts = self._enter_row(weights, states, maps)
        pixels = {"contexts": contexts, "given": given, "beside": self._maps_beside_image(maps)}
        batch = ops.shape(keras.tree.flatten(given)[0])[1]
        memories = [layer.initial_memory(w, batch) for layer, w in self._with_layers(weights[1])]

        # Small tensors cost a loop more to pass on than to compute: all of a kind are one.
        pixels, unpack_pixel = pack_features(pixels, axes=2)
        memories, unpack_memories = pack_features(memories, axes=1)
        unpack_outputs: Callable[[Tensor], Structure]

        def pixel(carry, pixel):
            nonlocal unpack_outputs
            memories, carried, total = carry
            _, weights_of_steps, _ = self._unpack(weights_within)
            memories, carried, outputs, log_prob = self._pixel(
                weights_of_steps, unpack_memories(memories), unpack_pixel(pixel), choose, carried
            )
            memories, _ = pack_features(memories, axes=1)
            outputs, unpack_outputs = pack_features(outputs, axes=1)
            return (memories, carried, total + log_prob), outputs

        init = memories, carried, ops.zeros((batch,), "float32")
        (_, carried, log_prob), outputs = backend.scan(pixel, init, pixels)
        values, left, notes = unpack_outputs(outputs)
        return self._leave_row(weights, states, maps, contexts, *left), values, log_prob, carried, notes

    def known_row(
        self,
        weights: Structure,
        maps: Structure,
        states: Structure,
        known_values: Tensor,
        options: dict[str, Tensor] | None = None,
        weighed: Tensor | None = None,
    ) -> tuple[Structure, Tensor, Tensor]:
        """A row of which every value of every image is known, all pixels at once: as `sample_row`.

        The options of sampling are needed only with `weighed`.
        """
        weights = self._unpack(weights)
        maps, contexts = self._enter_row(weights, states, maps)
        passed = self._parallel_row(weights, maps, contexts, known_values)
        states = self._leave_row(weights, states, maps, contexts, passed["records"], passed["read_below"])
        log_prob = ops.sum(self._log_probs(passed["logits"], known_values), axis=(0, 2))
        if weighed is not None:
            log_weights = [
                self._log_weight(known_values[..., c], of_colour, weighed[..., c], options)
                for c, of_colour in enumerate(passed["logits"])
            ]
            log_prob = ops.stack([log_prob, ops.sum(sum(log_weights), axis=0)])
        return states, known_values, log_prob

    def iterate_row(
        self,
        weights: Structure,
        maps: Structure,
        states: Structure,
        noise: Tensor,
        options: dict[str, Tensor],
        known_values: Tensor | None = None,
        known: Tensor | None = None,
    ) -> tuple[Structure, Tensor, Tensor]:
        """A row by fixed-point iteration (Song et al. 2021, 2002.03629; Wiggers and Hoogeboom 2020, 2002.09928).

        All pixels of the row are drawn at once, each given the present guess of those before it, with the same noise
        every time, until no value changes. Each pass settles at least the first value that was wrong, so the loop ends,
        with the values that `sample_row` draws. Binary rows take two or three passes. Arguments and results are those
        of `sample_row`.
        """
        weights, weights_within = self._unpack(weights), self._within_loops(weights)
        maps, contexts = self._enter_row(weights, states, maps)

        def draw(guess):
            passed = self._parallel_row(self._unpack(weights_within), maps, contexts, guess)
            return self._row_of_values(passed["logits"], noise, options, known_values, known), passed

        def redraw(guess, values, passed):
            return (values, *draw(values))

        draw = backend.compiled(draw, [], xla=False)  # so that a graph holds it once
        guess = ops.zeros_like(noise, dtype="int32")
        _, values, passed = ops.while_loop(
            lambda guess, values, passed: ops.any(ops.not_equal(guess, values)),
            redraw,
            (guess, *draw(guess)),
            maximum_iterations=guess.shape[0] * self.graph.colours,  # a layer of the user's may look ahead by mistake
        )
        states = self._leave_row(weights, states, maps, contexts, passed["records"], passed["read_below"])
        return states, values, ops.sum(self._log_probs(passed["logits"], values), axis=(0, 2))

    def _parallel_row(self, weights, maps, contexts, values):
        """One pass over all pixels of a row with the given values: what is left to the row below, and the logits."""
        _, weights_of_steps, _ = weights
        features = self._beside(self._maps_beside_image(maps))
        features[self.graph.image] = self._split(values)
        records = []
        for node in self.graph.nodes:
            if node.raster is None:
                features[node.output] = [_pointwise(node, features, c) for c in range(self.graph.colours)]
            else:
                x = autocast(node.operation, join(features[node.input]))
                y, record = node.operation.row(weights_of_steps[node.raster], contexts[node.raster], x)
                features[node.output] = self._split(y)
                records.append(record)
        return {
            "logits": features[self.graph.output],
            "records": records,
            "read_below": self._read_below(features),
        }

    def _row_of_values(self, logits, noise, options, known_values, known):
        """A row of values (width, batch, colours), drawn from the logits of each colour where they are not known."""
        options = _options_for_each(options, ops.shape(noise)[:2])
        values = []
        for colour, of_colour in enumerate(logits):
            class_logits = self._class_logits(of_colour)
            flat = ops.reshape(class_logits, (-1, class_logits.shape[-1]))
            drawn = self.sampler_class.draw(flat, ops.reshape(noise[..., colour], (-1,)), options)
            values.append(ops.reshape(drawn, ops.shape(noise)[:2]))
        drawn = ops.stack(values, axis=-1)
        if known is None:
            return drawn
        return ops.where(known if len(known.shape) == 3 else known[..., None], known_values, drawn)

    def _log_probs(self, logits, values):
        """Log-probabilities (width, batch, colours) of a row of values."""
        return ops.stack([self._log_prob(values[..., c], of_colour) for c, of_colour in enumerate(logits)], axis=-1)

    def _with_layers(self, weights):
        return zip((node.operation for node in self.layer_nodes), weights, strict=True)

    def _enter_row(self, weights, states, maps):
        """All maps that are known when the row is entered, by tensor, and the contexts of raster layers."""
        (above, weights, projections), (states_above, states) = weights, states
        maps = self.rows_above.enter_row(above, states_above, self._conditioning_of_row(projections, maps))
        nodes = zip(self.layer_nodes, weights, states, strict=True)
        return maps, [enter_row(node, w, state, maps, self.rows_above.width) for node, w, state in nodes]

    def _leave_row(self, weights, states, maps, contexts, records, read_below):
        (above, weights, _), (states_above, states) = weights, states
        maps = maps | {
            tensor: unsort_features(row, feature_colours(row.shape[-1], self.graph.colours))
            for tensor, row in zip(self.graph.maps_read_below(), read_below, strict=True)
        }
        states = _leave_rows([node.operation for node in self.layer_nodes], weights, states, contexts, records)
        return self.rows_above.leave_row(above, states_above, maps), states

    def _conditioning(self, inputs, batch):
        """The maps that rows take from the conditioning, as rows (height, 1 or width, batch, features)."""
        others = [tensor for tensor in self.graph.model_inputs if id(tensor) != self.graph.image]
        # A model casts its inputs before its layers see them.
        values = {id(tensor): ops.cast(value, tensor.dtype) for tensor, value in zip(others, inputs, strict=True)}
        for node in self.graph.conditioning:
            if isinstance(node.operation, PositionEmbedding):
                (x,) = node.input_tensors  # perhaps the image, unknown yet: only its shape matters
                values.setdefault(id(x), ops.zeros((batch, *x.shape[1:]), x.dtype))
            args, kwargs = node.arguments.fill_in(values)
            outputs = keras.tree.flatten(node.operation(*args, **kwargs))
            values.update((id(tensor), value) for tensor, value in zip(node.outputs, outputs, strict=True))

        def rows(value):
            return to_rows(ops.broadcast_to(value, (batch, self.graph.image_shape[0], *value.shape[2:])))

        return [rows(values[id(tensor)]) for tensor in self.graph.maps]

    def _projections(self):
        """Kernel and bias of each 1x1 convolution of the conditioning that rows make; `[]` of other operations."""

        def weights(layer):
            bias = [ops.cast(layer.bias, layer.compute_dtype)] if layer.use_bias else []
            return [ops.cast(layer.kernel, layer.compute_dtype)[0, 0], *bias]

        operations = [node.operation for node in self.graph.conditioning_of_rows]
        return [weights(operation) if is_projection(operation) else [] for operation in operations]

    def _conditioning_of_row(self, projections, maps, width=None):
        """What the conditioning gives to a row: dictionary from ids of symbolic tensors to (width, batch, features).

        What is nothing but a layer's bias stays (1, batch, features) where all columns are alike: it costs less to add.

        Args:
            projections: from `_projections`.
            maps: list of tensors (1 or width, batch, features), one row of the graph's `maps`.
            width: int, if not that of the image: of what is computed.
        """
        values = {id(tensor): row[None] for tensor, row in zip(self.graph.maps, maps, strict=True)}
        for node, weights in zip(self.graph.conditioning_of_rows, projections, strict=True):
            args, kwargs = node.arguments.fill_in(values)
            output = (
                _project(node.operation, weights, *args) if weights else run_pointwise(node.operation, args, kwargs)
            )
            values[id(node.outputs[0])] = output

        biases, width = self.graph.maps_of_biases_alone(), width or self.graph.image_shape[1]
        rows = {tensor: values[tensor][0] for tensor in self.graph.conditioning_maps()}
        return {tensor: row if tensor in biases else all_columns(row, width) for tensor, row in rows.items()}

    def _pixel(self, weights, memories, pixel, choose, carried):
        """One pixel, its colours in turn: (memories, carried, (values, what `_leave_row` takes, notes), log_prob)."""
        bases = [
            layer.enter_pixel(w, context, memory)
            for (layer, w), context, memory in zip(self._with_layers(weights), pixel["contexts"], memories, strict=True)
        ]
        outputs = [[] for _ in bases]
        features = self._beside(pixel["beside"])
        features |= {node.output: [] for node in self.graph.nodes} | {self.graph.image: []}
        log_prob, notes = 0.0, []
        for colour in range(self.graph.colours):
            self._advance(weights, features, bases, outputs, colour, predicts=True)
            logits = features[self.graph.output][colour]
            carried, value, note = choose(carried, self._class_logits(logits), pixel["given"], colour)
            notes.append(note)
            log_prob = log_prob + self._log_prob(value, logits)
            features[self.graph.image].append(ops.expand_dims(value, -1))
            self._advance(weights, features, bases, outputs, colour, predicts=False)
        inputs = [autocast(node.operation, features[node.input]) for node in self.layer_nodes]
        passed_on = [
            layer.leave_pixel(w, *rest)
            for (layer, w), *rest in zip(self._with_layers(weights), memories, inputs, outputs, strict=True)
        ]
        memories, records = (list(part) for part in zip(*passed_on, strict=True))
        left = records, self._read_below(features)
        return memories, carried, (join(features[self.graph.image]), left, notes), log_prob

    def _advance(self, weights, features, bases, outputs, colour, predicts):
        """Compute one colour of all nodes that come before its value is known, or of all that come after."""
        for node in self.graph.nodes:
            if node.predicts != predicts:
                continue
            if node.raster is None:
                features[node.output].append(_pointwise(node, features, colour))
            else:
                inputs = autocast(node.operation, features[node.input])
                output = node.operation.step(weights[node.raster], bases[node.raster], inputs, colour)
                outputs[node.raster].append(output)
                features[node.output].append(output[0])

    def _class_logits(self, logits):
        return ops.cast(self.likelihood.class_logits(self._squeeze(logits)), "float32")

    def _log_prob(self, values, logits):
        return ops.cast(self.likelihood.log_prob(values, self._squeeze(logits)), "float32")

    def _log_weight(self, values, logits, weighed, options):
        """The log-probability with which values (..., batch) are drawn, where they are weighed, else 0."""
        logits = self._class_logits(logits)
        options = _options_for_each(options, ops.shape(values))
        flat, levels = ops.reshape(values, (-1,)), logits.shape[-1]
        log_probs = self.sampler_class.log_prob(flat, ops.reshape(logits, (-1, levels)), options)
        return ops.where(weighed, ops.reshape(log_probs, ops.shape(values)), 0.0)

    def _squeeze(self, logits):
        return logits[..., 0] if self.likelihood.levels == 2 else logits

    def _read_below(self, features):
        return [join(features[tensor]) for tensor in self.graph.maps_read_below()]

    def _maps_beside_image(self, maps):
        """Rows that are combined with the image's features, sorted by colour as those are."""
        rows = [maps[tensor] for tensor in self.graph.maps_beside_image()]
        return [sort_features(row, feature_colours(row.shape[-1], self.graph.colours)) for row in rows]

    def _beside(self, maps):
        return {tensor: self._split(x) for tensor, x in zip(self.graph.maps_beside_image(), maps, strict=True)}

    def _split(self, x):
        """Features (..., c) sorted by colour as a list, one entry per colour."""
        _, widths = by_colour(feature_colours(x.shape[-1], self.graph.colours))
        return [colour_slice(x, widths, colour) for colour in range(len(widths))]


def _either(condition, if_true, if_false):
    """The result of one of two functions: of a bool, the other one is not traced."""
    if isinstance(condition, bool):
        return if_true() if condition else if_false()
    return ops.cond(condition, if_true, if_false)


def _draw(sampler_class, options, carried, logits, given, colour):
    """The known value, or if it is not known, one drawn from the logits; `carried` sums up the weighed values."""
    value = sampler_class.draw(logits, given["noise"][:, colour], options)
    if "known" in given:
        known = given["known"] if len(given["known"].shape) == 1 else given["known"][:, colour]
        value = ops.where(known, given["known_values"][:, colour], value)
    if "weighed" in given:
        log_prob = sampler_class.log_prob(value, logits, options)
        carried = carried + ops.where(given["weighed"][:, colour], log_prob, 0.0)
    return carried, value, ()


def _leave_rows(layers, *rows):
    """The states for the row below: `RasterLayer.leave_rows` of the layers of each class."""
    states = [None] * len(layers)
    for kind in dict.fromkeys(map(type, layers)):
        alike = [index for index, layer in enumerate(layers) if type(layer) is kind]
        of_kind = [[values[index] for index in alike] for values in rows]
        for index, state in zip(alike, kind.leave_rows([layers[i] for i in alike], *of_kind), strict=True):
            states[index] = state
    return states


def _no_nats(options):
    """The log-likelihood of nothing yet, one for each image."""
    return ops.zeros_like(options["temperature"])


def _options_for_each(options, shape):
    """Options of sampling for each value of a shape (..., batch), as vectors, as rules take them; scalars stay."""
    return {
        name: ops.reshape(ops.broadcast_to(option, shape), (-1,)) if len(option.shape) else option
        for name, option in options.items()
    }


def to_rows(x):
    """A map (batch, height, width, features) as rows (height, width, batch, features)."""
    return ops.transpose(x, (1, 2, 0, 3))


def from_rows(rows):
    """The inverse of `to_rows`."""
    return ops.transpose(rows, (2, 0, 1, 3))


def _project(layer, weights, x):
    """A 1x1 convolution with the weights of `Walker._projections`."""
    pixels = ops.reshape(ops.cast(x, layer.compute_dtype), (-1, x.shape[-1]))  # one product, not one a column
    y = ops.matmul(pixels, weights[0])
    y = layer.activation(y + weights[1] if layer.use_bias else y)
    return ops.reshape(y, (*ops.shape(x)[:-1], layer.filters))


def _pointwise(node, features, colour):
    args, kwargs = node.arguments.fill_in({tensor: features[tensor][colour] for tensor in node.reads})
    return run_pointwise(node.operation, args, kwargs)
