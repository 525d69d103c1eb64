"""The few things that `keras.ops` lacks: a scan that trains under XLA, a compiler, and counter-based noise.

Among the modules that run on every backend, this is the only one that calls TensorFlow or JAX directly.
"""

import contextlib
import contextvars
import functools
import logging
import sys
import types

import keras
import numpy as np
from keras import ops

if keras.backend.backend() not in ("tensorflow", "jax"):
    raise ImportError(
        f"pixel_zoo runs on the Keras backends 'tensorflow' and 'jax', got {keras.backend.backend()!r}: "
        "set the environment variable KERAS_BACKEND to one of them before Keras is imported"
    )


def scan(function, init, xs, reverse=False):
    """Fold `function` over the leading axis of `xs`, as `jax.lax.scan` does.

    Unlike with `keras.ops.scan`, the outputs of a step may differ from the carry in structure, shape and dtype. On
    TensorFlow the loop has a static maximum of iterations, so that it can be differentiated under XLA.

    Args:
        function: maps (carry, x) to (carry, y).
        init: the first carry, any structure of tensors.
        xs: structure of tensors, all of the same static length in axis 0.
        reverse: whether to run from the last step to the first; `ys` keep the order of `xs`.

    Returns:
        (carry, ys), the last carry and the outputs of all steps stacked along a new axis 0.

    Example:
    >>> total, sums = scan(lambda total, x: (total + x, total + x), np.int32(0), np.arange(4, dtype="int32"))
    >>> int(total), [int(s) for s in sums]
    (6, [0, 1, 3, 6])
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.lax.scan(function, init, xs, reverse=reverse)
    return _tensorflow_scan(function, init, xs, reverse)


def _tensorflow_scan(function, init, xs, reverse):
    import tensorflow as tf

    init, xs = keras.tree.map_structure(tf.convert_to_tensor, (init, xs))
    length = keras.tree.flatten(xs)[0].shape[0]
    if tf.executing_eagerly() and length:
        return _eager_scan(function, init, xs, reverse)
    inputs = keras.tree.map_structure(lambda x: tf.TensorArray(x.dtype, length).unstack(x), xs)

    def spec(tensor, drop):
        return tf.TensorSpec(tensor.shape[drop:], tensor.dtype)

    # Output dtypes and shapes must be known before the loop: trace one step, which the loop then calls.
    specs = keras.tree.map_structure(lambda t: spec(t, 0), init), keras.tree.map_structure(lambda t: spec(t, 1), xs)
    step = tf.function(lambda carry, x: function(carry, x), autograph=False).get_concrete_function(*specs)
    y_specs = step.structured_outputs[1]
    arrays = [tf.TensorArray(y.dtype, length, element_shape=y.shape) for y in keras.tree.flatten(y_specs)]

    def body(i, carry, arrays):
        j = length - 1 - i if reverse else i
        carry, y = step(carry, keras.tree.map_structure(lambda array: array.read(j), inputs))
        return i + 1, carry, [array.write(j, part) for array, part in zip(arrays, keras.tree.flatten(y), strict=True)]

    _, carry, arrays = tf.while_loop(
        lambda i, *_: i < length, body, (tf.constant(0), init, arrays), maximum_iterations=length
    )
    return carry, keras.tree.pack_sequence_as(y_specs, [array.stack() for array in arrays])


def _eager_scan(function, carry, xs, reverse):
    """Run the steps as they come: tracing one would take longer than most loops."""
    import tensorflow as tf

    steps = zip(*map(tf.unstack, keras.tree.flatten(xs)), strict=True)
    steps, ys = [keras.tree.pack_sequence_as(xs, step) for step in steps], []
    for x in reversed(steps) if reverse else steps:
        carry, y = function(carry, x)
        ys.append(y)
    return carry, keras.tree.map_structure(lambda *parts: tf.stack(parts[::-1] if reverse else parts), *ys)


def split(x, sizes, axis=-1):
    """Split a tensor along an axis into parts of static sizes, by one operation: `keras.ops.split` computes them.

    Returns:
        List of tensors; `[x]` if there is but one part.

    Example:
    >>> [part.shape[0] for part in split(np.zeros(5), [2, 3])]
    [2, 3]
    """
    if len(sizes) == 1:
        return [x]
    if keras.backend.backend() != "tensorflow":
        return ops.split(x, np.cumsum(sizes[:-1]).tolist(), axis=axis)
    import tensorflow as tf

    return tf.split(x, sizes, axis=axis)


def take(x, indices, axis):
    """Entries of a tensor along an axis, as `keras.ops.take`, in fewer operations; none if all stay where they are.

    Args:
        x: tensor of static length along the axis.
        indices: int NumPy array (count,).
        axis: int.

    Example:
    >>> [int(value) for value in take(np.array([5, 6, 7]), np.array([2, 0]), axis=0)]
    [7, 5]
    """
    if np.array_equal(indices, np.arange(x.shape[axis])):
        return ops.convert_to_tensor(x)
    if keras.backend.backend() != "tensorflow":
        return ops.take(x, indices, axis=axis)
    import tensorflow as tf

    return tf.gather(x, indices, axis=axis)


def matmul(a, b, dtype):
    """The matrix product of two tensors in a dtype as wide as theirs or wider.

    On JAX sums of half precision are kept in `dtype`. TensorFlow rounds them to half precision first.
    """
    if keras.backend.backend() == "jax":
        import jax.numpy as jnp

        return jnp.matmul(a, b, preferred_element_type=dtype)
    return ops.cast(ops.matmul(a, b), dtype)


def slice_update(x, start, update):
    """`keras.ops.slice_update` for a static start, by an operation that every server supports.

    On TensorFlow, Keras uses an operation of XLA. In a graph that XLA does not compile, that operation is compiled for
    each new shape, and servers may not have the compiler.

    Args:
        x: tensor.
        start: tuple of ints, one for each axis.
        update: tensor of the same rank and dtype.

    Returns:
        `x` with `update` written at `start`.

    Example:
    >>> [int(value) for value in slice_update(np.zeros(4, "int32"), (1,), np.array([7, 8], "int32"))]
    [0, 7, 8, 0]
    """
    if 0 in update.shape:
        return x  # XLA has no kernel for the operation below without anything to write
    if keras.backend.backend() != "tensorflow":
        return ops.slice_update(x, start, update)
    import tensorflow as tf

    stop = tf.shape(update) + start
    return tf.raw_ops.TensorStridedSliceUpdate(input=x, begin=start, end=stop, strides=[1] * len(start), value=update)


@contextlib.contextmanager
def keep_values(variables):
    """Restore the values of Keras variables if Keras loses them.

    On JAX, `fit` and `evaluate` move the values of all variables into a separate state and lose them if the first
    step fails, for example because of its data.

    Args:
        variables: list of Keras variables.
    """
    values = [variable.value for variable in variables] if keras.backend.backend() == "jax" else []
    try:
        yield
    except BaseException:
        for variable, value in zip(variables, values, strict=False):
            if variable._value is None:
                variable.assign(value)
        raise


def is_tf_dataset(x):
    """Whether `x` is a tf.data pipeline; does not import TensorFlow.

    Example:
    >>> is_tf_dataset(np.zeros(3))
    False
    """
    return "tensorflow" in sys.modules and isinstance(x, sys.modules["tensorflow"].data.Dataset)


def specs_of_dataset(dataset):
    """What is known of a batch of a tf.data pipeline before it runs.

    Returns:
        A structure as that of a batch. For each plain tensor it has an object of two attributes: `shape`, a tuple with
        None for what is not known, or None if the rank is not known, and `dtype`, of NumPy. For others it has None.
    """
    import tensorflow as tf

    def spec_of(spec):
        if not isinstance(spec, tf.TensorSpec):
            return None
        shape = None if spec.shape.rank is None else tuple(spec.shape)
        return types.SimpleNamespace(shape=shape, dtype=spec.dtype.as_numpy_dtype)

    return tf.nest.map_structure(spec_of, dataset.element_spec)


def check_batches(dataset, expected):
    """A tf.data pipeline that fails on batches of another shape, or with values outside of 0..most.

    The check runs in the pipeline, on the host. It holds for any backend, whether the model is compiled or not: in a
    step compiled by XLA, TensorFlow ignores assertions. Where a pipeline leaves a shape open, its batches have it after
    the check.

    Args:
        dataset: `tf.data.Dataset`.
        expected: maps a batch to a list of (name for the error, verb for the error, tensor, shape of an entry, largest
            value allowed), None for a shape or value that is not checked.
    """
    import tensorflow as tf

    def check(*batch):
        batch = batch if isinstance(dataset.element_spec, tuple) else batch[0]
        checked = {}
        for name, verb, values, shape, most in expected(batch):
            if shape is not None and not values.shape[1:].is_fully_defined():
                right = tf.equal(tf.strings.format("{}", tf.shape(values)[1:]), f"[{' '.join(map(str, shape))}]")
                text = f"{name} must have shape (batch, {str(shape)[1:]}, got {{}}"
                wrong = tf.strings.format(text, tf.shape(values))
                with tf.control_dependencies([tf.debugging.Assert(right, [wrong])]):
                    checked[id(values)] = tf.ensure_shape(values, (None, *shape))
            if most is None or values.dtype.is_bool or (values.dtype.min >= 0 and values.dtype.max <= most):
                continue
            low, high = tf.reduce_min(values), tf.reduce_max(values)
            empty = tf.equal(tf.size(values), 0)
            in_range = empty | ((low >= 0) & (tf.cast(high, tf.int64) <= most))
            wrong = tf.strings.format(f"{name} must {verb} 0..{most}, got {{}}..{{}}", (low, high))
            tf.debugging.Assert(in_range, [wrong])
        return tf.nest.map_structure(lambda leaf: checked.get(id(leaf), leaf), batch)

    return dataset.map(check)


def on_accelerator():
    """Whether computations run on a GPU or TPU, where many small steps cost more than few large ones.

    Example:
    >>> on_accelerator() in (True, False)
    True
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    import tensorflow as tf

    return any(device.device_type != "CPU" for device in tf.config.list_logical_devices())


