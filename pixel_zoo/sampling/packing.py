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


def pack_maps(structure):
    """Lay maps of one dtype and width side by side, so that one slice takes a row of all of them.

    Args:
        structure: any structure of tensors (height, width, batch, features) of static width and features.

    Returns:
        (maps, unpack): dictionary from dtype and width to a tensor (height, width, batch, all their features), and a
        function from one row of each, (width, batch, all their features), back to the structure of rows.

    Example:
    >>> import numpy as np
    >>> maps, unpack = pack_maps([np.zeros((3, 4, 2, 5), "float32"), {"b": np.ones((3, 4, 2, 6), "float32")}])
    >>> {key: tuple(value.shape) for key, value in maps.items()}
    {'float32 of width 4': (3, 4, 2, 11)}
    >>> tuple(unpack({key: value[0] for key, value in maps.items()})[1]["b"].shape)
    (4, 2, 6)
    """
    parts, slots = {}, []
    for leaf in map(ops.convert_to_tensor, keras.tree.flatten(structure)):
        key = f"{keras.backend.standardize_dtype(leaf.dtype)} of width {leaf.shape[1]}"
        begin = sum(part.shape[-1] for part in parts.setdefault(key, []))
        slots.append((key, begin, begin + leaf.shape[-1]))
        parts[key].append(leaf)

    def unpack(rows):
        return keras.tree.pack_sequence_as(structure, [rows[key][..., begin:end] for key, begin, end in slots])

    return {key: ops.concatenate(tensors, axis=-1) for key, tensors in parts.items()}, unpack
