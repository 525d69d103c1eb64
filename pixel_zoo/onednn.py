"""oneDNN, the library of convolutions and matrix products that TensorFlow has but does not use on every processor."""

import os
import platform


def use_onednn() -> None:
    """Let TensorFlow use oneDNN on every x86 processor, not only on those with instructions for neural networks.

    With it, most training steps are faster on a CPU, but small products are slower. So `pixel-zoo train` calls this,
    and no other command does. It has no effect after TensorFlow is imported, nor on other kinds of processor. If the
    environment sets `TF_ENABLE_ONEDNN_OPTS`, that counts: 0 turns oneDNN off.

    Example:

    >>> use_onednn()
    """
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
