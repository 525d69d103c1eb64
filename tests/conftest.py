"""Fixtures of all tests."""

import functools
import gc
import os
import shutil

# Small models run once: without optimisations JAX compiles them in a third of the time. It reads this when imported.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import filelock
import pytest

# Tracing makes many objects and hardly any garbage: by default, looking for it takes a quarter of the tests' time.
gc.set_threshold(100_000, 50, 100)


def on_tensorflow():
    """Whether the backend is TensorFlow. Keras is imported only if it must be: most tests are handed out without it."""
    backend = os.environ.get("KERAS_BACKEND")
    if backend is None:
        import keras

        backend = keras.backend.backend()
    return backend == "tensorflow"


@pytest.fixture(scope="session")
def make_once(tmp_path_factory):
    """A function that makes a folder once for all workers of pytest-xdist, which share its tests among them.

    `make_once(name, make)` returns the path of a folder. The first worker calls `make(path)` to fill it.
    """
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def once(name, make):
        folder, unfinished = root / name, root / f"{name}.unfinished"
        with filelock.FileLock(root / f"{name}.lock"):
            if not folder.exists():
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return once


@pytest.fixture(autouse=True)
def onednn_as_it_was():
    """`pixel-zoo train` turns oneDNN on, and if a test calls it, the processes of later tests would have it too."""
    before = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    yield
    if before is None:
        os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)
    else:
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = before


# What computes nothing, or only by way of what other tests run on both backends, runs on the default one alone.
ON_TENSORFLOW_ALONE = (
    "arguments",
    "claims",
    "cli",
    "cli_compression",
    "codes_guide",
    "codes_pictures",
    "codes_release",
    "conditioning",
    "data",
    "dependencies",
    "deployment",
    "documentation",
    "download",
    "examples",
    "extending",
    "files",
    "imports",
    "inspect",
    "interrupt",
    "labelled_data",
    "mixture",
    "notebooks",
    "picture_files",
    "playground",
    "public_api",
    "raster_graph",
    "recipe_names",
    "release",
    "release_mixture",
    "score",
    "serving",
    "serving_c_api",
    "serving_client",
    "serving_layout",
    "unknown_objects",
    "user_data",
    "value_embedding",
    "verify",
    "wheel",
    "workflows",
)
if not on_tensorflow():
    collect_ignore = [f"test_{name}.py" for name in ON_TENSORFLOW_ALONE]


@pytest.hookimpl(tryfirst=True)  # before pytest chooses tests by their marks
def pytest_collection_modifyitems(config, items):
    """On JAX, leave out single tests marked `tensorflow_alone`, and mark as slow those that are slow there."""
    if not on_tensorflow():
        for item in items:
            if "slow_on_jax" in item.keywords:
                item.add_marker("slow")
        alone = [item for item in items if "tensorflow_alone" in item.keywords]
        items[:] = [item for item in items if "tensorflow_alone" not in item.keywords]
        config.hook.pytest_deselected(items=alone)


# On TensorFlow their models run eagerly, but for tests marked `compiled` or `xla`: compiling takes longer than running
# models as small as these. JAX compiles them always, and exports are compiled.
EAGER = (
    "anomaly",
    "codes_pictures",
    "compression",
    "conditioning",
    "edges",
    "examples",
    "inspect",
    "mixture",
    "models",
    "multi_scale",
    "particles",
    "playground",
    "raster_graph",
    "sampling",
    "serving",
    "serving_c_api",
    "serving_client",
    "value_embedding",
    "verify",
)
asked = {"eager": False, "xla": False}  # what the present test asks for


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """See `run_as_asked`. It holds for the functions that a fixture made before, too."""
    asked["xla"] = "xla" in item.keywords
    eager = item.path.stem.removeprefix("test_") in EAGER and not {"compiled", "xla"} & set(item.keywords)
    asked["eager"] = eager and on_tensorflow()
    run_as_asked()


@functools.cache
def run_as_asked():
    """Compile with XLA for tests marked `xla` alone, and nothing where tests run eagerly."""
    import keras

    from pixel_zoo import backend

    compiled, run_eagerly = backend.compiled, keras.Model.run_eagerly

    def compiled_as_asked(function, variables, xla=False):
        traced = compiled(function, variables, xla=xla and asked["xla"])
        return _eager_if_asked(function, traced) if on_tensorflow() else traced

    backend.compiled = compiled_as_asked
    keras.Model.run_eagerly = property(lambda self: run_eagerly.fget(self) or asked["eager"], run_eagerly.fset)


def _eager_if_asked(function, traced):
    import keras
    import numpy as np
    import tensorflow as tf

    def tensor(x):
        return tf.convert_to_tensor(x) if isinstance(x, (np.ndarray, np.generic)) else x

    def run(*args, **more):
        if not asked["eager"] or not tf.executing_eagerly():
            return traced(*args, **more)
        args, more = keras.tree.map_structure(tensor, (args, more))
        return function(*args, **more)

    return run
