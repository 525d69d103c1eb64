"""Check and train what `tools/pack.py` has packed, on a machine with NumPy, h5py, JAX and an accelerator.

    python STAGE/run.py --check
    python STAGE/run.py --minutes 9 --output OUTPUT

The first command checks the images that have arrived, trains two hundred steps as a trial, and prints images per second
and epochs per minute; only the compiled programs are kept. The second command trains until so many minutes after its
start. The run is stored in `STAGE/run/`, and the next call continues it. Results are written to OUTPUT as folders of
pieces, `best.keras/1-of-2` and so on. If STAGE was lost, put such folders into `STAGE/before/`: the next call continues
the run. With `compiled.zip` among them, JAX on such a machine need not compile again.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import zipfile

import packed_images
import pieces

HERE = pathlib.Path(__file__).resolve().parent
COMPILED = "compiled.zip"
RESULTS = ("log.csv", "config.json", "best.keras", "state.npz")
PIECE = 15 * 2**20  # bytes
BYTES_A_CALL = 60 * 2**20
PIECES_A_CALL = 8
STARTED = time.monotonic()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="check what has arrived, and measure the speed")
    what.add_argument("--minutes", type=float, help="train until so long after the start")
    what.add_argument("--after", type=int, help="don't train, but write the pieces after the first so many")
    parser.add_argument(
        "--set", action="append", default=[], help="change a field of the recipe; paths are from STAGE; repeatable"
    )
    parser.add_argument("--output", type=pathlib.Path, help=f"folder for {PIECES_A_CALL} pieces at most")
    parser.add_argument("--on-cpu", action="store_true", help="for a rehearsal without an accelerator")
    parser.add_argument("--steps", type=int, help="steps of a call, and of the trial; 100 on an accelerator")
    arguments = parser.parse_args()
    if not arguments.check and arguments.output is None:
        parser.error("--output is needed, except with --check")
    if arguments.after is not None:
        give(arguments.output, arguments.after)
        return
    if arguments.output is not None:
        arguments.output = arguments.output.absolute()
    os.chdir(HERE)  # paths of models in the recipe are relative to this folder
    try:
        prepare(arguments.on_cpu)
        recipe = changed(arguments.set)
        if arguments.check:
            check(recipe, arguments.steps or 100)
            return
        train(recipe, arguments.minutes, arguments.steps)
    except (OSError, ValueError, MemoryError) as error:
        sys.exit(f"run: {error}")
    finally:
        if arguments.output is not None:
            give(arguments.output, after=0)


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def prepare(on_cpu):
    """Install the wheels, cache the programs that JAX compiles, and check that there is an accelerator."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(HERE / "compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")  # a model has hundreds of small programs
    # Else the key of a program holds the path of this folder, and the programs of another machine do not count.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES", "none")
    install_wheels()
    unpack_compiled()
    import jax

    devices = ", ".join(device.device_kind for device in jax.devices())
    say(f"JAX {jax.__version__} on {devices}")
    if jax.default_backend() == "cpu" and not on_cpu:
        raise OSError("JAX finds no accelerator; --on-cpu trains without one")


def install_wheels():
    """Install the packed wheels into a separate folder, once, and put it first on the path."""
    site = HERE / "site"
    if not site.exists():
        wheels = sorted(str(wheel) for wheel in (HERE / "wheels").glob("*.whl"))
        options = ["--quiet", "--no-index", "--no-deps", "--target", str(site)]
        if subprocess.run([sys.executable, "-m", "pip", "install", *options, *wheels]).returncode:
            version = ".".join(map(str, sys.version_info[:2]))
            raise OSError(f"pip could not install the packed wheels; this is Python {version}: pack with --python")
    sys.path.insert(0, str(site))


def unpack_compiled():
    """Put the programs that another machine has compiled, if they are here, where JAX looks for them."""
    if not (HERE / "before" / COMPILED).exists():
        return
    try:
        pieces.join(HERE / "before" / COMPILED, HERE / COMPILED)
        shutil.unpack_archive(HERE / COMPILED, os.environ["JAX_COMPILATION_CACHE_DIR"])
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        say(f"{COMPILED} is not used, JAX compiles again: {error}")