def free_memory():
    """How many bytes of memory are free where computations run, or None if that cannot be known.

    Example:
    >>> free_memory() is None or free_memory() > 0
    True
    """
    if on_accelerator():
        if keras.backend.backend() != "jax":
            return None  # TensorFlow takes all memory at once, and does not tell how much of it is in use
        import jax

        memory = jax.devices()[0].memory_stats() or {}
        return memory["bytes_limit"] - memory["bytes_in_use"] if "bytes_limit" in memory else None
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            (line,) = (line for line in file if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        return None


def accelerators():
    """The names of the GPUs and TPUs that computations run on: a list of str, empty on a CPU.

    Example:
    >>> len(accelerators()) > 0 or not on_accelerator()
    True
    """
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    import tensorflow as tf

    devices = [device for device in tf.config.list_physical_devices() if device.device_type != "CPU"]
    return [tf.config.experimental.get_device_details(device).get("device_name", device.name) for device in devices]


def compiled_step(function, **options):
    """Compile a training step for JAX, as `jax.jit` does, by the compiler that trains faster.

    On a CPU, XLA hands convolutions and sums to a library, YNNPACK, with which training steps are slower. So it is left
    out, if this version of XLA has it.

    Args:
        function: the step.
        **options: of `jax.jit`.

    Returns:
        A function of the same arguments.
    """
    import jax

    return jax.jit(function, compiler_options=None if on_accelerator() else _options_without_ynnpack(), **options)


@functools.cache
def _options_without_ynnpack():
    """XLA's options that turn YNNPACK off, or None if it has no such options."""
    import jax

    options = {"xla_cpu_experimental_ynn_fusion_type": ""}
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return None
    return options


def compiled(function, variables, xla=True):
    """Compile a function of tensors that reads Keras variables.

    Args:
        function: maps tensors to a structure of tensors.
        variables: every Keras variable that it reads. Each call sees their current values.
        xla: on TensorFlow, whether to compile with XLA; JAX always does.

    Returns:
        A function of the same arguments, compiled once for each combination of shapes and dtypes.
    """
    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def pure(values, *args):
            with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
                return function(*args)

        return lambda *args: pure([variable.value for variable in variables], *args)
    import tensorflow as tf

    traced = tf.function(_with_xla(function) if xla else function, autograph=False, jit_compile=xla)
    # TensorFlow counts traces by source code, so that it warns of one trace for each of several models.
    traced._omit_frequent_tracing_warning = True
    return traced


_xla = contextvars.ContextVar("_xla", default=False)


def _with_xla(function):
    """The function, during which `compiles_with_xla` is true."""

    @functools.wraps(function)
    def run(*args, **kwargs):
        before = _xla.set(True)
        try:
            return function(*args, **kwargs)
        finally:
            _xla.reset(before)

    return run


def compiles_with_xla():
    """Whether the code that asks is traced for XLA, by `compiled`; it always is on JAX.

    Example:
    >>> compiles_with_xla() == (keras.backend.backend() == "jax")
    True
    """
    return keras.backend.backend() == "jax" or _xla.get()


def ignore_retracing_of_fit():
    """Make TensorFlow stop warning that `fit` and the like of several models were each traced once."""
    logger = logging.getLogger("tensorflow")
    if _is_no_retracing_of_fit not in logger.filters:
        logger.addFilter(_is_no_retracing_of_fit)


def _is_no_retracing_of_fit(record):
    message = record.getMessage()
    return not ("triggered tf.function retracing" in message and "TensorFlowTrainer" in message)


def start_trace(directory):
    """Start a recording for TensorBoard's profiler.

    Args:
        directory: where `stop_trace` writes the trace, below `plugins/profile/`.
    """
    if keras.backend.backend() == "jax":
        import jax

        jax.profiler.start_trace(str(directory))
    else:
        import tensorflow as tf

        tf.profiler.experimental.start(str(directory))


def stop_trace():
    """Stop the recording and write it to disk."""
    if keras.backend.backend() == "jax":
        import jax

        jax.profiler.stop_trace()
    else:
        import tensorflow as tf

        tf.profiler.experimental.stop()


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry_2x32(key, counter):
    """Threefry-2x32 with 20 rounds (Salmon et al., *Parallel Random Numbers: As Easy as 1, 2, 3*, 2011).

    Args:
        key: two uint32 tensors.
        counter: two uint32 tensors, of shapes that broadcast with the key's.

    Returns:
        Two uint32 tensors of random bits, a function of key and counter alone.

    Example:
    >>> zero = np.zeros((), "uint32")
    >>> [hex(int(word)) for word in threefry_2x32((zero, zero), (zero, zero))]
    ['0x6b200159', '0x99ba4efe']
    """

    def word(number):
        return ops.convert_to_tensor(np.uint32(number), dtype="uint32")

    # TensorFlow 2.21 adds uint32 tensors (n, 1) and (n, n) wrongly, so bitwise operations broadcast all to one shape.
    words = [ops.convert_to_tensor(w, dtype="uint32") for w in (*key, *counter)]
    common = functools.reduce(ops.bitwise_xor, words)
    *key, first, second = (ops.bitwise_or(w, ops.bitwise_xor(common, common)) for w in words)
    counter = first, second
    key.append(ops.bitwise_xor(ops.bitwise_xor(key[0], key[1]), word(0x1BD11BDA)))
    x, y = (c + k for c, k in zip(counter, key[:2], strict=True))
    for injection in range(1, 6):
        for rotation in _ROTATIONS[(injection - 1) % 2]:
            x = x + y  # `ops.add` would make three operations of it for a batch of 1
            rotated = ops.bitwise_or(ops.left_shift(y, word(rotation)), ops.right_shift(y, word(32 - rotation)))
            y = ops.bitwise_xor(rotated, x)
        x = x + key[injection % 3]
        y = y + key[(injection + 1) % 3] + word(injection)
    return x, y


def uniform_noise(seeds, shape, stream=0):
    """One uniform number for each value of an image, per image from that image's own seed.

    Args:
        seeds: two uint32 tensors of shape (batch,), the high and low words of 64-bit seeds.
        shape: the shape of one image, (height, width, channels).
        stream: int or scalar tensor, which of a seed's independent streams of numbers.

    Returns:
        float32 tensor (batch, height, width, channels) of numbers (k + 0.5) * 2**-23, the middles of 2**23 cells. All
        are exact in float32, so that neither 0 nor 1 comes up, and 1 - u is as likely as u. They depend on the seed,
        the stream and the position alone, whatever the batch and the backend.

    Example:
    >>> noise = uniform_noise((np.zeros(2, "uint32"), np.array([7, 8], "uint32")), (2, 2, 1))
    >>> noise.shape[0], noise.shape[1:] == (2, 2, 1)
    (2, True)
    """
    high, low = (ops.expand_dims(ops.convert_to_tensor(s, dtype="uint32"), 1) for s in seeds)
    position = np.arange(np.prod(shape), dtype="uint32")[None]
    bits, _ = threefry_2x32((low, high), (position, stream))
    return ops.reshape(uniform_of_bits(bits), (-1, *shape))


def particle_seeds(seeds, count, stream=0):
    """Seeds of `count` particles for each image, from that image's own seed.

    Args:
        seeds: two uint32 tensors of shape (batch,), the high and low words of 64-bit seeds.
        count: int.
        stream: int below 2**31, which of a seed's independent sets of particles.

    Returns:
        Two uint32 tensors (batch * count,), those of the first image first. Particle 0 has the image's own seed.

    Example:
    >>> high, low = particle_seeds((np.zeros(2, "uint32"), np.array([7, 8], "uint32")), 3)
    >>> high.shape[0], [int(low[particle]) for particle in (0, 3)]
    (6, [7, 8])
    """
    high, low = (ops.expand_dims(ops.convert_to_tensor(s, dtype="uint32"), 1) for s in seeds)
    particle = np.arange(count, dtype="uint32")[None]
    # `uniform_noise` counts positions of streams from 0 on: this half of the counters is not among them.
    y, x = threefry_2x32((low, high), (particle, np.uint32(2**31 + stream)))
    own = particle == 0
    return tuple(ops.reshape(ops.where(own, s, w), (-1,)) for s, w in ((high, x), (low, y)))


def uniform_of_bits(bits):
    """The upper 23 bits k of uint32 tensors as float32 numbers (k + 0.5) * 2**-23, above 0 and below 1.

    Example:
    >>> [float(number) for number in uniform_of_bits(np.array([0, 2**32 - 1], "uint32"))] == [2**-24, 1 - 2**-24]
    True
    """
    # With one more bit k + 0.5 would not fit into a float32: the largest would be rounded to 1.
    upper = ops.right_shift(ops.convert_to_tensor(bits, dtype="uint32"), ops.convert_to_tensor(9, dtype="uint32"))
    return (ops.cast(ops.cast(upper, "int32"), "float32") + 0.5) * 2.0**-23


def seed_words(seeds):
    """Split 64-bit integer seeds into the two uint32 words that `uniform_noise` takes.

    Args:
        seeds: NumPy integer array (batch,), or int64 tensor of TensorFlow.

    Returns:
        (high, low), two arrays or tensors (batch,) of uint32.

    Example:
    >>> seed_words(np.array([2**32 + 5]))
    (array([1], dtype=uint32), array([5], dtype=uint32))
    """
    if isinstance(seeds, np.ndarray):
        seeds = seeds.astype("int64")
    words = seeds // 2**32 % 2**32, seeds % 2**32  # rounded down, so that negative seeds have words too
    return tuple(w.astype("uint32") if isinstance(w, np.ndarray) else ops.cast(w, "uint32") for w in words)
