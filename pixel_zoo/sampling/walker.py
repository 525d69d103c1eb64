"""The walker: runs a graph of raster layers row by row, and a row pixel by pixel."""

import keras
from keras import ops

from pixel_zoo import backend
from pixel_zoo.layers.colours import by_colour, colour_slice, feature_colours, join, sort_features
from pixel_zoo.likelihoods import likelihood_of_logits
from pixel_zoo.sampling.raster_graph import RasterGraph, run_pointwise


class Walker:
    """Samples the unknown values of images from a functional model, exactly.

    At the start of a row every raster layer computes, for all columns at once, what it takes from the rows above. Then
    each pixel adds only its left neighbours and itself. A row that is wholly known in every image of the batch runs in
    parallel. What does not depend on the image is computed once, in full, before.

    Args:
        model: functional Keras model; see `RasterGraph`.
        sampler: `pixel_zoo.sampling.Sampler`.
    """

    def __init__(self, model, sampler):
        self.graph = RasterGraph(model)
        self.sampler = sampler
        self.likelihood = likelihood_of_logits(model.outputs[0].shape)

    def __call__(self, images, known, noise, temperature, conditioning=()):
        """Fill in what is not known.

        Args:
            images: int32 tensor (batch, height, width, colours); only its known values are read.
            known: bool tensor (batch, height, width).
            noise: float32 tensor (batch, height, width, colours) in [0, 1).
            temperature: float32 tensor (batch,).
            conditioning: the model's other inputs, in their order.

        Returns:
            (images, log_likelihood): int32 tensor of the images' shape, and float32 tensor (batch,) of nats under the
            model itself, whatever the temperature.
        """
        layers, width = self.graph.raster_layers, self.graph.image_shape[1]
        self._weights = [layer.prepare() for layer in layers]
        batch = ops.shape(images)[0]
        states = [layer.initial_state(w, batch, width) for layer, w in zip(layers, self._weights, strict=True)]
        biases, maps = self._conditioning(conditioning, batch)
        rows = {
            "given": _to_rows(images),
            "known": ops.transpose(known, (1, 2, 0)),
            "noise": _to_rows(noise),
            "biases": biases,
            "maps": maps,
        }

        def row(carry, row):
            states, total = carry
            states, values, log_prob = self._row(states, row, temperature)
            return (states, total + log_prob), values

        (_, log_likelihood), values = backend.scan(row, (states, ops.zeros_like(temperature)), rows)
        return ops.transpose(values, (2, 0, 1, 3)), log_likelihood

    def _conditioning(self, inputs, batch):
        """Conditioning maps as rows (height, width, batch, features): of raster layers, and beside the image."""
        others = [tensor for tensor in self.graph.model_inputs if id(tensor) != self.graph.image]
        values = {id(tensor): value for tensor, value in zip(others, inputs, strict=True)}
        for node in self.graph.conditioning:
            args, kwargs = node.arguments.fill_in(values)
            outputs = keras.tree.flatten(node.operation(*args, **kwargs))
            values.update((id(tensor), value) for tensor, value in zip(node.outputs, outputs, strict=True))

        def rows(value):
            shape = (batch, *self.graph.image_shape[:2], value.shape[-1])
            return _to_rows(ops.broadcast_to(value, shape))

        biases = [
            () if node.bias is None else keras.tree.map_structure(rows, node.operation.prepare_bias(values[node.bias]))
            for node in self.graph.nodes
            if node.raster is not None
        ]
        colours = self.graph.colours
        maps = [
            sort_features(rows(values[tensor]), feature_colours(values[tensor].shape[-1], colours))
            for tensor in self.graph.maps_beside_image()
        ]
        return biases, maps

    def _row(self, states, row, temperature):
        layers = list(zip(self.graph.raster_layers, self._weights, strict=True))
        contexts = [
            layer.enter_row(weights, state, bias)
            for (layer, weights), state, bias in zip(layers, states, row["biases"], strict=True)
        ]
        values, log_prob, records = ops.cond(
            ops.all(row["known"]),
            lambda: self._known_row(contexts, row),
            lambda: self._pixels(contexts, row, temperature),
        )
        states = [
            layer.leave_row(weights, state, context, record)
            for (layer, weights), state, context, record in zip(layers, states, contexts, records, strict=True)
        ]
        return states, values, log_prob

    def _known_row(self, contexts, row):
        """All pixels of a row at once."""
        features = self._start(row["maps"])
        features[self.graph.image] = self._split(row["given"])
        records = []
        for node in self.graph.nodes:
            if node.raster is None:
                features[node.output] = [self._pointwise(node, features, c) for c in range(self.graph.colours)]
            else:
                weights, context = self._weights[node.raster], contexts[node.raster]
                y, record = node.operation.row(weights, context, join(features[node.inputs[0]]))
                features[node.output] = self._split(y)
                records.append(record)
        logits = features[self.graph.output]
        given = features[self.graph.image]
        log_probs = [self._log_prob(given[c][..., 0], logits[c]) for c in range(self.graph.colours)]
        return row["given"], ops.sum(sum(log_probs), axis=0), records

    def _pixels(self, contexts, row, temperature):
        """A row from left to right."""
        layers = list(zip(self.graph.raster_layers, self._weights, strict=True))
        memories = [layer.initial_memory(weights, ops.shape(temperature)[0]) for layer, weights in layers]
        pixels = {"contexts": contexts, **{name: row[name] for name in ("given", "known", "noise", "maps")}}

        def pixel(carry, pixel):
            memories, total = carry
            memories, records, values, log_prob = self._pixel(memories, pixel, temperature)
            return (memories, total + log_prob), (values, records)

        (_, log_prob), (values, records) = backend.scan(pixel, (memories, ops.zeros_like(temperature)), pixels)
        return values, log_prob, records

    def _pixel(self, memories, pixel, temperature):
        """One pixel, its colours in turn."""
        layers = list(zip(self.graph.raster_layers, self._weights, strict=True))
        bases = [
            layer.enter_pixel(weights, context, memory)
            for (layer, weights), context, memory in zip(layers, pixel["contexts"], memories, strict=True)
        ]
        outputs = [[] for _ in layers]
        features = self._start(pixel["maps"])
        features |= {node.output: [] for node in self.graph.nodes} | {self.graph.image: []}
        log_prob = 0.0
        for colour in range(self.graph.colours):
            self._advance(features, bases, outputs, colour, predicts=True)
            logits = features[self.graph.output][colour]
            value = self._value(logits, pixel, colour, temperature)
            log_prob = log_prob + self._log_prob(value, logits)
            features[self.graph.image].append(ops.expand_dims(value, -1))
            self._advance(features, bases, outputs, colour, predicts=False)
        left = [
            layer.leave_pixel(weights, memory, inputs, output)
            for (layer, weights), memory, inputs, output in zip(
                layers, memories, [features[node.inputs[0]] for node in self._raster_nodes()], outputs, strict=True
            )
        ]
        memories, records = (list(part) for part in zip(*left, strict=True))
        return memories, records, join(features[self.graph.image]), log_prob

    def _advance(self, features, bases, outputs, colour, predicts):
        """Compute one colour of all nodes that come before its value is known, or of all that come after."""
        for node in self.graph.nodes:
            if node.predicts != predicts:
                continue
            if node.raster is None:
                features[node.output].append(self._pointwise(node, features, colour))
            else:
                weights, base = self._weights[node.raster], bases[node.raster]
                output = node.operation.step(weights, base, features[node.inputs[0]], colour)
                outputs[node.raster].append(output)
                features[node.output].append(output[0])

    def _value(self, logits, pixel, colour, temperature):
        """The given value where it is known, else one drawn from the logits."""
        class_logits = self.likelihood.class_logits(self._squeeze(logits))
        drawn = self.sampler(class_logits, pixel["noise"][:, colour], temperature)
        return ops.where(pixel["known"], pixel["given"][:, colour], drawn)

    def _log_prob(self, values, logits):
        return self.likelihood.log_prob(values, self._squeeze(logits))

    def _squeeze(self, logits):
        return logits[..., 0] if self.likelihood.levels == 2 else logits

    def _raster_nodes(self):
        return [node for node in self.graph.nodes if node.raster is not None]

    def _start(self, maps):
        return {tensor: self._split(x) for tensor, x in zip(self.graph.maps_beside_image(), maps, strict=True)}

    def _split(self, x):
        """Features (..., c) sorted by colour as a list, one entry per colour."""
        _, widths = by_colour(feature_colours(x.shape[-1], self.graph.colours))
        return [colour_slice(x, widths, colour) for colour in range(len(widths))]

    def _pointwise(self, node, features, colour):
        slices = {tensor: groups[colour] for tensor, groups in features.items() if colour < len(groups)}
        args, kwargs = node.arguments.fill_in(slices)
        return run_pointwise(node.operation, args, kwargs)


def _to_rows(x):
    """A map (batch, height, width, features) as rows (height, width, batch, features)."""
    return ops.transpose(x, (1, 2, 0, 3))
