"""A check that no future leaks into a model's predictions."""

import functools

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.inputs import image_shape_of, logits_of, other_inputs, stages_of
from pixel_zoo.layers import RasterLayer
from pixel_zoo.likelihoods import likelihood_of_logits

_TOLERANCE = 1e-5  # relative; rounding may differ this much between positions in a batch


class CausalityError(ValueError):
    """An output sees an input that it must not see.

    Attributes:
        output: (row, column, colour) of the first output that leaks.
        input: (row, column, colour) of the first input that it must not see, and sees.
    """

    def __init__(self, name: str, output: tuple[int, ...], seen: tuple[int, ...]) -> None:
        super().__init__(
            f"{name}: output {output} sees input {seen}, as (row, column, colour); it may see only what is before it"
        )
        self.output, self.input = output, seen


def check_causality(
    model: keras.Model | RasterLayer,
    input_shape: tuple[int, int, int] | None = None,
    batch_size: int = 64,
    seed: int = 0,
) -> None:
    """Check that every output depends on earlier inputs only: pixels in raster order, colours inside a pixel.

    For each position the check changes the values there and after it: no output before that position may change. A
    model's output must not see its own value either; a layer's output may, unless it has mask A. A model's other
    inputs, such as a label, stay the same: all outputs may see them.

    Args:
        model: a functional model from integer images (height, width, colours) to logits, a multi-scale model, whose
            stages are checked one by one, or a `RasterLayer`.
        input_shape: (height, width, features) of a layer's input; a model knows its own.
        batch_size: int, images at a time.
        seed: int, of the values drawn.

    Returns:
        None.

    Raises:
        CausalityError: with the first leaking pair of output and input.
        ValueError: if the input shape is missing or not static.

    Example:
    >>> import pixel_zoo as pz
    >>> check_causality(pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4))
    """
    if isinstance(model, RasterLayer):
        _check(model, lambda x: model(x, training=False), _probe_layer(model, input_shape, seed), batch_size)
        return
    for stage in stages_of(model):
        conditions = _constant_conditions(stage, batch_size, seed)
        logits = functools.partial(logits_of, stage, conditions=conditions)
        _check(stage, logits, _probe_model(stage, seed), batch_size)


def _check(model, outputs, probe, batch_size):
    """Raise a CausalityError if an output sees what it must not see."""
    run = backend.compiled(outputs, model.variables, xla=False)
    leak = _first_leak(lambda x: ops.convert_to_numpy(run(x)), probe, batch_size)
    if leak is not None:
        raise CausalityError(model.name, *leak)


class _Probe:
    """Two inputs that differ in every value, and the order of their values.

    Attributes:
        first, second: inputs (height, width, features) that differ in every value.
        rank: int array of the inputs' shape, position of each value in the order pixel by pixel, colour by colour.
        output_ranks: maps the number of output features to an array like `rank`: the first position that an output must
            not see.
    """

    def __init__(self, first, second, colours, sees_itself):
        self.first, self.second, self.colours, self.sees_itself = first, second, colours, sees_itself
        self.rank = self._ranks(first.shape[-1])

    def _ranks(self, features):
        height, width, _ = self.first.shape
        pixels = np.arange(height * width).reshape(height, width, 1)
        return pixels * self.colours + np.arange(features) % self.colours

    def hidden_from(self, outputs):
        """The first position that each output (height, width, features) of an array (batch, ...) must not see."""
        features = outputs.shape[3]
        return self._ranks(features) + (1 if self.sees_itself else 0)


def _probe_model(model, seed):
    shape = image_shape_of(model)
    if len(shape) != 3 or None in shape:
        raise ValueError(f"model must take images of static shape (height, width, colours), got {shape}")
    levels = likelihood_of_logits(model.outputs[0].shape).levels
    draw = np.random.default_rng(seed)
    first = draw.integers(0, levels, shape)
    second = (first + draw.integers(1, levels, shape)) % levels
    return _Probe(first.astype("int32"), second.astype("int32"), shape[-1], sees_itself=False)


def _constant_conditions(model, batch_size, seed):
    """Values of a model's inputs other than the image, the same for all images: 0 for integers, such as a label."""
    draw = np.random.default_rng(seed)

    def value(tensor):
        shape, integer = tensor.shape[1:], np.issubdtype(tensor.dtype, np.integer)
        one = np.zeros(shape) if integer else draw.normal(size=shape)
        return np.broadcast_to(one, (batch_size, *shape)).astype(tensor.dtype)

    return {tensor.name: value(tensor) for tensor in other_inputs(model)}


def _probe_layer(layer, input_shape, seed):
    if input_shape is None or len(input_shape) != 3:
        raise ValueError(f"input_shape of a layer must be given as (height, width, features), got {input_shape!r}")
    draw = np.random.default_rng(seed)
    first, second = draw.normal(size=(2, *input_shape)).astype("float32")
    return _Probe(first, second, layer.colours, layer.sees_itself)


def _first_leak(run, probe, batch_size):
    """The first (output, input) pair that leaks, or None."""
    positions = probe.rank.max() + 1
    reference = run(np.repeat(probe.first[None], batch_size, axis=0))[:1]
    hidden = probe.hidden_from(reference)
    for start in range(0, positions, batch_size):
        cuts = np.minimum(np.arange(start, start + batch_size), positions)
        changed = _changed(run, probe, probe.rank >= cuts[:, None, None, None], reference)
        leaks = changed & (hidden <= cuts[:, None, None, None])
        if leaks.any():
            cut = int(cuts[np.argmax(leaks.any(axis=(1, 2, 3)))])
            output = tuple(int(i) for i in np.argwhere(leaks[cut - start])[0])
            return output, _culprit(run, probe, reference, output, cut, batch_size)
    return None


def _culprit(run, probe, reference, output, cut, batch_size):
    """The first single input at or after `cut` that changes `output`; `cut` itself if none does it alone."""
    later = np.argwhere(probe.rank >= cut)
    later = later[np.argsort(probe.rank[tuple(later.T)], kind="stable")]
    for start in range(0, len(later), batch_size):
        some = later[start : start + batch_size]
        mask = np.zeros((batch_size, *probe.rank.shape), bool)
        mask[np.arange(len(some)), *some.T] = True
        changed = _changed(run, probe, mask, reference)[:, *output]
        if changed.any():
            return tuple(int(i) for i in some[np.argmax(changed)])
    return tuple(int(i) for i in later[0])


def _changed(run, probe, mask, reference):
    """Which outputs (batch, height, width, features) change if the masked inputs do."""
    outputs = run(np.where(mask, probe.second, probe.first))
    difference = np.abs(outputs.astype("float64") - reference)
    changed = ~(difference <= _TOLERANCE * (1 + np.abs(reference)))  # NaN counts as a change
    return changed.reshape(*changed.shape[:4], -1).any(axis=-1)
