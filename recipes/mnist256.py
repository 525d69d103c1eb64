"""MNIST in its 256 grey levels, 28x28 pixels: the models of `recipes/mnist.py` with a softmax for the sigmoid.

The paper has no figure for it: its MNIST is binarised. One histogram per pixel of the training images (plus half a
count for each level) takes 1.689 bits/dim on the test split.
"""

from dataclasses import replace

from pixel_zoo.training import Recipe

pixel_cnn = Recipe(
    data="mnist",
    model="PixelCNN",
    model_options={"filters": 32, "num_blocks": 15, "head_filters": 64},
    optimizer="adam",
    learning_rate=2e-3,
    schedule="cosine",
    warmup_steps=200,
    clip_norm=1.0,
    ema_momentum=0.999,
    batch_size=16,
    epochs=30,
    jit_compile=True,
    target="below 1.69 bits/dim, test split: one histogram per pixel",
    source="recipes/mnist256.py",
)

row_lstm = replace(
    pixel_cnn,
    model="PixelRNN",
    model_options={"recurrence": "row", "units": 16, "num_blocks": 7, "head_filters": 64},
)

diagonal_bilstm = replace(row_lstm, model_options=row_lstm.model_options | {"recurrence": "diagonal"})
