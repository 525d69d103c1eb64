"""Your own pictures, the central square of each shrunk to 32x32 pixels of three colours.

Set the folder, and the size if you want another, such as `data_options.size=(64,128)` for 64 rows of 128 pixels. If
every picture lies in a subfolder, the subfolders are classes: set `model_options.num_classes` to their number.

    pixel-zoo train recipes/images.py --model pixel_cnn --set data_options.path=FOLDER --output runs/mine

No paper has a figure for them. Fewer than some ten thousand training images are soon memorised: watch the validation
nats, and set `model_options.dropout`.
"""

from dataclasses import replace

from pixel_zoo.training import Recipe

pixel_cnn = Recipe(
    data="images",
    data_options={"path": "photos", "size": 32, "colours": 3},
    model="PixelCNN",
    model_options={"filters": 32, "num_blocks": 6, "head_filters": 64},
    optimizer="adam",
    learning_rate=2e-3,
    schedule="cosine",
    warmup_steps=200,
    clip_norm=1.0,
    ema_momentum=0.999,
    batch_size=16,
    epochs=20,
    target="fewer than 8 bits/dim, validation split",
    source="256 equally likely levels",
)

row_lstm = replace(
    pixel_cnn,
    model="PixelRNN",
    model_options={"recurrence": "row", "units": 32, "num_blocks": 4, "head_filters": 64},
    jit_compile=True,
)

diagonal_bilstm = replace(row_lstm, model_options=row_lstm.model_options | {"recurrence": "diagonal"})
