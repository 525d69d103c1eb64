"""Pack what a machine without TensorFlow, its data sets or a network needs to train a recipe on JAX.

    python tools/pack.py recipes/mnist.py --model diagonal_bilstm packed/
    python tools/pack.py --join OUTPUT/best.keras best.keras

The first makes a folder: the package, the recipe, the training and validation images as pieces of `.npy` files, wheels
of Keras and what it needs, and `run.py`, which trains with them there (its own `--help` says how). The second puts a
file together again that `run.py` has written in pieces. See docs/training-queue.md.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pieces

TOOLS = pathlib.Path(__file__).resolve().parent
PIECE = 60 * 2**20  # bytes
# Keras and what it needs that does not come with JAX and h5py. In the versions here, so that models load here again.
WHEELS = ("keras", "namex", "optree", "typing_extensions", "rich", "markdown-it-py", "mdurl", "pygments")
PLATFORMS = [f"manylinux{name}_x86_64" for name in ("_2_28", "_2_27", "_2_17", "2014")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="a file of recipes; with --join, a folder of pieces")
    parser.add_argument("target", type=pathlib.Path, help="the new folder; with --join, the file")
    parser.add_argument("--join", action="store_true", help="put a file together from its pieces")
    parser.add_argument("--model", help="name of the recipe, where the file holds several")
    parser.add_argument("--set", action="append", default=[], help="change a field, such as batch_size=64; repeatable")
    parser.add_argument("--python", default="3.12", help="version of Python there, for the wheels")
    arguments = parser.parse_args()
    try:
        if arguments.join:
            pieces.join(arguments.source, arguments.target)
        else:
            pack(arguments.source, arguments.target, arguments.model, arguments.set, arguments.python)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def pack(recipes, folder, model, changes, python):
    """Make the folder."""
    from pixel_zoo import data, training
    from pixel_zoo.files import new_directory

    recipe = training.override(_chosen(training.load_recipes(recipes), model), *changes)
    if data.options(recipe.data):
        fixed = ", ".join(name for name in data.names() if not data.options(name))
        raise ValueError(f"data: only a fixed set can be packed, one of {fixed}; the recipe has {recipe.data!r}")
    folder = new_directory(folder)
    shutil.copytree(TOOLS.parent / "pixel_zoo", folder / "pixel_zoo", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOOLS / "pieces.py", folder)
    shutil.copy(TOOLS / "packed_run.py", folder / "run.py")
    (folder / "recipe.json").write_text(json.dumps(dataclasses.asdict(recipe), indent=2) + "\n")
    for split in ("train", "validation"):
        _pack_array(data.arrays(recipe.data, split), folder / "data" / f"{recipe.data}-{split}.npy")
    _download_wheels(folder / "wheels", python)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}: {size / 2**20:.1f} MiB")


def _chosen(recipes, model):
    if model is None and len(recipes) == 1:
        (model,) = recipes
    if model not in recipes:
        raise ValueError(f"model: there are {', '.join(recipes)}, got {model!r}")
    return recipes[model]


def _pack_array(array, folder):
    import numpy as np

    with tempfile.TemporaryDirectory() as directory:
        whole = pathlib.Path(directory, folder.name)
        np.save(whole, array)
        pieces.split(whole, folder, PIECE)


def _download_wheels(folder, python):
    """Get the wheels by pip; where it can't, say what to bring."""
    wheels = [f"{name}=={importlib.metadata.version(name)}" for name in WHEELS]
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version", python, *platforms]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), *wheels]
    if subprocess.run(command).returncode:
        print(f"No wheels. Put them into {folder} where there is a network:\n{' '.join(command)}", file=sys.stderr)


if __name__ == "__main__":
    main()
