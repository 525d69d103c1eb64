"""A prior over integer maps in a NumPy file, such as the codes of a VQ-VAE (van den Oord et al. 2017).

Set the file, and the number of codes if the file does not contain the last one:

    pixel-zoo train recipes/codes.py --model pixel_cnn --set data_options.path=FILE --set data_options.levels=512 ...

Each code enters the models as a learned vector, because codes have no order. If the file holds labels, set
`model_options.num_classes`. docs/codes.md is the guide. No paper has a figure for your codes.
"""

from dataclasses import replace

from pixel_zoo.training import Recipe

pixel_cnn = Recipe(
    data="codes",
    data_options={"path": "codes.npz"},
    model="PixelCNN",
    model_options={"filters": 64, "num_blocks": 8, "head_filters": 256, "embedding_dim": 32},
    optimizer="adam",
    learning_rate=1e-3,
    schedule="cosine",
    warmup_steps=200,
    clip_norm=1.0,
    ema_momentum=0.999,
    batch_size=32,
    epochs=20,
    target="fewer bits/dim than log2(levels), validation split",
    source="equally likely codes",
)

row_lstm = replace(
    pixel_cnn,
    model="PixelRNN",
    model_options={"recurrence": "row", "units": 64, "num_blocks": 4, "head_filters": 256, "embedding_dim": 32},
    jit_compile=True,
)

diagonal_bilstm = replace(row_lstm, model_options=row_lstm.model_options | {"recurrence": "diagonal"})
