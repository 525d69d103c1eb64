"""What drawing codes costs if they enter as vectors: processor seconds against numbers, in turns in one process.

python benchmarks/embedding_cost.py
"""

import statistics
import time

from turns import Table

import pixel_zoo as pz

SHAPE, LEVELS, IMAGES, TURNS = (7, 7, 1), 128, 64, 21
SIZES = {"filters": 32, "num_blocks": 6, "head_filters": 64}


def processor_seconds(model, seed):
    begin = time.process_time()
    model.generate(IMAGES, seed=seed, progress=False)
    return time.process_time() - begin


def main():
    print(f"{IMAGES} maps of {SHAPE}, {LEVELS} codes, {TURNS} turns; filters, blocks, head: {tuple(SIZES.values())}")
    table = Table("prior", "numbers, s", "vectors of 16, s", "median of the turns' ratios", "ratio of the least")
    for architecture in (pz.models.PixelCNN, pz.models.GatedPixelCNN):
        models = [architecture(SHAPE, LEVELS, embedding_dim=dim, **SIZES) for dim in (None, 16)]
        for model in models:
            model.generate(IMAGES, seed=0, progress=False)  # compiles
        turns = [[processor_seconds(model, seed) for model in models] for seed in range(TURNS)]
        numbers, vectors = zip(*turns, strict=True)
        table.row(
            architecture.__name__,
            f"{statistics.median(numbers):.4f}",
            f"{statistics.median(vectors):.4f}",
            f"{statistics.median(b / a for a, b in turns):.3f}",
            f"{min(vectors) / min(numbers):.3f}",
        )


if __name__ == "__main__":
    main()
