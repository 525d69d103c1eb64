"""Train what `tools/pack.py` has packed, for so many minutes, on a machine with NumPy, h5py and JAX and no network.

    KERAS_BACKEND=jax python packed/run.py --minutes 9 --output OUTPUT

The run lies in `run/` beside this file, and the next call goes on with it. What comes of it is written to OUTPUT as
folders of pieces, `best.keras/1-of-2` and so on. A machine that has lost `run/` goes on from such folders in `before/`.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pieces

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = ("log.csv", "config.json", "best.keras", "state.npz")
PIECE = 15 * 2**19  # bytes: eight are 60 MiB
PIECES_A_CALL = 8
STARTED = time.monotonic()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--minutes", type=float, help="train until so long after the start")
    what.add_argument("--after", type=int, help="don't train, but write the pieces after the first so many")
    parser.add_argument("--output", type=pathlib.Path, required=True, help=f"folder for {PIECES_A_CALL} pieces at most")
    arguments = parser.parse_args()
    if arguments.after is not None:
        give(arguments.output, arguments.after)
        return
    install_wheels()
    join_all(HERE / "data", HERE / "joined")
    if not (HERE / "run").exists():
        join_all(HERE / "before", HERE / "run")
    try:
        train(arguments.minutes)
    finally:
        give(arguments.output, after=0)


def install_wheels():
    """Install the carried wheels into a folder of their own, once, and let Python find them first."""
    site = HERE / "site"
    if not site.exists():
        wheels = sorted(str(wheel) for wheel in (HERE / "wheels").glob("*.whl"))
        options = ["--quiet", "--no-index", "--no-deps", "--target", str(site)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *wheels], check=True)
    sys.path.insert(0, str(site))


def join_all(folder, into):
    """Put together every file whose pieces lie in a folder."""
    for each in sorted(folder.glob("*")):
        into.mkdir(exist_ok=True)
        if not (into / each.name).exists():
            pieces.join(each, into / each.name)


def train(minutes):
    """Start the run, or go on with it."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ["PIXEL_ZOO_DATA"] = str(HERE / "joined")
    from pixel_zoo import training

    recipe = training.Recipe(**json.loads((HERE / "recipe.json").read_text()))
    left = max(minutes - (time.monotonic() - STARTED) / 60, 0.01)
    training.train(recipe, HERE / "run", resume=True, minutes=left, checkpoint_minutes=1.0, verbose=2)


def give(output, after):
    """Write the pieces that a call may bring back, and say how to get the others."""
    shutil.rmtree(HERE / "pieces", ignore_errors=True)
    results = [HERE / "run" / name for name in RESULTS if (HERE / "run" / name).exists()]
    every = [piece for result in results for piece in pieces.split(result, HERE / "pieces" / result.name, PIECE)]
    for piece in every[after : after + PIECES_A_CALL]:
        target = output / piece.parent.name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(piece, target)
    left = len(every) - after - PIECES_A_CALL
    if left > 0:
        print(f"{left} pieces more: python {sys.argv[0]} --after {after + PIECES_A_CALL} --output {output}")


if __name__ == "__main__":
    main()
