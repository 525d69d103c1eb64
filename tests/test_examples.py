"""The examples of all docstrings run."""

import doctest
import importlib
import pkgutil

import keras
import numpy as np
import pytest

import pixel_zoo

# What only TensorFlow can do.
NEEDS_TENSORFLOW = ("pixel_zoo.data.pipeline",)
MODULES = sorted(module.name for module in pkgutil.walk_packages(pixel_zoo.__path__, "pixel_zoo."))
SLOW = ("pixel_zoo.compression.codec", "pixel_zoo.compression.header")  # a pretrained model, walked several times


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in MODULES])
def test_examples_run(name):
    if name in NEEDS_TENSORFLOW and keras.backend.backend() != "tensorflow":
        pytest.skip("needs the TensorFlow backend")
    globals_ = {"pz": pixel_zoo, "keras": keras, "np": np}
    result = doctest.testmod(importlib.import_module(name), extraglobs=globals_, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
