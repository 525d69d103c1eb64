"""What runs on TensorFlow alone, and what is slow: tests, and entries of their lists."""

import pytest

tensorflow_alone = pytest.mark.tensorflow_alone


def few_are_quick(entries, quick):
    """The entries of a parametrised test, marked `slow` but for the quick ones, which run all paths of the code."""
    return fewer_on_jax(entries, entries, quick)


def fewer_on_jax(entries, kept, quick=None):
    """The entries of a parametrised test, of which JAX, which compiles each anew, runs only those that are kept.

    If `quick` is given, all other entries are marked `slow`.
    """
    entries, kept = list(entries), list(kept)
    quick = entries if quick is None else list(quick)
    return [
        pytest.param(entry, marks=[tensorflow_alone] * (entry not in kept) + [pytest.mark.slow] * (entry not in quick))
        for entry in entries
    ]
