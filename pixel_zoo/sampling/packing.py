"""Many tensors as one, for compiled functions: on TensorFlow each argument of a call costs tens of microseconds."""

import math

import keras
from keras import ops


def pack(structure):
    """Lay the tensors of a structure end to end.

    Args:
        structure: any structure of tensors of static shapes.

    Returns:
        (vectors, unpack): dictionary from dtype to a vector, and a function from such vectors back to the structure.

    Example:
    >>> import numpy as np
    >>> vectors, unpack = pack([np.zeros((2, 3), "float32"), {"b": np.ones(4, "float32")}])
    >>> vectors["float32"].shape[0]
    10
    >>> tuple(unpack(vectors)[1]["b"].shape)
    (4,)
    """
    leaves = [ops.convert_to_tensor(leaf) for leaf in keras.tree.flatten(structure)]
    layout = [(keras.backend.standardize_dtype(leaf.dtype), tuple(leaf.shape)) for leaf in leaves]
    parts = {dtype: [] for dtype, _ in layout}
    for (dtype, _), leaf in zip(layout, leaves, strict=True):
        parts[dtype].append(ops.reshape(leaf, (-1,)))

    def unpack(vectors):
        ends = dict.fromkeys(vectors, 0)
        tensors = []
        for dtype, shape in layout:
            begin, ends[dtype] = ends[dtype], ends[dtype] + math.prod(shape)
            tensors.append(ops.reshape(vectors[dtype][begin : ends[dtype]], shape))
        return keras.tree.pack_sequence_as(structure, tensors)

    return {dtype: ops.concatenate(tensors) for dtype, tensors in parts.items()}, unpack