def pack_compiled():
    """Pack the programs that JAX has compiled."""
    folder = os.environ["JAX_COMPILATION_CACHE_DIR"]
    if os.path.isdir(folder):
        os.replace(shutil.make_archive(HERE / "unfinished", "zip", folder), HERE / COMPILED)


def changed(changes):
    """The packed recipe with some fields changed."""
    from pixel_zoo import training

    recipe = training.Recipe(**json.loads((HERE / "recipe.json").read_text()))
    return training.override(recipe, *changes)


def unpack(name):
    """Store a split as an array that `pixel_zoo.data` reads, once."""
    import numpy as np

    path = HERE / "arrays" / f"{name}.npy"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        array = packed_images.unpack_images(HERE / "data" / name)
        np.save(path, array)
        say(f"{name}: {array.shape}, hash as packed")
    os.environ["PIXEL_ZOO_DATA"] = str(path.parent)


def check(recipe, steps):
    """Train a few steps of the program that `train` compiles, on blank images, and print the speed."""
    import numpy as np

    shapes = {}
    for folder in sorted((HERE / "data").iterdir()):
        manifest = json.loads((folder / "manifest.json").read_text())
        shapes[folder.name] = manifest["shape"]
        arrived = len(list(folder.glob("*.xz")))
        say(f"{folder.name}: {manifest['shape']}, {arrived} of {manifest['blocks']} blocks are here")
        if arrived == manifest["blocks"]:
            unpack(folder.name)
    from pixel_zoo.training.speed_trial import trial

    blank = np.random.default_rng(0).integers(0, 2, shapes[f"{recipe.data}-train"], "uint8")
    say(f"trial: {recipe.to_dict()}")
    result = trial(recipe, blank, steps)
    if result.teacher_seconds:
        say(f"before training, the teacher predicts all images in about {result.teacher_seconds:.0f} s")
    say(
        f"compiled in {result.compile_seconds:.1f} s; {1000 * result.step_seconds:.2f} ms a step, "
        f"{recipe.batch_size / result.step_seconds:,.0f} images/s, "
        f"{60 / (result.step_seconds * (len(blank) // recipe.batch_size)):.2f} epochs a minute without validation"
    )


def train(recipe, minutes, steps):
    """Start the run, or continue it."""
    for split in ("validation", "train"):
        unpack(f"{recipe.data}-{split}")
    if not (HERE / "run").exists():
        join_run(HERE / "before", HERE / "run")
    from pixel_zoo import training

    left = max(minutes - (time.monotonic() - STARTED) / 60, 0.01)
    say(f"training for {60 * left:.0f} s")
    options = {"minutes": left, "checkpoint_minutes": 2.0, "steps_per_call": steps, "samples": False}
    training.train(recipe, HERE / "run", resume=True, verbose=2, **options)
    say("trained")
    pack_compiled()


def join_run(folder, run):
    """Join the files of a run whose pieces lie in a folder: all of them, or none."""
    shutil.rmtree(HERE / "joining", ignore_errors=True)
    names = [name for name in RESULTS if (folder / name).exists()]
    if "config.json" in names and "state.npz" not in names:
        raise ValueError(f"{folder} holds config.json and no state.npz: the run would start anew")
    for name in names:
        (HERE / "joining").mkdir(exist_ok=True)
        pieces.join(folder / name, HERE / "joining" / name)
    if names:
        os.replace(HERE / "joining", run)


def give(output, after):
    """Write the pieces that one call may return, and print how to get the others."""
    shutil.rmtree(HERE / "pieces", ignore_errors=True)
    paths = [*(HERE / "run" / name for name in RESULTS), HERE / COMPILED]
    results = [path for path in paths if path.exists()]
    every = [piece for result in results for piece in pieces.split(result, HERE / "pieces" / result.name, PIECE)]
    given, size = [], 0
    for piece in every[after : after + PIECES_A_CALL]:
        size += piece.stat().st_size
        if size > BYTES_A_CALL:
            break
        given.append(piece)
    for piece in given:
        target = output / piece.parent.name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(piece, target)
    left = len(every) - after - len(given)
    if left > 0:
        say(f"{left} pieces more: python {sys.argv[0]} --after {after + len(given)} --output {output}")


if __name__ == "__main__":
    main()
