"""CIFAR-10, 32x32 pixels of three colours, 256 levels each: the models of table 5 of the paper, and Gated PixelCNN.

Figures are bits per dimension on the test split. The four large models need an accelerator.
"""

from dataclasses import replace

from pixel_zoo.training import Recipe

PAPER = "van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), table 5"

# RMSProp and batches of 16 are the paper's. It gives no learning rate and no moving average.
pixel_cnn = Recipe(
    data="cifar10",
    model="PixelCNN",
    model_options={"filters": 128, "num_blocks": 15, "head_filters": 1024},
    optimizer="rmsprop",
    learning_rate=3e-4,
    schedule="cosine",
    warmup_steps=1000,
    clip_norm=1.0,
    ema_momentum=0.9995,
    batch_size=16,
    epochs=100,
    target="3.14 bits/dim, test split (train 3.08)",
    source=PAPER,
)

row_lstm = replace(
    pixel_cnn,
    model="PixelRNN",
    model_options={"recurrence": "row", "units": 128, "num_blocks": 12, "head_filters": 1024},
    jit_compile=True,
    target="3.07 bits/dim, test split (train 3.00)",
)

diagonal_bilstm = replace(
    row_lstm,
    model_options=row_lstm.model_options | {"recurrence": "diagonal"},
    target="3.00 bits/dim, test split (train 2.93)",
)

# The size is PixelCNN's.
gated = replace(
    pixel_cnn,
    model="GatedPixelCNN",
    target="3.03 bits/dim, test split (train 2.90)",
    source="van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016 (arXiv 1606.05328)",
)

# Not a model of a paper, but one that two CPU cores can train. It takes many steps to sharpen the 256-way softmax, and
# each image has 3,072 values. On one core four images per step take a quarter of the time of sixteen; after one
# minute of each, at a learning rate of 5e-3, training had reached 4.98 bits/dim against 5.3.
pixel_cnn_small = replace(
    pixel_cnn,
    model_options={"filters": 32, "num_blocks": 6, "head_filters": 64},
    optimizer="adam",
    learning_rate=4e-3,
    warmup_steps=200,
    batch_size=4,
    epochs=8,
    target="below 4.00 bits/dim, test split: Deep GMMs",
)
