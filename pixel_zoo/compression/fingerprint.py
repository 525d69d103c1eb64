"""What has to be the same where images are compressed and where they are decompressed: the model, and its rounding."""

import hashlib
import platform
import sys

import keras

from pixel_zoo import backend
from pixel_zoo.inputs import stages_of

HASH_BYTES = 16


def hash_of(model):
    """The hash of a model's architecture and weights, 16 bytes; names and trainability do not matter.

    Example:
    >>> model = pz.models.PixelCNN((4, 4, 1), filters=2, num_blocks=1)
    >>> hash_of(model) == hash_of(keras.models.clone_model(model))
    False
    >>> len(hash_of(model))
    16
    """
    sha256 = hashlib.sha256()
    for stage in stages_of(model):
        shapes = [tuple(tensor.shape[1:]) for tensor in (*stage.inputs, *stage.outputs)]
        sha256.update(f"{shapes} {[type(operation).__name__ for operation in stage.operations]}\n".encode())
        for weight in stage.weights:
            values = keras.ops.convert_to_numpy(weight)
            sha256.update(f"{values.dtype} {values.shape}\n".encode())
            sha256.update(values.tobytes())
    return sha256.digest()[:HASH_BYTES]


def engine_of_keras():
    """The engine that runs models: "tensorflow" or "jax"."""
    return keras.backend.backend()


def platform_of_engine():
    """What decides how sums are rounded, in words: the engine's version, the kind of processor, the accelerators.

    Example:
    >>> keras.backend.backend() in platform_of_engine()
    True
    """
    engine = engine_of_keras()
    devices = backend.accelerators() or ["CPU"]
    return f"{engine} {sys.modules[engine].__version__} on {platform.machine()}, {', '.join(sorted(set(devices)))}"
