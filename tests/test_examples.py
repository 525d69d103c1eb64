"""The examples of all docstrings run."""

import doctest
import importlib
import pathlib

import keras
import numpy as np
import pytest

import pixel_zoo

# What only TensorFlow can do.
NEEDS_TENSORFLOW = ("pixel_zoo.data.pipeline",)
# From the names of files: to collect tests must import no package, because importing gradio takes seconds.
PACKAGE = pathlib.Path(pixel_zoo.__file__).parent
PATHS = [path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")]
MODULES = sorted(".".join(path.parts).removesuffix(".__init__") for path in PATHS)
SLOW = (
    "pixel_zoo.compression.codec",  # a pretrained model, walked several times
    "pixel_zoo.compression.header",
    "pixel_zoo.models.image_model",  # particles and sweeps
    "pixel_zoo.models.multi_scale",
    "pixel_zoo.training.run",
)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in MODULES])
def test_examples_run(name):
    if name in NEEDS_TENSORFLOW and keras.backend.backend() != "tensorflow":
        pytest.skip("needs the TensorFlow backend")
    globals_ = {"pz": pixel_zoo, "keras": keras, "np": np}
    result = doctest.testmod(importlib.import_module(name), extraglobs=globals_, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
