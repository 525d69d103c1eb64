"""Pack all files that a machine without TensorFlow, Keras, data sets or a network needs to train a recipe on JAX.

    python tools/pack.py recipes/cifar10.py --model pixel_cnn packed/
    python tools/pack.py --join OUTPUT/best.keras best.keras

The first command writes folders `packed/1`, `packed/2`, ..., each small enough for one transfer: the package, the
recipe, the models that it starts from and learns from, wheels of Keras and its requirements, the training and
validation images, and `run.py`, which checks them and trains. Merge the folders on that machine:
`cp -r packed/1/. STAGE`, and so on. The second command joins a file that `run.py` has written in pieces. See
docs/fifteen-minutes.md.
"""

import argparse
import importlib.metadata
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import packed_images
import pieces

TOOLS = pathlib.Path(__file__).resolve().parent
# Packages beyond JAX and h5py, in the versions of this environment, so that it can load the models.
WHEELS = (
    "keras",
    "namex",
    "optree",
    "packaging",
    "typing_extensions",
    "rich",
    "markdown-it-py",
    "mdurl",
    "pygments",
    "filelock",
    "wrapt",
)
#: Where `run.py` keeps its files, below the folder into which the transfers are merged.
FOLDERS_OF_A_STAGE = ("arrays", "before", "compiled", "data", "joining", "pieces", "pixel_zoo", "run", "site", "wheels")
PLATFORMS = [f"manylinux{name}_x86_64" for name in ("_2_28", "_2_27", "_2_17", "2014")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="a file of recipes; with --join, a folder of pieces")
    parser.add_argument("target", type=pathlib.Path, help="the new folder; with --join, the file")
    parser.add_argument("--join", action="store_true", help="join a file from its pieces")
    parser.add_argument("--model", help="name of the recipe, where the file holds several")
    parser.add_argument("--set", action="append", default=[], help="change a field, such as batch_size=64; repeatable")
    parser.add_argument("--python", default="3.12", help="version of Python there, for the wheels")
    parser.add_argument("--limit", type=int, default=56, help="MiB of one folder at most")
    arguments = parser.parse_args()
    try:
        if arguments.join:
            pieces.join(arguments.source, arguments.target)
        else:
            pack(arguments.source, arguments.target, arguments.model, arguments.set, arguments.python, arguments.limit)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def pack(recipes, folder, model, changes, python, limit):
    """Write the folders."""
    from pixel_zoo import data, training
    from pixel_zoo.files import new_directory

    recipe = training.override(_chosen(training.load_recipes(recipes), model), *changes)
    fixed = [name for name in data.names() if not data.options(name)]
    if recipe.data not in fixed:
        raise ValueError(
            f"data: only a fixed set can be packed, one of {', '.join(fixed)}; the recipe has {recipe.data!r}"
        )
    models = _model_files(recipe)
    arrays = {f"{recipe.data}-{split}": data.arrays(recipe.data, split) for split in ("validation", "train")}
    folder = new_directory(folder)
    first = folder / "1"
    first.mkdir()
    shutil.copytree(TOOLS.parent / "pixel_zoo", first / "pixel_zoo", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOOLS / "pieces.py", first)
    shutil.copy(TOOLS / "packed_images.py", first)
    shutil.copy(TOOLS / "packed_run.py", first / "run.py")
    (first / "recipe.json").write_text(json.dumps(recipe.to_dict(), indent=2) + "\n")
    for path in models:
        (first / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, first / path)
    _download_wheels(first / "wheels", python)
    _pack_arrays(arrays, folder, limit * 2**20)
    for transfer in sorted(folder.iterdir()):
        print(f"{transfer}: {_size(transfer) / 2**20:.1f} MiB")


def _chosen(recipes, model):
    if model is None and len(recipes) == 1:
        (model,) = recipes
    if model not in recipes:
        raise ValueError(f"model: there are {', '.join(recipes)}, got {model!r}")
    return recipes[model]


def _model_files(recipe):
    """The paths of the models that a recipe starts from and learns from; they are the same on the other machine."""
    fields = {"initial_weights": recipe.initial_weights, "teacher": recipe.teacher}
    paths = {name: pathlib.Path(path) for name, path in fields.items() if path is not None}
    for name, path in paths.items():
        if path.is_absolute() or ".." in path.parts or path.parts[0] in FOLDERS_OF_A_STAGE:
            raise ValueError(
                f"{name} must be a path below the current folder, and not in a folder named "
                f"{', '.join(FOLDERS_OF_A_STAGE)}, got {str(path)!r}"
            )
        if not path.is_file():
            raise FileNotFoundError(f"{name}: there is no file {str(path)!r}")
    return list(paths.values())


def _pack_arrays(arrays, folder, limit):
    """Distribute the blocks of images over the folders, each filled before the next one is begun."""
    with tempfile.TemporaryDirectory() as directory:
        for name, array in arrays.items():
            blocks = packed_images.pack_images(array, pathlib.Path(directory, name))
            _move(pathlib.Path(directory, name, "manifest.json"), folder / "1" / "data" / name)
            for block in blocks:
                last = folder / str(len(list(folder.iterdir())))
                if _size(last) + block.stat().st_size > limit:
                    last = folder / str(int(last.name) + 1)
                _move(block, last / "data" / name)


def _move(file, folder):
    folder.mkdir(parents=True, exist_ok=True)
    shutil.move(file, folder)


def _size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _download_wheels(folder, python):
    """Download the wheels with pip; if that fails, list the missing ones."""
    wheels = [f"{name}=={importlib.metadata.version(name)}" for name in WHEELS]
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version", python, *platforms]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), *wheels]
    if subprocess.run(command).returncode:
        raise OSError(f"wheels: none downloaded; put them into {folder} where there is a network:\n{' '.join(command)}")


if __name__ == "__main__":
    main()
