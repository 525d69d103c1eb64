"""ImageNet shrunk to 64x64 pixels of three colours, 256 levels each: the model of table 6 of the paper.

Figures are bits per dimension on the official validation split, which is the split "test" here. TensorFlow Datasets
can no longer download the images; if it has none, supply them:

    pixel-zoo train recipes/imagenet64.py --model row_lstm --set data_options.path=FOLDER --output runs/imagenet64

where FOLDER contains `train_64x64/` and `valid_64x64/`, or .npy files of these names. Other ImageNets of this size give
other figures.
"""

from dataclasses import replace

from pixel_zoo.training import Recipe

PAPER = "van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), table 6"

# 4 layers of 512 units without residual connections are the paper's. We found no source for its batch of 32.
row_lstm = Recipe(
    data="imagenet64",
    model="PixelRNN",
    model_options={"recurrence": "row", "units": 512, "num_blocks": 4, "head_filters": 1024, "residual": False},
    optimizer="rmsprop",
    learning_rate=3e-4,
    schedule="cosine",
    warmup_steps=1000,
    clip_norm=1.0,
    ema_momentum=0.9999,
    batch_size=32,
    epochs=10,
    jit_compile=True,
    target="3.63 bits/dim, official validation split (train 3.57)",
    source=PAPER,
)

# Not a model of a paper, but one that a small GPU can train. It has not been trained; the target is a guess.
pixel_cnn_small = replace(
    row_lstm,
    model="PixelCNN",
    model_options={"filters": 64, "num_blocks": 10, "head_filters": 128},
    optimizer="adam",
    learning_rate=1e-3,
    ema_momentum=0.999,
    epochs=3,
    target="as near to the Row LSTM's 3.63 bits/dim as its size allows, official validation split",
)
