"""What importing the package imports, each time in a fresh process."""

import os
import subprocess
import sys

import pytest

import pixel_zoo as pz

CHECK = """
import keras
import pixel_zoo
for name in ("PixelCNN", "MultiScalePixelRNN", "RowLSTM", "BitsPerDim"):
    assert keras.saving.get_registered_object(f"pixel_zoo>{name}") is not None, name
for name in pixel_zoo.__all__:
    getattr(pixel_zoo, name)
"""


def run(program):
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})


def test_the_client_imports_numpy_and_nothing_large():
    """Keras and TensorFlow take seconds; a module that imports one of them by accident shows here."""
    run("""
import sys
before = set(sys.modules)  # what the start of the interpreter imports
from pixel_zoo.sampler import Sampler
from pixel_zoo.serving import Client
packages = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
assert packages == {"numpy", "pixel_zoo", "wrapt"}, packages
""")


def test_without_keras_or_its_engine_it_is_said_how_to_install_them():
    run("""
import sys
sys.modules["keras"] = None
import pixel_zoo as pz
try:
    pz.load
except ModuleNotFoundError as error:
    assert "pixel_zoo.load needs keras, which is not installed: pip install pixel-zoo; or" in str(error), error
else:
    raise AssertionError
""")


@pytest.mark.parametrize(
    "first",
    [
        "import pixel_zoo",  # Keras comes later
        "from pixel_zoo.likelihoods import bits_per_dim",  # Keras comes in the middle of an import of ours
    ],
)
def test_keras_knows_the_classes_whatever_is_imported_first(first):
    run(f"{first}\n{CHECK}")


def test_public_names_are_found_and_others_are_not():
    assert set(pz.__all__) <= set(dir(pz))
    assert pz.export.__name__ == "export" and pz.models.PixelCNN is not None
    with pytest.raises(AttributeError, match="'pixel_zoo' has no attribute 'nothing'"):
        pz.nothing  # noqa: B018
