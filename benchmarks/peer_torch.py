"""A worker of `turns`: PixelCNN 7x32 in PyTorch, in the usual form, with each kernel multiplied by its mask.

    python benchmarks/peer_torch.py 32 pixel_cnn.npz --compile --channels-last

The weights come from a file that `pixel_cnn_weights.py` wrote.
"""

import argparse
import itertools
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from turns import serve


class MaskedConv2d(nn.Conv2d):
    def __init__(self, inputs, outputs, size, mask_type):
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + (mask_type == "B") :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x):
        return functional.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class Block(nn.Module):
    def __init__(self, filters):
        super().__init__()
        self.down = nn.Conv2d(2 * filters, filters, 1)
        self.conv = MaskedConv2d(filters, filters, 3, "B")
        self.up = nn.Conv2d(filters, 2 * filters, 1)
        self.skip = nn.Conv2d(filters, 2 * filters, 1)

    def forward(self, x):
        y = self.conv(self.down(x.relu()).relu()).relu()
        return x + self.up(y), self.skip(y)


class PixelCNN(nn.Module):
    def __init__(self, filters=32, blocks=7, head_filters=32):
        super().__init__()
        self.first = MaskedConv2d(1, 2 * filters, 7, "A")
        self.blocks = nn.ModuleList(Block(filters) for _ in range(blocks))
        widths = [2 * filters, head_filters, head_filters, 1]
        self.head = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in itertools.pairwise(widths))

    def forward(self, images):
        x = self.first(2 * images - 1)
        skips = 0
        for block in self.blocks:
            x, skip = block(x)
            skips = skips + skip
        x = x + skips
        for layer in self.head:
            x = layer(x.relu())
        return x

    def set_weights(self, weights):
        """Take the weights of a file, whose layers have the same names and stand in the same order."""
        for name, parameter in self.named_parameters():
            layer, kind = name.rsplit(".", 1)
            value = torch.from_numpy(weights[f"{layer}/{'kernel' if kind == 'weight' else 'bias'}"])
            parameter.data.copy_(value.permute(3, 2, 0, 1) if kind == "weight" else value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("batch", type=int)
    parser.add_argument("weights", help="an .npz file")
    parser.add_argument("--compile", action="store_true", help="by torch.compile")
    parser.add_argument("--channels-last", action="store_true", help="the memory format of maps and kernels")
    options = parser.parse_args()
    weights = np.load(options.weights)
    memory = torch.channels_last if options.channels_last else torch.contiguous_format
    model = PixelCNN()
    model.set_weights(weights)
    model = model.to(memory_format=memory)
    images = torch.from_numpy(weights["images"][: options.batch]).permute(0, 3, 1, 2).float()
    images = images.contiguous(memory_format=memory)
    optimizer = torch.optim.Adam(model.parameters())

    def loss_of(images):
        losses = functional.binary_cross_entropy_with_logits(model(images), images, reduction="none")
        return losses.sum((1, 2, 3)).mean()

    if options.compile:
        loss_of = torch.compile(loss_of)

    def step():
        optimizer.zero_grad()
        loss = loss_of(images)
        loss.backward()
        optimizer.step()
        return loss.item()

    def run(steps):
        seconds = []
        for _ in range(steps):
            begin = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - begin)
        return seconds

    with torch.no_grad():
        loss = loss_of(images).item()
    serve(run, loss=loss)


if __name__ == "__main__":
    main()
