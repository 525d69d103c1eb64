"""oneDNN, the library of convolutions and matrix products that TensorFlow has but does not use on every processor."""

import os


def use_onednn() -> None:
    """Let TensorFlow use oneDNN on every x86 processor, not only on those with instructions for neural networks.

    With it, training steps are faster on a CPU, but small products are slower. So programs that train call this, and
    others do not. It has no effect after TensorFlow is imported. If the environment sets `TF_ENABLE_ONEDNN_OPTS`, that
    counts: 0 turns oneDNN off.

    Example:

    >>> use_onednn()
    >>> os.environ["TF_ENABLE_ONEDNN_OPTS"] in ("0", "1")
    True
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
