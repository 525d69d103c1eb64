"""The inputs of a functional model: the image, and its conditions, such as a label."""

import keras
import numpy as np

from pixel_zoo.arguments import check_conditioning, check_labels, check_vectors


def image_input(model):
    """The symbolic image among a model's inputs: the only one, or the one named "image".

    Args:
        model: functional Keras model.

    Returns:
        KerasTensor (batch, height, width, colours).

    Raises:
        ValueError: if there are several inputs and not exactly one is named "image".

    Example:
    >>> import pixel_zoo as pz
    >>> image_input(pz.models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)).name
    'image'
    """
    if len(model.inputs) == 1:
        return model.inputs[0]
    images = [tensor for tensor in model.inputs if tensor.name == "image"]
    if len(images) != 1:
        raise ValueError(f"one of several inputs must be named 'image', got {[tensor.name for tensor in model.inputs]}")
    return images[0]


def image_shape_of(model):
    """(height, width, colours) of a functional model's image."""
    return tuple(image_input(model).shape[1:])


def other_inputs(model):
    """The symbolic inputs other than the image, a list in the model's order."""
    image = image_input(model)
    return [tensor for tensor in model.inputs if tensor is not image]


def join_inputs(model, image, others):
    """What a model is called with: one tensor, or the list or dictionary that its inputs were given as.

    Args:
        model: functional Keras model.
        image: the value of its image input.
        others: the values of its other inputs, in their order.

    Returns:
        Structure of the model's inputs, filled with the values.
    """
    values = {id(image_input(model)): image}
    values |= {id(tensor): value for tensor, value in zip(other_inputs(model), others, strict=True)}
    return keras.tree.map_structure(lambda tensor: values[id(tensor)], model.input)


def check_conditions(model, count, labels=None, vectors=None, conditioning=()):
    """Check the conditions of images: the values of all inputs of a model other than the image.

    Args:
        model: functional Keras model, or a multi-scale model, whose first stage has all inputs.
        count: int, number of images.
        labels: integer, or array of integers (count,), for a model with `num_classes`.
        vectors: array (conditioning_dim,) or (count, conditioning_dim), for a model with `conditioning_dim`.
        conditioning: the values of the remaining inputs, in their order, each with an entry per image.

    Returns:
        Dictionary from the name of an input to a NumPy array with an entry per image.

    Raises:
        TypeError, ValueError: naming the argument that is wrong, missing or superfluous.
    """
    num_classes, length = (getattr(model, name, None) for name in ("num_classes", "conditioning_dim"))
    conditions = {}
    if labels is not None or num_classes is not None:
        conditions["label"] = check_labels(labels, num_classes, count)
    if vectors is not None or length is not None:
        conditions["vector"] = check_vectors(vectors, length, count)
    others = [tensor for tensor in other_inputs(stages_of(model)[0]) if tensor.name not in conditions]
    check_conditioning(conditioning, others, count)
    values = zip(others, conditioning, strict=True)
    return conditions | {tensor.name: np.asarray(value) for tensor, value in values}


def condition_values(model, conditions):
    """The values of a model's inputs other than the image, a list in their order; see `check_conditions`."""
    return [conditions[tensor.name] for tensor in other_inputs(model)]


def logits_of(model, image, conditions, training=False):
    """The output of a functional model for an image, and for its conditions by name: see `check_conditions`."""
    # Keras takes no mixture of arrays and tensors, such as an image that JAX traces.
    values = [keras.ops.convert_to_tensor(value) for value in condition_values(model, conditions)]
    return model(join_inputs(model, keras.ops.convert_to_tensor(image), values), training=training)


def stages_of(model):
    """The functional models that a model consists of, in the order in which they are run: a list of itself, or more."""
    return getattr(model, "stages", [model])


def named_inputs(model, inputs):
    """What a model was called with, as a dictionary from the name of an input to its value."""
    if isinstance(inputs, dict):
        return inputs
    return {tensor.name: value for tensor, value in zip(model.inputs, keras.tree.flatten(inputs), strict=True)}


def image_of(model, inputs):
    """The image among what a model was called with."""
    return named_inputs(model, inputs)[image_input(model).name]
