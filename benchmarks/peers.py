"""Training speed compared with the alternatives: the same networks in PyTorch, Flax and plain JAX, and TFP's PixelCNN.

    python benchmarks/peers.py                # makes .peers/, installs PyTorch, Flax and TensorFlow Probability there
    python benchmarks/peers.py --nets diagonal    # needs nothing more than the development environment

Batches of 32 binary images 28x28. Every line is a separate process; the lines of a table were warmed up and take
turns, and medians are printed. Ratios are to the fastest peer of the table. The peers are written out layer by layer in
`peer_torch.py`, `peer_flax.py` and `peer_jax.py`. PyTorch and Flax start with the weights of our PixelCNN, and the
benchmark stops if their loss is another one. TFP's PixelCNN is another network, with the sizes of its own
documentation.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import venv

import numpy as np
from training import worker
from turns import Table, Worker, take_turns

HERE = pathlib.Path(__file__).parent
BATCH = 32
PACKAGES = {
    "torch": ["torch", "numpy"],
    "flax": ["flax", "optax", "jax"],
    "tfp": ["tensorflow", "tf-keras", "tensorflow-probability"],
}
# Of each network: the lines of the peers, as (environment, arguments of the script), and those of our models.
PEERS = {
    "pixel_cnn": {
        "PixelCNN 7x32, PyTorch": ("torch",),
        "PixelCNN 7x32, PyTorch, channels last": ("torch", "--channels-last"),
        "PixelCNN 7x32, PyTorch, torch.compile": ("torch", "--compile"),
        "PixelCNN 7x32, PyTorch, torch.compile, channels last": ("torch", "--compile", "--channels-last"),
        "PixelCNN 7x32, Flax": ("flax",),
    },
    "diagonal": {"Diagonal BiLSTM 7x16, plain jax.lax.scan": ("jax",)},
    "tfp": {"TensorFlow Probability's PixelCNN, documentation's size": ("tfp",)},
}
OURS = {
    "pixel_cnn": [("PixelCNN 7x32", engine) for engine in ("TensorFlow", "TensorFlow, XLA", "JAX")],
    "diagonal": [
        ("Diagonal BiLSTM 7x16", "TensorFlow, XLA"),
        ("Diagonal BiLSTM 7x16", "JAX"),
        ("Row LSTM 7x16", "TensorFlow, XLA"),
        ("Row LSTM 7x16", "JAX"),
    ],
    "tfp": [],
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


def start_peers(net, weights):
    """The workers of a network's peers; those of the PixelCNN get a file of weights, and must find its loss."""
    files = [weights] if net == "pixel_cnn" else []
    if files:
        subprocess.run([sys.executable, HERE / "pixel_cnn_weights.py", weights], check=True)
    workers = [
        Worker(interpreter(peer), HERE / f"peer_{peer}.py", BATCH, *files, *arguments)
        for peer, *arguments in PEERS[net].values()
    ]
    for name, peer in zip(PEERS[net], workers, strict=True):
        if files and not np.isclose(peer.facts["loss"], np.load(weights)["nats"][:BATCH].mean(), rtol=1e-4):
            raise ValueError(f"{name} is not our network: with the same weights its loss is {peer.facts['loss']}")
    return workers


def compare(net, weights, rounds):
    """Print the table of a network."""
    peers = start_peers(net, weights)
    ours = [worker(name, engine, BATCH) for name, engine in OURS[net]]
    take_turns([*peers, *ours], rounds)
    fastest = min(peer.median for peer in peers)
    table = Table("model", "images/s", "ratio")
    names = [*PEERS[net], *(f"{name}, {engine}" for name, engine in OURS[net])]
    for name, done in zip(names, [*peers, *ours], strict=True):
        table.row(name, round(BATCH / done.median), f"{fastest / done.median:.2f}")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=6, help="turns of five steps of each line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for net in options.nets:
            compare(net, pathlib.Path(folder) / "pixel_cnn.npz", options.rounds)


if __name__ == "__main__":
    main()
