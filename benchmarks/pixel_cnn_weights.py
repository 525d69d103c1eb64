"""Write the weights of a PixelCNN 7x32 for the same network in other libraries, with images and their loss.

    python benchmarks/pixel_cnn_weights.py pixel_cnn.npz

Kernels have all their rows, and are masked. Layers are named as a plain implementation would: "first",
"blocks.0.down", "blocks.0.conv", "blocks.0.up", "blocks.0.skip" ... "head.0", "head.1", "head.2".
"""

import re
import sys

import numpy as np
from keras import ops

import pixel_zoo as pz

IMAGES = 64


def plain_name(layer):
    """The name of a layer in a plain implementation."""
    if match := re.fullmatch(r"block(\d+)_(\w+)", layer):
        return f"blocks.{int(match[1]) - 1}.{match[2]}"
    return {"head1": "head.0", "head2": "head.1", "logits": "head.2"}.get(layer, layer)


def main(path):
    model = pz.models.PixelCNN()
    arrays = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        kernel = ops.convert_to_numpy(layer.masked_kernel())
        below = kernel.shape[0] - 1  # as many rows as there are above the centre
        arrays[f"{plain_name(layer.name)}/kernel"] = np.pad(kernel, [[0, below], [0, 0], [0, 0], [0, 0]])
        arrays[f"{plain_name(layer.name)}/bias"] = ops.convert_to_numpy(layer.bias)
    images = (np.random.default_rng(0).random((IMAGES, *model.image_shape)) < 0.13).astype("uint8")
    np.savez(path, **arrays, images=images, nats=-model.log_likelihood(images))


if __name__ == "__main__":
    main(sys.argv[1])
