"""k-means codes of the 4x4 patches of MNIST: 7x7 maps of 64 codes, the simplest tokenizer there is.

pip install scikit-learn
python benchmarks/kmeans_codes.py runs/kmeans.npz
python benchmarks/code_priors.py runs/kmeans.npz --levels 64
"""

import sys

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from pixel_zoo import data
from pixel_zoo.data.data_set import SPLITS
from pixel_zoo.files import replacing

CODES, SIDE = 64, 4


def patches(images):
    """Images (n, height, width, 1) as vectors (n * height / SIDE * width / SIDE, SIDE * SIDE), patch after patch."""
    n, height, width, _ = images.shape
    blocks = images.reshape(n, height // SIDE, SIDE, width // SIDE, SIDE)
    return blocks.transpose(0, 1, 3, 2, 4).reshape(-1, SIDE * SIDE).astype("float32")


def main(output):
    k_means = MiniBatchKMeans(CODES, random_state=0, batch_size=8192, n_init=3, max_iter=30)
    k_means.fit(patches(data.arrays("mnist", "train")[:20000]))
    codes = {}
    for split in SPLITS:
        images = data.arrays("mnist", split)
        height, width = (side // SIDE for side in images.shape[1:3])
        codes[split] = k_means.predict(patches(images)).reshape(-1, height, width).astype("uint8")
    with replacing(output) as temporary:
        np.savez(temporary, **codes)


if __name__ == "__main__":
    main(sys.argv[1])
