"""Scikit-learn's 1,797 digits, 8x8 pixels of 17 grey levels: all architectures at a size for any laptop.

No paper has figures for this data set. The baseline is one histogram per pixel; `tools/demo.py` prints it.
"""

from dataclasses import replace

from pixel_zoo.training import Recipe

pixel_cnn = Recipe(
    data="digits",
    model="PixelCNN",
    model_options={"filters": 32, "num_blocks": 3, "head_filters": 64, "dropout": 0.1},
    optimizer="adam",
    learning_rate=5e-3,
    schedule="cosine",
    warmup_steps=40,
    clip_norm=1.0,
    ema_momentum=0.97,
    batch_size=32,
    epochs=12,
    target="below 2.19 bits/dim, test split: 10 % fewer than one histogram per pixel, 2.431",
    source="tools/demo.py",
)

gated = replace(pixel_cnn, model="GatedPixelCNN")

row_lstm = replace(
    pixel_cnn,
    model="PixelRNN",
    model_options={"recurrence": "row", "units": 24, "num_blocks": 2, "head_filters": 64, "dropout": 0.1},
)

diagonal_bilstm = replace(row_lstm, model_options=row_lstm.model_options | {"recurrence": "diagonal"})

# The model is conditioned on the label of each image: log p(image | label). `pixel-zoo sample ... --label 3` draws
# threes. The difference from the same net without labels is the value of a label.
class_conditional = replace(
    pixel_cnn,
    model_options=pixel_cnn.model_options | {"num_classes": 10},
    target="below 80.07 nats given the label, test split: those of the same net that is not given it",
    source="exported/digits_pixel_cnn.md",
)
