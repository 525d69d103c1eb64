"""Export to a SavedModel for TensorFlow Serving."""

import functools
import os
import pathlib
import shutil
import tempfile

import keras
from keras import ops

from pixel_zoo import backend
from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import join_inputs, other_inputs
from pixel_zoo.likelihoods import bits_per_dim, log_likelihood, log_probabilities
from pixel_zoo.sampling import Sampler, Walker
from pixel_zoo.serving.warm_up import BATCH_SIZES, write_warm_up


def export(model, path, version=1, jit_compile=False):
    """Write a SavedModel that scores, draws, completes and explains images.

    | signature | inputs | outputs |
    |---|---|---|
    | `score`, `serving_default` | `image` uint8 [n,H,W,C] | `log_likelihood` float32 [n] in nats, `bits_per_dim` [n] |
    | `log_probabilities` | `image` | `log_probability` float32 [n,H,W,C,levels] in nats, given the values before |
    | `sample` | `seed` int64 [n], `temperature` float32 [n] | `image` uint8 [n,H,W,C], `log_likelihood` float32 [n] |
    | `complete` | `image`, `known` bool [n,H,W], `seed`, `temperature` | as `sample` |
    | `upscale`, of multi-scale models alone | `small` uint8 [n,h,w,C], `seed`, `temperature` | as `sample` |

    Each takes what the model is given beside the image too: `label` int64 [n], `vector` float32 [n,d], or whatever the
    inputs of a model composed by hand are called (int64 or float32).

    Images are int32 for models of more than 256 levels. The signatures need TensorFlow alone; the same seeds give the
    same images as `generate` and `complete`. Other shapes, values outside the levels, labels outside the
    classes and temperatures below 0 are answered with INVALID_ARGUMENT; what an image holds where it is not known is
    not looked at.

    Args:
        model: a functional model of raster layers, such as `pixel_zoo.models.PixelCNN`, or a multi-scale model.
        path: directory of the served model; its versions are directories inside it.
        version: int, the version to write, as directory `path/version`.
        jit_compile: bool, whether `sample` and `complete` are compiled with XLA. Most models draw faster then, but a
            server compiles them anew for each batch size that comes, which takes seconds, for deep models a minute:
            let it batch to those that it warms up with, 1, 4, 16 and 64. On a CPU, TensorFlow Serving must be started
            with `--xla_cpu_compilation_enabled`.

    Returns:
        pathlib.Path of `path/version`.

    Raises:
        RuntimeError: if the backend is not TensorFlow.
        FileExistsError: if that version exists already.
        ValueError: if the version is not an integer of at least 1, or `jit_compile` no bool.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"export needs KERAS_BACKEND=tensorflow, got {keras.backend.backend()!r}; .keras files load there"
        )
    import tensorflow as tf

    if not isinstance(jit_compile, bool):
        raise ValueError(f"jit_compile must be True or False, got {jit_compile!r}")
    target = pathlib.Path(path) / str(positive_integer("version", version))
    if target.exists():
        raise FileExistsError(f"version: {str(target)!r} exists already; choose another version")
    signatures = _signatures(model, jit_compile)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        module = tf.Module()
        module.weights = [variable.value for variable in model.variables]
        tf.saved_model.save(module, temporary, signatures={**signatures, "serving_default": signatures["score"]})
        write_warm_up(temporary, BATCH_SIZES if jit_compile else BATCH_SIZES[:1])
        os.chmod(temporary, 0o755)
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def _signatures(model, jit_compile):
    """The concrete functions by name."""
    import tensorflow as tf

    stages = [_Stage(stage, jit_compile) for stage in getattr(model, "stages", [model])]
    image_shape, levels = stages[-1].image_shape, stages[-1].levels
    height, width, colours = image_shape
    image_dtype = tf.uint8 if levels <= 256 else tf.int32
    image = tf.TensorSpec((None, height, width, colours), image_dtype, name="image")
    small = tf.TensorSpec((None, *stages[0].image_shape), image_dtype, name="small")
    known = tf.TensorSpec((None, height, width), tf.bool, name="known")
    seed = tf.TensorSpec((None,), tf.int64, name="seed")
    temperature = tf.TensorSpec((None,), tf.float32, name="temperature")
    others = other_inputs(stages[0].model)  # every stage takes them; all but the first take a smaller image too

    def named(given):
        return {tensor.name: _checked(model, tensor, value) for tensor, value in zip(others, given, strict=True)}

    def score(image, *given):
        images, values = _checked_images(image, levels), named(given)
        nats = 0.0
        for stage in stages:
            part = stage.part_of(images, image_shape)
            nats, values = nats + stage.score(part, values), values | {"small": part}
        return {"log_likelihood": nats, "bits_per_dim": bits_per_dim(-nats, image_shape)}

    def expect(image, *given):
        """As `MultiScalePixelRNN.log_probabilities`: every stage's expectation, given the image of the one before."""
        images, values = _checked_images(image, levels), named(given)
        expected = []
        for stage in stages:
            part = stage.part_of(images, image_shape)
            expected.append(stage.log_probabilities(part, values))
            values = values | {"small": part}
        return {"log_probability": model.merge(expected) if len(stages) > 1 else expected[0]}

    def walk(seed, temperature, values, images_and_known=(), small=None):
        """Draw the stages' images, each given the one before; the first is `small` where that is given."""
        _check_temperature(temperature)
        drawn, nats = small, 0.0
        for stream, stage in enumerate(stages):
            if drawn is not None:
                values = values | {"small": drawn}
            if stream > 0 or small is None:
                parts = [stage.part_of(x, image_shape) for x in images_and_known]
                noise = backend.uniform_noise(_seed_words(seed), stage.image_shape, stream)
                drawn, more = stage.draw(noise, temperature, values, parts)
                nats = nats + more
        return {"image": tf.cast(drawn, image_dtype), "log_likelihood": nats}

    def sample(seed, temperature, *given):
        return walk(seed, temperature, named(given))

    def complete(image, known, seed, temperature, *given):
        images = _checked_images(tf.where(known[..., None], image, tf.zeros_like(image)), levels)
        return walk(seed, temperature, named(given), (images, known))

    def upscale(small, seed, temperature, *given):
        return walk(seed, temperature, named(given), small=_checked_images(small, levels, name="small"))

    def concrete(function, *specs):
        specs = [*specs, *(_spec_of_other(tensor) for tensor in others)]

        @functools.wraps(function)
        def checked(*tensors):  # a server's session takes what it is fed, of any shape
            return function(*(tf.ensure_shape(x, spec.shape) for x, spec in zip(tensors, specs, strict=True)))

        return tf.function(checked, autograph=False).get_concrete_function(*specs)

    signatures = {
        "score": concrete(score, image),
        "log_probabilities": concrete(expect, image),
        "sample": concrete(sample, seed, temperature),
        "complete": concrete(complete, image, known, seed, temperature),
    }
    return signatures | ({"upscale": concrete(upscale, small, seed, temperature)} if len(stages) > 1 else {})


