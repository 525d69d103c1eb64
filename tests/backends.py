"""What runs on TensorFlow alone: tests, and entries of their lists, that do not depend on the backend."""

import pytest

tensorflow_alone = pytest.mark.tensorflow_alone


def fewer_on_jax(entries, kept):
    """The entries of a parametrised test, of which JAX, which compiles each anew, runs only those that are kept."""
    kept = list(kept)
    return [pytest.param(entry, marks=() if entry in kept else tensorflow_alone) for entry in entries]
