"""Fixtures of all tests."""

import os

# Small models run once: without optimisations JAX compiles them in a third of the time. It reads this when imported.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import pytest


def on_tensorflow():
    """Whether the backend is TensorFlow. Keras is imported only if it must be: most tests are handed out without it."""
    backend = os.environ.get("KERAS_BACKEND")
    if backend is None:
        import keras

        backend = keras.backend.backend()
    return backend == "tensorflow"


# What computes nothing, or only by way of what other tests run on both backends, runs on the default one alone.
ON_TENSORFLOW_ALONE = (
    "arguments",
    "claims",
    "cli",
    "cli_compression",
    "codes_guide",
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


def pytest_collection_modifyitems(config, items):
    """Leave out single tests marked `tensorflow_alone` on the other backend."""
    if not on_tensorflow():
        alone = [item for item in items if "tensorflow_alone" in item.keywords]
        items[:] = [item for item in items if "tensorflow_alone" not in item.keywords]
        config.hook.pytest_deselected(items=alone)


@pytest.fixture(autouse=True)
def without_xla(request, monkeypatch):
    """Compile small models without XLA, which takes longer than running them; tests marked `xla` keep it."""
    from pixel_zoo import backend

    if "xla" not in request.keywords:
        compiled = backend.compiled
        monkeypatch.setattr(
            backend, "compiled", lambda function, variables, xla=False: compiled(function, variables, xla=False)
        )