class _Stage:
    """A functional model as signatures run it; what checks the request stays outside: XLA would leave it out."""

    def __init__(self, model, jit_compile):
        walker = Walker(model, Sampler())
        self.model, self.image_shape, self.levels = model, walker.graph.image_shape, walker.likelihood.levels
        self._walk = backend.compiled(walker, model.variables, xla=jit_compile)

    def part_of(self, x, image_shape):
        """This stage's rows and columns of images or masks (batch, height, width, ...) of the last stage."""
        rows, columns = (large // own for large, own in zip(image_shape[:2], self.image_shape[:2], strict=True))
        return x[:, ::rows, ::columns]

    def score(self, images, values):
        return log_likelihood(images, self._logits(images, values))

    def log_probabilities(self, images, values):
        return log_probabilities(self._logits(images, values))

    def draw(self, noise, temperature, values, images_and_known):
        images, known = images_and_known or (None, None)
        return self._walk(noise, temperature, images, known, self._others(values))

    def _logits(self, images, values):
        return self.model(join_inputs(self.model, images, self._others(values)), training=False)

    def _others(self, values):
        return [values[tensor.name] for tensor in other_inputs(self.model)]


def _spec_of_other(tensor):
    """How a request holds a symbolic input beside the image."""
    import tensorflow as tf

    dtype = tf.as_dtype(tensor.dtype)
    return tf.TensorSpec(tensor.shape, tf.int64 if dtype.is_integer else dtype, name=tensor.name)


def _checked(model, tensor, value):
    """The value of a symbolic input beside the image, checked if it is a label."""
    num_classes = getattr(model, "num_classes", None)  # of a bare functional model nothing is known
    return value if num_classes is None or tensor.name != "label" else _check_label(value, num_classes)


def _check_label(label, num_classes):
    """The labels, cut to the classes: what reads them might fail first, and would not name them."""
    import tensorflow as tf

    inside = tf.reduce_all((label >= 0) & (label < num_classes))
    tf.debugging.Assert(inside, [f"label: must be 0..{num_classes - 1}, got", ops.min(label), ops.max(label)])
    return tf.clip_by_value(label, 0, num_classes - 1)


def _seed_words(seed):
    """The high and low uint32 words of int64 seeds."""
    import tensorflow as tf

    bits = tf.bitcast(seed, tf.uint64)
    high = tf.bitwise.right_shift(bits, tf.constant(32, tf.uint64))
    return tf.cast(high, tf.uint32), tf.cast(
        tf.bitwise.bitwise_and(bits, tf.constant(0xFFFFFFFF, tf.uint64)), tf.uint32
    )


def _checked_images(images, levels, name="image"):
    """The images as int32, cut to the levels: what reads them might fail first, and would not name them."""
    import tensorflow as tf

    images = tf.cast(images, tf.int32)
    inside = tf.reduce_all((images >= 0) & (images < levels))
    tf.debugging.Assert(inside, [f"{name}: values must be 0..{levels - 1}, got", ops.min(images), ops.max(images)])
    return tf.clip_by_value(images, 0, levels - 1)


def _check_temperature(temperature):
    import tensorflow as tf

    good = tf.reduce_all((temperature >= 0) & tf.math.is_finite(temperature))
    tf.debugging.Assert(good, ["temperature: must be a finite number of at least 0, got", temperature])
