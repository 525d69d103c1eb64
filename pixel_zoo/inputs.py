"""The inputs of a functional model: the image, and what it is given beside it."""

import keras


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


def other_inputs(model):
    """The symbolic inputs beside the image, a list in the model's order."""
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


def image_of(model, inputs):
    """The image among what a model was called with."""
    image = image_input(model)
    if isinstance(inputs, dict):
        return inputs[image.name]
    position = next(index for index, tensor in enumerate(model.inputs) if tensor is image)
    return keras.tree.flatten(inputs)[position]
