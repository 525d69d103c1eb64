"""Fixtures of all tests."""

import os

# Small models run once: without optimisations JAX compiles them in a third of the time. It reads this when imported.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import keras
import pytest

from pixel_zoo import backend

# What computes nothing, or only by way of what other tests run on both backends, runs on the default one alone.
ON_TENSORFLOW_ALONE = (
    "arguments",
    "claims",
    "cli",
    "cli_compression",
    "codes_guide",
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
    "playground",
    "public_api",
    "recipe_names",
    "release_mixture",
    "score",
    "serving",
    "serving_c_api",
    "serving_client",
    "serving_layout",
    "unknown_objects",
    "user_data",
    "verify",
    "wheel",
    "workflows",
)
if keras.backend.backend() != "tensorflow":
    collect_ignore = [f"test_{name}.py" for name in ON_TENSORFLOW_ALONE]


@pytest.fixture(autouse=True)
def without_xla(request, monkeypatch):
    """Compile small models without XLA, which takes longer than running them; tests marked `xla` keep it."""
    if "xla" not in request.keywords:
        compiled = backend.compiled
        monkeypatch.setattr(
            backend, "compiled", lambda function, variables, xla=False: compiled(function, variables, xla=False)
        )
