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


def test_the_client_needs_neither_keras_nor_an_engine():
    absent = ("keras", "tensorflow", "jax", "matplotlib", "sklearn")
    run(f"import sys; sys.modules.update(dict.fromkeys({absent})); from pixel_zoo.serving import Client")


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
