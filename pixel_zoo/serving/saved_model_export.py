"""Export to a SavedModel for TensorFlow Serving."""

import functools
import os
import pathlib

import keras
from keras import ops

from pixel_zoo import backend
from pixel_zoo.checks import positive_integer
from pixel_zoo.files import replacing
from pixel_zoo.inputs import condition_values, image_shape_of, logits_of, other_inputs, stages_of
from pixel_zoo.likelihoods import bits_per_dim, likelihood_of_logits, log_likelihood, log_probabilities, surprise
from pixel_zoo.sampler import Sampler
from pixel_zoo.sampling import Walker
from pixel_zoo.sampling.particle_walker import CHOICE, ParticleWalker, choose, evidence_is_late
from pixel_zoo.serving import png
from pixel_zoo.serving.smaller_graph import shrink
from pixel_zoo.serving.warm_up import BATCH_SIZES, write_warm_up
from pixel_zoo.stages import draw_stages, scales, subsample


def export(
    model: keras.Model,
    path: str | os.PathLike,
    version: int = 1,
    jit_compile: bool = False,
    *,
    particles: int | None = None,
    encoder: keras.Model | None = None,
    decoder: keras.Model | None = None,
) -> pathlib.Path:
    """Write a SavedModel that scores, draws, completes and explains images.

    | signature | inputs | outputs |
    |---|---|---|
    | `score`, `serving_default` | `image` uint8 [n,H,W,C] | `log_likelihood` float32 [n] in nats, `bits_per_dim` [n] |
    | `log_probabilities` | `image` | `log_probability` float32 [n,H,W,C,levels] in nats, given the values before |
    | `surprise` | `image` | `surprise` float32 [n,H,W,C], -log p of each value in nats, given the values before |
    | `sample` | `seed` int64 [n], `temperature` float32 [n] | `image` uint8 [n,H,W,C], `log_likelihood` float32 [n] |
    | `complete` | `image`, `known` bool [n,H,W], `seed`, `temperature` | as `sample` |
    | `upscale`, of multi-scale models alone | `small` uint8 [n,h,w,C], `seed`, `temperature` | as `sample` |
    | `sample_with_options`, `complete_with_options`, `upscale_with_options` | those of `sample` ..., and `top_k` \
      int32 [n], `top_p` float32 [n], `min_p` float32 [n] | as `sample` |
    | `score_png` | `image_bytes` string [n], PNG files | as `score` |
    | `sample_png` | as `sample` | `image_bytes` string [n], PNG files, `log_likelihood` float32 [n] |
    | `complete_png` | `image_bytes`, drawn where not opaque, `seed`, `temperature` | as `sample_png` |

    With `particles`, it also completes images given all known pixels, as `model.complete(..., particles=N)` does:

    | signature | inputs | outputs |
    |---|---|---|
    | `complete_with_16_particles`, for `particles=16` | as `complete`, `temperature` above 0 | as `complete`, and \
      `effective_sample_size` and `log_evidence` float32 [n], see `pixel_zoo.sampling.Diagnostics` |
    | `complete_with_16_particles_with_options` | also `top_k`, `top_p`, `min_p` | the same |
    | `complete_with_16_particles_png` | as `complete_png` | as `complete_png`, and the two above |

    Each also takes the other inputs of the model: `label` int64 [n], `vector` float32 [n,d], or the inputs of a model
    composed by hand under their own names (int64 or float32). `top_k` 0, `top_p` 1 and `min_p` 0 keep all values: with
    these, a signature with options answers as the one without. Models of 1 or 3 colours and up to 256 levels have the
    signatures with PNG files, whose pictures have the size of the model's images. The value v of a file is the level
    v * levels // 256. With `encoder` or `decoder`, the files hold pictures of 256 levels, not codes: `score_png` needs
    the encoder, `sample_png` the decoder and `complete_png` both, of pictures uint8 (batch, height, width, 1 or 3).

    The images of a prior over codes are codes. With `encoder` and `decoder`, the parts of a VQ-VAE for example, the
    SavedModel holds the whole way from pictures to pictures:

    | signature | inputs | outputs |
    |---|---|---|
    | `encode`, with `encoder` | `picture` | `image`, its codes |
    | `decode`, with `decoder` | `image` | `picture` |
    | all that draw, with `decoder` | as above | `picture` too, made of the codes drawn |

    Images are int32 for models of more than 256 levels. The signatures need TensorFlow alone; the same seeds give the
    same images as `generate` and `complete`. The values of unknown pixels are ignored. A wrong shape, inputs of
    different lengths, values outside the levels, labels outside the classes and options out of range are answered with
    INVALID_ARGUMENT and the name of the input.

    Args:
        model: a functional model of raster layers, such as `pixel_zoo.models.PixelCNN`, or a multi-scale model.
        path: directory of the served model; its versions are directories inside it.
        version: int, the version to write, as directory `path/version`.
        jit_compile: bool, whether `sample` and `complete` are compiled with XLA. Most models draw faster then, but a
            server compiles them for each new batch size, which takes seconds, for deep models a minute: let it use only
            the batch sizes of its warm-up, 1, 4, 16 and 64. On a CPU, TensorFlow Serving must be started with
            `--xla_cpu_compilation_enabled`.
        particles: int of at least 2, the particles of each image of another signature that completes images, or None.
            A request takes so many times the memory and about so many times the time.
        encoder: functional Keras model from pictures (batch, ...) to the model's images, integers (batch, H, W, C).
        decoder: functional Keras model from the model's images, integers (batch, H, W, C), to pictures (batch, ...).

    Returns:
        pathlib.Path of `path/version`.

    Raises:
        RuntimeError: if the backend is not TensorFlow.
        FileExistsError: if that version exists already.
        ValueError: if the version is not an integer of at least 1, `jit_compile` no bool, `particles` no integer of at
            least 2, or encoder or decoder does not fit the model's images.
        TypeError: if encoder or decoder is not a functional Keras model.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"export needs KERAS_BACKEND=tensorflow, got {keras.backend.backend()!r}; .keras files load there"
        )
    import tensorflow as tf

    if not isinstance(jit_compile, bool):
        raise ValueError(f"jit_compile must be True or False, got {jit_compile!r}")
    if particles is not None and positive_integer("particles", particles) == 1:
        raise ValueError("particles must be at least 2, or None: the signature `complete` draws with one")
    target = pathlib.Path(path) / str(positive_integer("version", version))
    if target.exists():
        raise FileExistsError(f"version: {str(target)!r} exists already; choose another version")
    _check_codec(encoder, decoder, image_shape_of(stages_of(model)[-1]))
    signatures = _signatures(model, jit_compile, particles, encoder, decoder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, new=True) as temporary:
        module = tf.Module()
        parts = [part for part in (model, encoder, decoder) if part is not None]
        module.weights = [variable.value for part in parts for variable in part.variables]
        signatures["serving_default"] = signatures["score"]
        # Nobody trains what is served: gradients of parts with a gradient of their own are left out.
        without_gradients = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(temporary), signatures=signatures, options=without_gradients)
        shrink(temporary)
        write_warm_up(temporary, BATCH_SIZES if jit_compile else BATCH_SIZES[:1])
    return target


def _check_codec(encoder, decoder, image_shape):
    """Raise unless encoder and decoder, where there are such, map pictures to images of a model and back."""
    for name, codec in (("encoder", encoder), ("decoder", decoder)):
        if codec is None:
            continue
        if not hasattr(codec, "_nodes_by_depth") and not isinstance(codec, keras.Sequential):
            raise TypeError(f"{name} must be a functional Keras model, got {type(codec).__name__}")
        if len(codec.inputs) != 1 or len(codec.outputs) != 1:
            raise ValueError(
                f"{name} must have one input and one output, got {len(codec.inputs)} and {len(codec.outputs)}"
            )
        codes = codec.outputs[0] if name == "encoder" else codec.inputs[0]
        integer = name == "decoder" or keras.backend.is_int_dtype(codes.dtype)
        if tuple(codes.shape[1:]) != tuple(image_shape) or not integer:
            way = "return" if name == "encoder" else "take"
            raise ValueError(
                f"{name} must {way} the model's images, integers (batch, {', '.join(map(str, image_shape))}), got "
                f"{codes.dtype} {tuple(codes.shape)}"
            )


def _signatures(model, jit_compile, particles=None, encoder=None, decoder=None):
    """The concrete functions by name."""
    import tensorflow as tf

    stages = stages_of(model)
    image_shape, levels = image_shape_of(stages[-1]), likelihood_of_logits(stages[-1].outputs[0].shape).levels
    image_dtype = tf.uint8 if levels <= 256 else tf.int32
    image = tf.TensorSpec((None, *image_shape), image_dtype, name="image")
    small = tf.TensorSpec((None, *image_shape_of(stages[0])), image_dtype, name="small")
    known = tf.TensorSpec((None, *image_shape[:2]), tf.bool, name="known")
    seed = tf.TensorSpec((None,), tf.int64, name="seed")
    temperature = tf.TensorSpec((None,), tf.float32, name="temperature")
    rules = [tf.TensorSpec((None,), rule.dtype, name=name) for name, rule in Sampler.rules().items()]
    others = [_spec_of_other(tensor) for tensor in other_inputs(stages[0])]  # every stage has them
    # The checks of a request stay outside of these, because XLA would drop them.
    walkers = [_walker(stage, jit_compile) for stage in stages]
    walks = [
        backend.compiled(walker, stage.variables, xla=jit_compile)
        for walker, stage in zip(walkers, stages, strict=True)
    ]
    # All that score share one graph of a forward pass.
    forwards = [backend.compiled(functools.partial(logits_of, stage), stage.variables, xla=False) for stage in stages]
    noises = [_noise(index, image_shape_of(stage)) for index, stage in enumerate(stages)]

    def particle_walk(index, stage):
        def run(seeds, options, images, known, conditioning, before):
            return walker(seeds, particles, options, images, known, conditioning, index, before)

        walker = ParticleWalker(walkers[index])
        return backend.compiled(run, stage.variables, xla=jit_compile)

    particle_walks = [particle_walk(index, stage) for index, stage in enumerate(stages)] if particles else []

    def conditions_of(inputs):
        return {spec.name: _checked_condition(model, spec.name, inputs[spec.name]) for spec in others}

    def on_scales(function, images, conditions):
        of_stages = zip(forwards, scales(model, images, conditions), strict=True)
        return [function(images, forward(images, conditions)) for forward, (_, images, conditions) in of_stages]

    def score(inputs):
        nats = sum(on_scales(log_likelihood, _checked_images("image", inputs["image"], levels), conditions_of(inputs)))
        nats = tf.cast(nats, tf.float32)
        return {"log_likelihood": nats, "bits_per_dim": bits_per_dim(-nats, image_shape)}

    def of_each_value(function, inputs):
        """A function of (images, logits) to values (batch, height, width, colours, any), of the model's images."""
        images = _checked_images("image", inputs["image"], levels)
        of_stages = on_scales(function, images, conditions_of(inputs))
        return tf.cast(model.merge(of_stages) if len(stages) > 1 else of_stages[0], tf.float32)

    def expect(inputs):
        """As `log_probabilities` of the model."""
        return {"log_probability": of_each_value(lambda _, logits: log_probabilities(logits), inputs)}

    def explain(inputs):
        """As `surprise` of the model."""
        nats = of_each_value(lambda images, logits: surprise(images, logits)[..., None], inputs)
        return {"surprise": nats[..., 0]}

    def walk(specs, inputs):
        """Draw the stages' images, each given the one before; the first is `small` if that is given."""
        options, first = _checked_options(inputs), None
        # All signatures give images and masks, even if nothing is known: then one graph of a walk serves all.
        count = tf.shape(inputs["seed"])[0]
        parts = tf.zeros((count, *image_shape), tf.int32), tf.zeros((count, *image_shape[:2]), tf.bool)
        if known in specs:
            shown = tf.where(inputs["known"][..., None], inputs["image"], tf.zeros_like(inputs["image"]))
            parts = _checked_images("image", shown, levels), inputs["known"]
        if small in specs:
            first = _checked_images("small", inputs["small"], levels)

        def draw(index, stage, conditions):
            images, known = (subsample(x, image_shape_of(stage)) for x in parts)
            return walks[index](
                noises[index](inputs["seed"]), options, images, known, condition_values(stage, conditions)
            )

        conditions = conditions_of(inputs)
        images, nats = draw_stages(model, draw, conditions, first)
        if first is None and getattr(model, "likelihood_kind", "exact") != "exact":
            nats = sum(on_scales(log_likelihood, images, conditions))  # as `generate`
        return answer(images, nats)

    def complete_with_particles(inputs):
        """Draw the stages' images for all particles, then choose one of each image's: as `draw_with_particles`."""
        options, conditions = _checked_options(inputs), conditions_of(inputs)
        warm = tf.reduce_all(inputs["temperature"] > 0)
        tf.debugging.Assert(warm, ["temperature: must be above 0 with particles, got", inputs["temperature"]])
        known = tf.repeat(inputs["known"][..., None], image_shape[-1], axis=-1)
        shown = tf.where(known, inputs["image"], tf.zeros_like(inputs["image"]))
        shown, seeds = _checked_images("image", shown, levels), backend.seed_words(inputs["seed"])
        images, population, nats, of_stages = None, None, 0.0, []
        for index, (stage, walk) in enumerate(zip(stages, particle_walks, strict=True)):
            shape = image_shape_of(stage)
            of_stage = [subsample(x, shape) for x in (shown, known)]
            of_stages.append(of_stage[1])
            given = condition_values(stage, conditions)
            images, population = walk(seeds, options, *of_stage, given, population)
            nats = population["log_likelihood"] + (tf.gather(nats, population["source"]) if index else 0.0)
            if index == 0:  # every image's conditions, for each of its particles
                conditions = {name: tf.repeat(value, particles, axis=0) for name, value in conditions.items()}
            conditions |= {"small": images}
        uniform = backend.uniform_noise(seeds, (1, 1, 1), CHOICE)[:, 0, 0, 0]
        first = tf.range(tf.shape(uniform)[0]) * particles
        chosen = tf.where(evidence_is_late(of_stages), choose(population["log_weights"], uniform), first)
        images, nats = tf.gather(images, chosen), tf.gather(nats, chosen)
        if getattr(model, "likelihood_kind", "exact") != "exact":
            nats = sum(on_scales(log_likelihood, images, conditions_of(inputs)))
        evidence = population["log_evidence"]
        possible = tf.reduce_all(tf.math.is_finite(evidence))
        message = ["known: the known pixels of an image have probability 0 under these options, log_evidence", evidence]
        with tf.control_dependencies([tf.debugging.Assert(possible, message)]):
            evidence = tf.identity(evidence)
        size = {"effective_sample_size": population["smallest_share"] * particles}
        return answer(images, nats) | size | {"log_evidence": evidence}

    def answer(images, nats):
        drawn = {"image": tf.cast(images, image_dtype), "log_likelihood": tf.cast(nats, tf.float32)}
        return drawn if decoder is None else drawn | {"picture": decoder(images, training=False)}

    def encode(inputs):
        codes = _checked_images("picture: its codes", encoder(inputs["picture"], training=False), levels)
        return {"image": tf.cast(codes, image_dtype)}

    def decode(inputs):
        return {"picture": decoder(_checked_images("image", inputs["image"], levels), training=False)}

    def concrete(function, *specs, given=others):
        specs = [*specs, *given]

        def checked(*tensors):
            return function(_of_one_length(specs, tensors))

        return tf.function(checked, autograph=False).get_concrete_function(*specs)

    signatures = {
        "score": concrete(score, image),
        "log_probabilities": concrete(expect, image),
        "surprise": concrete(explain, image),
    }
    drawn = {"sample": [], "complete": [image, known]} | ({"upscale": [small]} if len(stages) > 1 else {})
    for name, specs in drawn.items():
        draw = functools.partial(walk, specs)
        signatures[name] = concrete(draw, *specs, seed, temperature)
        signatures[f"{name}_with_options"] = concrete(draw, *specs, seed, temperature, *rules)
    completing, partly_known = f"complete_with_{particles}_particles", (image, known, seed, temperature)

    def without_rules(inputs):
        """Call the signature with options, whose graph exists already: its rules cost little beside many particles."""
        count = tf.shape(inputs["seed"])[0]
        off = [tf.fill([count], tf.constant(rule.off, rule.dtype)) for rule in Sampler.rules().values()]
        plain, beside = ([inputs[spec.name] for spec in part] for part in (partly_known, others))
        return signatures[f"{completing}_with_options"](*plain, *off, *beside)

    if particles is not None:
        signatures[f"{completing}_with_options"] = concrete(complete_with_particles, *partly_known, *rules)
        signatures[completing] = concrete(without_rules, *partly_known)
    if encoder is not None:
        picture = tf.TensorSpec(encoder.inputs[0].shape, encoder.inputs[0].dtype, name="picture")
        signatures["encode"] = concrete(encode, picture, given=())
    if decoder is not None:
        signatures["decode"] = concrete(decode, image, given=())
    read_as, written_as = _forms_of_png(image_shape, levels, encoder, decoder)

    def images_of_png(specs, files):
        """The images in PNG files, and what is known of them: codes, if there is an encoder."""
        images, opaque = png.decode("image_bytes", files, *read_as)
        if encoder is None:
            return {"image": tf.cast(images, image_dtype), "known": opaque}
        # A code describes pixels around its own, too: what is to be drawn is blanked first.
        shown = tf.where(opaque[..., None], images, 0) if known in specs else images
        (height, width, _), (rows, columns, _) = read_as[0], image_shape
        blocks = tf.reshape(opaque, (-1, rows, height // rows, columns, width // columns))
        return encode({"picture": tf.cast(shown, tf.uint8)}) | {"known": tf.reduce_all(blocks, axis=(2, 4))}

    def on_png(name, specs, inputs):
        """Call a signature, whose graph exists already, with the images of PNG files."""
        if "image_bytes" in inputs:
            inputs = inputs | images_of_png(specs, inputs["image_bytes"])
        outputs = signatures[name](*(inputs[spec.name] for spec in (*specs, *others)))
        if "image" not in outputs:
            return outputs
        drawn = png.encode(outputs.get("picture", outputs["image"]), written_as[1])
        return {"image_bytes": drawn} | {key: outputs[key] for key in outputs if key not in ("image", "picture")}

    image_bytes = tf.TensorSpec((None,), tf.string, name="image_bytes")
    noise, completed = [seed, temperature], ["complete"] if particles is None else ["complete", completing]
    with_png = {"score": [image], "sample": noise} | {name: [image, known, *noise] for name in completed}
    for name, specs in with_png.items():
        if (image in specs and read_as is None) or (name != "score" and written_as is None):
            continue
        of_png = [image_bytes if spec is image else spec for spec in specs if spec is not known]
        signatures[f"{name}_png"] = concrete(functools.partial(on_png, name, specs), *of_png)
    return signatures


def _forms_of_png(image_shape, levels, encoder, decoder):
    """The (shape, levels) of the PNG files that signatures read, and of those that they write; None: none can be."""
    if encoder is None and decoder is None:
        form = (image_shape, levels) if png.can_encode(image_shape, levels) else None
        return form, form
    return tuple(
        (tuple(pictures.shape[1:]), 256) if pictures is not None and _are_blocks(pictures, image_shape) else None
        for pictures in (encoder and encoder.inputs[0], decoder and decoder.outputs[0])
    )


def _are_blocks(pictures, image_shape):
    """Whether a tensor is one of pictures, in which each code stands for a block of pixels."""
    if keras.backend.standardize_dtype(pictures.dtype) != "uint8" or len(pictures.shape) != 4:
        return False
    height, width, colours = pictures.shape[1:]
    if None in (height, width) or not png.can_encode((colours,), 256):
        return False
    return height % image_shape[0] == width % image_shape[1] == 0


def _walker(stage, jit_compile):
    """A walker that traces once what is the same in every signature."""
    walker = Walker(stage)
    for name in ("start", "known_row"):
        setattr(walker, name, backend.compiled(getattr(walker, name), stage.variables, xla=jit_compile))
    return walker


def _noise(index, image_shape):
    """A function from seeds to the noise of a stage, the same in every signature, which is traced once."""
    return backend.compiled(
        lambda seed: backend.uniform_noise(backend.seed_words(seed), image_shape, stream=index), [], xla=False
    )


def _of_one_length(specs, tensors):
    """The inputs by name, of the shapes that they should have, and all with an entry for each image."""
    import tensorflow as tf

    # A server's session takes what it is fed, of any shape.
    inputs = {spec.name: tf.ensure_shape(x, spec.shape) for spec, x in zip(specs, tensors, strict=True)}
    first, *further = inputs
    count = tf.shape(inputs[first])[0]
    checks = []
    for name in further:
        length = tf.shape(inputs[name])[0]
        message = [f"{name}: must have as many entries as {first},", count, "got", length]
        checks.append(tf.debugging.Assert(tf.equal(length, count), message))
    with tf.control_dependencies(checks):  # else an operation might fail first, without naming the input
        return {name: tf.identity(x) for name, x in inputs.items()}


def _checked_options(inputs):
    """The options of sampling, as `Sampler.draw` takes them; a rule that is no input does not apply."""
    import tensorflow as tf

    options = {"temperature": inputs["temperature"]}
    good = tf.reduce_all((options["temperature"] >= 0) & tf.math.is_finite(options["temperature"]))
    tf.debugging.Assert(good, ["temperature: must be a finite number of at least 0, got", options["temperature"]])
    on = []
    for name, rule in Sampler.rules().items():
        if name in inputs:
            good = tf.reduce_all(rule.allows(inputs[name]))
            tf.debugging.Assert(good, [f"{name}: must be {rule.allowed}, got", inputs[name]])
            options[name] = inputs[name]
            on.append(tf.reduce_any(tf.not_equal(inputs[name], rule.off)))
    return options | ({"restricts": tf.reduce_any(tf.stack(on))} if on else {})


def _spec_of_other(tensor):
    """The form of an input other than the image in a request."""
    import tensorflow as tf

    dtype = tf.as_dtype(tensor.dtype)
    return tf.TensorSpec(tensor.shape, tf.int64 if dtype.is_integer else dtype, name=tensor.name)


def _checked_condition(model, name, value):
    """The value of an input other than the image; labels are checked."""
    num_classes = getattr(model, "num_classes", None)  # a plain functional model does not tell
    return _checked_labels(value, num_classes) if name == "label" and num_classes is not None else value


def _checked_labels(label, num_classes):
    """The labels, clipped to the classes: else an operation might fail before the check does, without naming them."""
    import tensorflow as tf

    inside = tf.reduce_all((label >= 0) & (label < num_classes))
    tf.debugging.Assert(inside, [f"label: must be 0..{num_classes - 1}, got", ops.min(label), ops.max(label)])
    return tf.clip_by_value(label, 0, num_classes - 1)


def _checked_images(name, images, levels):
    """The images as int32, clipped to the levels: else an operation might fail first, without naming them."""
    import tensorflow as tf

    images = tf.cast(images, tf.int32)
    inside = tf.reduce_all((images >= 0) & (images < levels))
    tf.debugging.Assert(inside, [f"{name}: values must be 0..{levels - 1}, got", ops.min(images), ops.max(images)])
    return tf.clip_by_value(images, 0, levels - 1)
