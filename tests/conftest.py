"""Fixtures of all tests."""

import os

# Small models run once: without optimisations JAX compiles them in a third of the time. It reads this when imported.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import pytest

from pixel_zoo import backend


@pytest.fixture(autouse=True)
def without_xla(request, monkeypatch):
    """Compile small models without XLA, which takes longer than running them; tests marked `xla` keep it."""
    if "xla" not in request.keywords:
        compiled = backend.compiled
        monkeypatch.setattr(
            backend, "compiled", lambda function, variables, xla=False: compiled(function, variables, xla=False)
        )
