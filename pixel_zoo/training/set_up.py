"""From a recipe to a compiled model."""

import os

import keras

from pixel_zoo import data, models
from pixel_zoo.inputs import other_inputs
from pixel_zoo.training.feed import needs_labels, needs_small
from pixel_zoo.training.initial_weights import load_initial_weights
from pixel_zoo.training.recipe import Recipe, check_classes, find_model


def build_model(recipe: Recipe, mixed_precision: bool | None = None) -> keras.Model:
    """Build the untrained model of a recipe, for the image shape and levels of its data set.

    Args:
        recipe: a `Recipe`.
        mixed_precision: whether layers compute in bfloat16; None takes the recipe's.

    Returns:
        The model. Its weights are float32 either way.

    Raises:
        ValueError, TypeError: the model can't be built for this data set, or can't be trained on it.
        FileNotFoundError: the data set's files are missing.
    """
    info = data.info(recipe.data, **recipe.data_options)
    check_classes(recipe, info)
    options = dict(recipe.model_options)
    if recipe.mixed_precision if mixed_precision is None else mixed_precision:
        options["dtype"] = "mixed_bfloat16"
    model = find_model(recipe.model)(image_shape=info.image_shape, levels=info.levels, **options)
    _check_fits(model, recipe, info)
    return model


def starting_model(recipe: Recipe) -> keras.Model:
    """Build the model of a recipe with the weights that its training starts from.

    Raises:
        ValueError, TypeError, FileNotFoundError: as `build_model`, or `initial_weights` are missing or do not fit.
    """
    model = build_model(recipe)
    if recipe.initial_weights is not None:
        load_initial_weights(model, recipe.initial_weights)
    return model


def _check_fits(model: keras.Model, recipe: Recipe, info: data.DataSet) -> None:
    """Raise unless a recipe's class or function has returned a model that its data set can train."""
    name = recipe.to_dict()["model"]
    first = getattr(model, "stages", [model])[0]
    if not isinstance(first, models.PixelModel):
        raise TypeError(f"model: {name} must return a model of pixel_zoo.models, got {type(model).__name__}")
    expected, got = (tuple(info.image_shape), info.levels), (tuple(model.image_shape), model.levels)
    if got != expected:
        raise ValueError(
            f"model: {name} must be of images {expected[0]} with {expected[1]} levels, as {info.name} has, "
            f"got {got[0]} with {got[1]}"
        )
    labelled, with_small = needs_labels(recipe), needs_small(recipe)
    if with_small and tuple(recipe.model_options["small_shape"]) != info.small_shape:
        raise ValueError(
            f"model_options: small_shape must be that of the small images of {info.name}, {info.small_shape}, which "
            f"data_options.small chooses, got {recipe.model_options['small_shape']!r}"
        )
    reasons = {} if labelled else {"label": "labels need model_options.num_classes"}
    reasons |= {} if with_small else {"small": "small images need model_options.small_shape"}
    for tensor in other_inputs(first):
        if tensor.name not in ("label", "small") or tensor.name in reasons:
            reason = reasons.get(tensor.name, "no data set has it")
            raise ValueError(f"model: {name} takes {tensor.name!r} with each image, but {reason}")


def build_optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Build the Keras optimizer of a recipe, with its schedule stretched over all steps of all epochs."""
    learning_rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if recipe.warmup_steps else recipe.learning_rate,
            decay_steps=max(1, recipe.epochs * steps_per_epoch - recipe.warmup_steps),
            warmup_target=recipe.learning_rate if recipe.warmup_steps else None,
            warmup_steps=recipe.warmup_steps,
        )
    options = {"learning_rate": learning_rate, "global_clipnorm": recipe.clip_norm}
    if recipe.weight_decay is not None:
        options["weight_decay"] = recipe.weight_decay
    if recipe.accumulation_steps > 1:
        options["gradient_accumulation_steps"] = recipe.accumulation_steps
    if recipe.ema_momentum is not None:
        options |= {"use_ema": True, "ema_momentum": recipe.ema_momentum}
    return keras.optimizers.get({"class_name": recipe.optimizer, "config": options})


def compile_model(model: keras.Model, recipe: Recipe, steps_per_epoch: int, distributed: bool = False) -> None:
    """Compile a model as its recipe says, and create every variable that training needs.

    Raises:
        FileNotFoundError: the recipe's teacher is missing.
        TypeError, ValueError: the model can't learn from this teacher.
    """
    optimizer = build_optimizer(recipe, steps_per_epoch)
    optimizer.build(model.trainable_variables)  # otherwise TensorFlow traces the step twice
    jit_compile = "auto" if recipe.jit_compile is None else recipe.jit_compile
    if distributed and keras.backend.backend() == "tensorflow":
        jit_compile = False  # XLA does not compile the communication between the replicas of tf.distribute
    model.compile(optimizer=optimizer, jit_compile=jit_compile, teacher=_teacher(recipe))
    _build_loss_and_metrics(model)


def _teacher(recipe: Recipe) -> keras.Model | None:
    """The model from whose predictions that of a recipe learns."""
    if recipe.teacher is None:
        return None
    if not os.path.isfile(recipe.teacher):
        raise FileNotFoundError(f"teacher: there is no file {recipe.teacher!r}")
    try:
        return keras.models.load_model(recipe.teacher, compile=False)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"teacher: {recipe.teacher!r} can't be loaded: {error}") from error


def steps_per_epoch(recipe: Recipe) -> int:
    """Return the number of whole batches in the training split.

    Raises:
        ValueError: the split does not fill one batch, there are no validation images, or no update of the weights.
    """
    info = data.info(recipe.data, **recipe.data_options)
    images = info.splits["train"]
    if images < recipe.batch_size:
        raise ValueError(f"batch_size must be at most {images}, the number of training images, got {recipe.batch_size}")
    if not info.splits["validation"]:
        raise ValueError(f"data: the validation split of {info.name} is empty, as {info.source} holds too few images")
    steps = images // recipe.batch_size
    if recipe.accumulation_steps > steps * recipe.epochs:
        raise ValueError(
            f"accumulation_steps must be at most {steps * recipe.epochs}, the steps of all epochs, or the weights are "
            f"never updated, got {recipe.accumulation_steps}"
        )
    return steps


def _build_loss_and_metrics(model: keras.Model) -> None:
    """Build them before the first step: `resume` restores the metrics' variables, and Keras need not see a batch."""
    others = other_inputs(getattr(model, "stages", [model])[0])
    inputs = {"image": keras.KerasTensor((1, *model.image_shape), "int32")}
    inputs |= {tensor.name: keras.KerasTensor((1, *tensor.shape[1:]), tensor.dtype) for tensor in others}
    inputs = inputs if len(inputs) > 1 else inputs["image"]
    outputs = model.compute_output_spec(inputs)
    x, y_pred = keras.tree.map_structure(lambda tensor: keras.ops.zeros(tensor.shape, tensor.dtype), (inputs, outputs))
    model.compute_loss(x, None, y_pred, training=False)  # without the teacher
    model.compute_metrics(x, None, y_pred)
    model.reset_metrics()
