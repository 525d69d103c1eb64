"""Multi-Scale PixelRNN (section 3.6 of the paper): a small image first, then a large one given it.

The small image is every fourth row and column. Its pixels are copied into the large image, so likelihoods are exact and
comparable with those of any other model; the paper predicts them again, and reports a lower bound, for ImageNet 64x64
only. Both stages are trained together; they may also be trained one by one:

    for index, stage in enumerate(model.stages):
        stage.compile()
        stage.fit(model.stage_inputs(index, images))
"""

from dataclasses import replace

from pixel_zoo.training import Recipe

# No paper has figures for scikit-learn's digits. Here the small image is every other row and column.
digits = Recipe(
    data="digits",
    model="MultiScalePixelRNN",
    model_options={
        "small_shapes": ((4, 4),),
        "base": "PixelRNN",
        "options": {"recurrence": "diagonal", "units": 24, "num_blocks": 2, "head_filters": 64, "dropout": 0.1},
    },
    optimizer="adam",
    learning_rate=5e-3,
    schedule="cosine",
    warmup_steps=40,
    clip_norm=1.0,
    ema_momentum=0.97,
    batch_size=32,
    epochs=12,
    target="77.44 nats, test split: those of the single-scale Diagonal BiLSTM",
    source="exported/digits_diagonal_bilstm.md",
)

mnist = Recipe(
    data="binarized_mnist",
    model="MultiScalePixelRNN",
    model_options={
        "small_shapes": ((7, 7),),
        "base": "PixelRNN",
        "options": {"recurrence": "diagonal", "units": 16, "num_blocks": 7, "head_filters": 32},
    },
    optimizer="adam",
    learning_rate=2e-3,
    schedule="cosine",
    warmup_steps=200,
    clip_norm=1.0,
    ema_momentum=0.999,
    batch_size=16,
    epochs=30,
    jit_compile=True,
    target="79.20 nats, fixed binarisation, test split: that of the single-scale Diagonal BiLSTM",
    source="van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), table 4",
)

cifar10 = replace(
    mnist,
    data="cifar10",
    model_options={
        "small_shapes": ((8, 8),),
        "base": "PixelRNN",
        "options": {"recurrence": "row", "units": 128, "num_blocks": 12, "head_filters": 1024},
    },
    optimizer="rmsprop",
    learning_rate=3e-4,
    warmup_steps=1000,
    ema_momentum=0.9995,
    epochs=100,
    target="3.07 bits/dim, test split: that of the single-scale Row LSTM",
    source="van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), table 5",
)
