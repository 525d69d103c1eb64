"""How many samples of pretrained models of CIFAR-10 turn into coloured noise, where it begins, at what temperature.

    python benchmarks/sample_noise.py cifar10_pixel_cnn_small --temperatures 1 0.97 0.9

The roughness of a block of 8x8 pixels is the mean absolute difference of neighbouring values. A block is noise if it is
rougher than all but one in a thousand blocks of test images.
"""

import argparse

import numpy as np
from turns import Table

import pixel_zoo as pz
from pixel_zoo import data

BLOCK = 8


def roughness(images):
    """Mean absolute difference of neighbouring values in each block: (n, rows of blocks, columns of blocks)."""
    values = images.astype(int)
    right = np.abs(np.diff(values, axis=2, append=values[:, :, -1:]))
    down = np.abs(np.diff(values, axis=1, append=values[:, -1:]))
    count, height, width = values.shape[:3]
    blocks = (right + down).mean(-1).reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return blocks.mean((2, 4)) / 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help="pretrained models of CIFAR-10")
    parser.add_argument("--temperatures", nargs="+", type=float, default=[1.0, 0.97, 0.9])
    parser.add_argument("--images", type=int, default=64)
    options = parser.parse_args()
    photographs = roughness(data.arrays("cifar10", "test"))
    limit = np.quantile(photographs, 0.999)
    rows = [f"rows {BLOCK * row}-{BLOCK * row + BLOCK - 1}" for row in range(photographs.shape[1])]
    table = Table("model", "temperature", "with noise", *rows, "bits/dim of the samples", "of those without noise")
    for name in options.names:
        model = pz.load(name)
        for temperature in options.temperatures:
            samples = model.generate(options.images, seed=5, temperature=temperature)
            noise = roughness(samples) > limit
            bits = -np.asarray(model.log_likelihood(samples)) / np.log(2) / samples[0].size
            clean = ~noise.any((1, 2))
            shares = [f"{share:.0%}" for share in (1 - clean.mean(), *noise.any(2).mean(0))]
            table.row(name, temperature, *shares, f"{bits.mean():.2f}", f"{bits[clean].mean():.2f}")
    shares = [
        f"{share:.1%}" for share in ((photographs > limit).any((1, 2)).mean(), *(photographs > limit).any(2).mean(0))
    ]
    table.row("test images", "", *shares, "", "")


if __name__ == "__main__":
    main()
