"""Many tensors as one, for compiled functions: on TensorFlow each argument of a call costs tens of microseconds."""

import math

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend

_ALIGNMENT = 64  # bytes; TensorFlow does not copy a part of a tensor that starts at a multiple of them


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
    parts, slots = {}, {}  # a tensor that appears twice is packed once
    leaves = [ops.convert_to_tensor(leaf) for leaf in keras.tree.flatten(structure)]
    for leaf in leaves:
        of_dtype = parts.setdefault(keras.backend.standardize_dtype(leaf.dtype), [])
        if id(leaf) not in slots:
            slots[id(leaf)] = keras.backend.standardize_dtype(leaf.dtype), len(of_dtype)
            of_dtype.append(leaf)
    order = [slots[id(leaf)] for leaf in leaves]
    shapes = {dtype: [tuple(leaf.shape) for leaf in of_dtype] for dtype, of_dtype in parts.items()}

    def unpack(vectors):
        tensors = {}
        for dtype, of_dtype in shapes.items():
            split = backend.split(vectors[dtype], [math.prod(shape) for shape in of_dtype])
            tensors[dtype] = [ops.reshape(x, shape) for x, shape in zip(split, of_dtype, strict=True)]
        return keras.tree.pack_sequence_as(structure, [tensors[dtype][place] for dtype, place in order])

    vectors = {
        dtype: ops.concatenate([ops.reshape(leaf, (-1,)) for leaf in of_dtype]) for dtype, of_dtype in parts.items()
    }
    return vectors, unpack


def pack_features(structure, axes):
    """Lay tensors that differ in their features only side by side, so that one operation moves all of them.

    Args:
        structure: any structure of tensors. Those with `axes` axes before a last one of static length, the features,
            are packed; others stay as they are.
        axes: int.

    Returns:
        (packed, unpack): dictionary of tensors, and a function from such a dictionary back to the structure. What it is
        given may have more axes in front, or fewer: slices, or many of them stacked.

    Example:
    >>> import numpy as np
    >>> maps = [np.zeros((3, 4, 2, 5), "float32"), {"b": np.ones((3, 4, 2, 6), "float32")}]
    >>> packed, unpack = pack_features(maps, axes=3)
    >>> {key: tuple(value.shape) for key, value in packed.items()}
    {'float32 (3, 4, 2)': (3, 4, 2, 11)}
    >>> tuple(unpack({key: value[0] for key, value in packed.items()})[1]["b"].shape)
    (4, 2, 6)
    """
    parts, slots = {}, []
    for number, leaf in enumerate(map(ops.convert_to_tensor, keras.tree.flatten(structure))):
        key = f"{keras.backend.standardize_dtype(leaf.dtype)} {tuple(leaf.shape[:-1])}"
        key = key if len(leaf.shape) == axes + 1 else f"{number}"
        slots.append((key, len(parts.setdefault(key, []))))
        parts[key].append(leaf)
    sizes = {key: [leaf.shape[-1] for leaf in leaves] if len(leaves) > 1 else [None] for key, leaves in parts.items()}

    def unpack(packed):
        split = {key: backend.split(packed[key], sizes[key]) for key in sizes}
        return keras.tree.pack_sequence_as(structure, [split[key][place] for key, place in slots])

    packed = {key: leaves[0] if len(leaves) == 1 else ops.concatenate(leaves, -1) for key, leaves in parts.items()}
    return packed, unpack


def pack_rows(structure):
    """Lay matrices of the same number of columns one above the other, and vectors end to end, for loops to read.

    At every step a loop of TensorFlow passes on each tensor that it reads from outside, even if none changes, and a
    function within a function captures it once more. The parts of a packed tensor are views: nothing is copied, because
    only parts that start at multiples of 64 bytes are packed. Others stay as they are.

    Args:
        structure: any structure of tensors of static shapes.

    Returns:
        (packed, unpack): dictionary of tensors, and a function from such a dictionary back to the structure.

    Example:
    >>> import numpy as np
    >>> weights = [np.zeros((5, 32), "float32"), {"b": np.ones((7, 32), "float32"), "c": np.ones(3, "float32")}]
    >>> packed, unpack = pack_rows(weights)
    >>> [tuple(part.shape) for part in keras.tree.flatten(unpack(packed))]
    [(5, 32), (7, 32), (3,)]
    """
    leaves = [ops.convert_to_tensor(leaf) for leaf in keras.tree.flatten(structure)]
    places = keras.tree.map_structure(lambda _: 0, structure)
    alone = {id(leaf): leaf for leaf in leaves}  # a tensor that appears twice is packed once
    groups, slots = {}, {}
    for number, (leaf_id, leaf) in enumerate(alone.items()):
        key = _kind_of_rows(leaf) or f"{number}"
        slots[leaf_id] = key, len(groups.setdefault(key, []))
        groups[key].append(leaf)
    order = [slots[id(leaf)] for leaf in leaves]
    sizes = {key: [leaf.shape[0] for leaf in group] if len(group) > 1 else [None] for key, group in groups.items()}

    def unpack(packed):
        split = {key: backend.split(packed[key], sizes[key], axis=0) for key in sizes}
        return keras.tree.pack_sequence_as(places, [split[key][place] for key, place in order])

    packed = {key: group[0] if len(group) == 1 else ops.concatenate(group, 0) for key, group in groups.items()}
    return packed, unpack


def _kind_of_rows(leaf):
    """What tensors have in common that can be parts of one, or None of a tensor that stays as it is."""
    dtype = keras.backend.standardize_dtype(leaf.dtype)
    aligned = _ALIGNMENT // np.dtype(dtype).itemsize if dtype in ("float32", "float64") else 0
    if not aligned or not len(leaf.shape):
        return None
    values_of_part = leaf.shape[0] if len(leaf.shape) == 1 else math.prod(leaf.shape[1:])
    return f"{dtype} {tuple(leaf.shape[1:])}" if values_of_part and values_of_part % aligned == 0 else None


class FeaturePacking:
    """`pack_features` where structures of several sizes are packed, and unpacked later in any order.

    One function packs them and others unpack them, each compiled once for each size. So what the last call of `pack`
    has seen need not be what is unpacked.

    Args:
        axes: as of `pack_features`.

    Example:
    >>> import numpy as np
    >>> packing = FeaturePacking(axes=1)
    >>> small, large = (packing.pack([np.zeros((batch, 2)), np.ones((batch, 3))]) for batch in (1, 8))
    >>> [tuple(part.shape) for part in packing.unpack(small)]
    [(1, 2), (1, 3)]
    """

    def __init__(self, axes):
        self._axes, self._unpack = axes, {}

    def pack(self, structure):
        packed, unpack = pack_features(structure, self._axes)
        self._unpack[frozenset(packed)] = unpack
        return packed

    def unpack(self, packed):
        return self._unpack[frozenset(packed)](packed)
