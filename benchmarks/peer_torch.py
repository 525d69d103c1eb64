"""A worker of `turns`: PixelCNN 7x32 in PyTorch, in the usual form, with each kernel multiplied by its mask."""

import itertools
import sys
import time

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


def main(batch):
    model = PixelCNN()
    optimizer = torch.optim.Adam(model.parameters())
    images = (torch.rand(batch, 1, 28, 28) < 0.13).float()

    def step():
        optimizer.zero_grad()
        losses = functional.binary_cross_entropy_with_logits(model(images), images, reduction="none")
        loss = losses.sum((1, 2, 3)).mean()
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

    serve(run)


if __name__ == "__main__":
    main(int(sys.argv[1]))
