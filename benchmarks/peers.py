"""Training speed compared with the alternatives: the same layers in plain PyTorch and in plain JAX, and TFP's PixelCNN.

    python benchmarks/peers.py                # makes .peers/, installs PyTorch and TensorFlow Probability there
    python benchmarks/peers.py --peers jax    # needs nothing more than the development environment

Batches of 32 binary images 28x28. Every line is a separate process; warm, each peer and our models in the lines
below it take turns, and medians are printed. The first two peers compute what our first model there does: their layers
are written out in `peer_torch.py` and `peer_jax.py`. TFP's is another network, with the sizes of its own documentation.
"""

import argparse
import pathlib
import subprocess
import sys
import venv

from training import worker
from turns import Table, Worker, take_turns

HERE = pathlib.Path(__file__).parent
BATCH = 32
PACKAGES = {
    "torch": ["torch", "numpy"],
    "tfp": ["tensorflow", "tf-keras", "tensorflow-probability"],
}
OURS = {
    "torch": [("PixelCNN 7x32", "TensorFlow"), ("PixelCNN 7x32", "TensorFlow, XLA")],
    "jax": [
        ("Diagonal BiLSTM 7x16", "TensorFlow, XLA"),
        ("Diagonal BiLSTM 7x16", "JAX"),
        ("Row LSTM 7x16", "TensorFlow, XLA"),
        ("Row LSTM 7x16", "JAX"),
    ],
    "tfp": [],
}
NAMES = {
    "torch": "PixelCNN 7x32 in plain PyTorch, masks multiplied",
    "jax": "Diagonal BiLSTM 7x16 with plain jax.lax.scan",
    "tfp": "TensorFlow Probability's PixelCNN, documentation's size",
}


def interpreter(peer):
    """A Python environment with the packages of a peer, created if missing."""
    if peer not in PACKAGES:
        return sys.executable
    folder = HERE.parent / ".peers" / peer
    python = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[peer]], check=True)
        (folder / ".installed").touch()
    return python


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", choices=NAMES, default=list(NAMES))
    options = parser.parse_args()
    table = Table("model", "images/s", "ratio")
    for peer in options.peers:
        theirs = Worker(interpreter(peer), HERE / f"peer_{peer}.py", BATCH)
        ours = [worker(name, engine, BATCH) for name, engine in OURS[peer]]
        take_turns([theirs, *ours])
        table.row(NAMES[peer], round(BATCH / theirs.median), 1)
        for (name, engine), done in zip(OURS[peer], ours, strict=True):
            table.row(f"{name}, {engine}", round(BATCH / done.median), f"{theirs.median / done.median:.2f}")


if __name__ == "__main__":
    main()
