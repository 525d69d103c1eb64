"""Class-conditional priors over the codes of a VQ-VAE (van den Oord et al. 2017), which `tools/vq_vae.py` writes.

    python tools/vq_vae.py mnist runs/mnist_vq
    pixel-zoo train recipes/vq.py --model mnist --output runs/mnist_prior

docs/codes.md is the guide. The codes have no order, so each of them enters the model as a learned vector.

`mnist_vq` is the prior over the codes of the VQ-VAE that comes with the package. `top` and `bottom` are the priors of
a VQ-VAE-2 (Razavi et al. 2019, 1906.00446), which has two maps of codes: the prior of the larger one is given the
smaller one. Its file holds `top_train`, `bottom_train`, `y_train` and so on; set the levels and sizes of yours.
"""

from dataclasses import replace

from pixel_zoo.training import Recipe

mnist = Recipe(
    data="codes",
    data_options={"path": "runs/mnist_vq/codes.npz", "levels": 128},
    model="GatedPixelCNN",
    model_options={"filters": 32, "num_blocks": 4, "head_filters": 64, "embedding_dim": 16, "num_classes": 10},
    optimizer="adam",
    learning_rate=2e-3,
    schedule="cosine",
    warmup_steps=100,
    clip_norm=1.0,
    ema_momentum=0.998,
    batch_size=64,
    epochs=2,
    target="fewer than 7 bits/dim, validation split",
    source="128 equally likely codes",
)

mnist_vq = replace(
    mnist,
    data="mnist_vq",
    data_options={},
    target="below 4.36 bits/dim, test split: one histogram for each label and position",
    source="histograms of the training codes, one added to each count",
)

cifar10 = replace(
    mnist,
    data_options={"path": "runs/cifar10_vq/codes.npz", "levels": 512},
    model_options=mnist.model_options | {"filters": 64, "num_blocks": 10, "head_filters": 128, "embedding_dim": 32},
    epochs=20,
    target="fewer than 9 bits/dim, validation split",
    source="512 equally likely codes",
)

top = replace(
    cifar10,
    data_options={"path": "runs/vq2/codes.npz", "levels": 512, "array": "top"},
    source="512 equally likely codes; Razavi et al. 2019 publish no likelihood of codes",
)

bottom = replace(
    top,
    data_options=top.data_options | {"array": "bottom", "small": "top"},
    # The top codes are not the bottom codes of every k-th row and column, so none is copied.
    model_options=top.model_options | {"small_shape": (8, 8), "copy_known": False},
)
