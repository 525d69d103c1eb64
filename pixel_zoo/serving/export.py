"""Export to a SavedModel for TensorFlow Serving."""

import os
import pathlib
import shutil
import tempfile

import keras
from keras import ops

from pixel_zoo import backend
from pixel_zoo.inputs import join_inputs, other_inputs
from pixel_zoo.layers.checks import positive_integer
from pixel_zoo.likelihoods import bits_per_dim, likelihood_of_logits, log_likelihood
from pixel_zoo.sampling import Sampler, Walker


def export(model, path, version=1, jit_compile=False):
    """Write a SavedModel with the signatures `score` (also `serving_default`), `sample` and `complete`.

    | signature | inputs | outputs |
    |---|---|---|
    | `score` | `image` uint8 [n,H,W,C] | `log_likelihood` float32 [n] in nats, `bits_per_dim` float32 [n] |
    | `sample` | `seed` int64 [n], `temperature` float32 [n] | `image` uint8 [n,H,W,C], `log_likelihood` float32 [n] |
    | `complete` | `image`, `known` bool [n,H,W], `seed`, `temperature` | as `sample` |

    Each takes what the model is given beside the image too: `label` int64 [n], `vector` float32 [n,d], or whatever the
    inputs of a model composed by hand are called (int64 or float32).

    Images are int32 for models of more than 256 levels. The signatures need TensorFlow alone; the same seeds give the
    same images as `generate` and `complete`. Values outside the levels, labels outside the
    classes and temperatures below 0 are answered with INVALID_ARGUMENT; what an image holds where it is not known is
    not looked at.

    Args:
        model: a functional model of raster layers, such as `pixel_zoo.models.PixelCNN`.
        path: directory of the served model; its versions are directories inside it.
        version: int, the version to write, as directory `path/version`.
        jit_compile: bool, whether `sample` and `complete` are compiled with XLA. Most models draw faster then, but a
            server compiles them anew for each batch size that comes, which takes seconds, for deep models a minute:
            let it batch to a few sizes, and warm them up. On a CPU, TensorFlow Serving must be started with
            `--xla_cpu_compilation_enabled`.

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
        os.chmod(temporary, 0o755)
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def _signatures(model, jit_compile):
    """The concrete functions by name."""
    import tensorflow as tf

    walker = Walker(model, Sampler())
    height, width, colours = image_shape = walker.graph.image_shape
    levels = likelihood_of_logits(model.outputs[0].shape).levels
    image_dtype = tf.uint8 if levels <= 256 else tf.int32
    image = tf.TensorSpec((None, height, width, colours), image_dtype, name="image")
    known = tf.TensorSpec((None, height, width), tf.bool, name="known")
    seed = tf.TensorSpec((None,), tf.int64, name="seed")
    temperature = tf.TensorSpec((None,), tf.float32, name="temperature")
    others = [_spec_of_other(tensor) for tensor in other_inputs(model)]

    # What checks the request stays outside: XLA would leave it out.
    compiled_walker = backend.compiled(walker, model.variables, xla=jit_compile)

    def walk(seed, temperature, given, images=None, known=None):
        _check_temperature(temperature)
        noise = backend.uniform_noise(_seed_words(seed), image_shape)
        values, nats = compiled_walker(noise, temperature, images, known, _checked(model, given))
        return {"image": tf.cast(values, image_dtype), "log_likelihood": nats}

    def score(image, *given):
        images = tf.cast(image, tf.int32)
        _check_values(images, levels)
        nats = log_likelihood(images, model(join_inputs(model, images, _checked(model, given)), training=False))
        return {"log_likelihood": nats, "bits_per_dim": bits_per_dim(-nats, image_shape)}

    def sample(seed, temperature, *given):
        return walk(seed, temperature, given)

    def complete(image, known, seed, temperature, *given):
        images = tf.where(known[..., None], tf.cast(image, tf.int32), 0)
        _check_values(images, levels)
        return walk(seed, temperature, given, images, known)

    def concrete(function, *specs):
        return tf.function(function, autograph=False).get_concrete_function(*specs)

    return {
        "score": concrete(score, image, *others),
        "sample": concrete(sample, seed, temperature, *others),
        "complete": concrete(complete, image, known, seed, temperature, *others),
    }


def _spec_of_other(tensor):
    """How a request holds a symbolic input beside the image."""
    import tensorflow as tf

    dtype = tf.as_dtype(tensor.dtype)
    return tf.TensorSpec(tensor.shape, tf.int64 if dtype.is_integer else dtype, name=tensor.name)


def _checked(model, given):
    """The values of a model's inputs beside the image, labels checked."""
    classes = getattr(model, "num_classes", None)  # of a bare functional model nothing is known
    names = [tensor.name for tensor in other_inputs(model)]
    return [
        value if classes is None or name != "label" else _check_label(value, classes)
        for name, value in zip(names, given, strict=True)
    ]


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


def _check_values(images, levels):
    import tensorflow as tf

    inside = tf.reduce_all((images >= 0) & (images < levels))
    tf.debugging.Assert(inside, [f"image: values must be 0..{levels - 1}, got", ops.min(images), ops.max(images)])


def _check_temperature(temperature):
    import tensorflow as tf

    good = tf.reduce_all((temperature >= 0) & tf.math.is_finite(temperature))
    tf.debugging.Assert(good, ["temperature: must be a finite number of at least 0, got", temperature])
