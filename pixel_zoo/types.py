"""Names for the types in annotations."""

from typing import Any

#: A tensor of the backend, a symbolic tensor or a NumPy array: Keras has no type in common for them.
Tensor = Any

#: Any nesting of lists, tuples and dictionaries of tensors.
Structure = Any

#: The shape of a tensor: integers, and None for an axis of unknown size.
Shape = tuple[Any, ...]
