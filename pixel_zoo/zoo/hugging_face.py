"""A pretrained model as a repository on the Hugging Face Hub."""

import pathlib
import zipfile

from pixel_zoo.files import new_directory, replacing
from pixel_zoo.shipped import shipped
from pixel_zoo.zoo.card import card
from pixel_zoo.zoo.index import entry_of
from pixel_zoo.zoo.pretrained import path

METADATA = """---
library_name: keras
license: apache-2.0
pipeline_tag: unconditional-image-generation
tags: [pixel-zoo, autoregressive, {model}]
---
"""


def write_hugging_face(name, directory):
    """Write the files for `keras.saving.load_model("hf://USER/NAME")`: the parts of the `.keras` file, and the card.

    Upload it with `hf upload USER/NAME DIRECTORY`. Import `pixel_zoo` before loading it.

    Args:
        name: one of `pixel_zoo.pretrained_names()`.
        directory: the directory, new or empty.

    Returns:
        `directory` as a `pathlib.Path`.

    Example:

    >>> import tempfile
    >>> directory = write_hugging_face("digits_pixel_cnn", tempfile.mkdtemp())
    >>> keras.saving.load_model(directory).count_params() == pz.load("digits_pixel_cnn").count_params()
    True
    """
    entry = entry_of(name)
    directory = new_directory(pathlib.Path(directory))
    metadata = METADATA.format(model=entry["recipe"]["model"].lower())
    with replacing(directory) as temporary, zipfile.ZipFile(path(name)) as file:
        temporary.mkdir()
        file.extractall(temporary)
        for picture in shipped("exported").glob(f"{name}.*png"):
            (temporary / picture.name).write_bytes(picture.read_bytes())
        (temporary / "README.md").write_text(metadata + card(name, entry, on_hub=True))
    return directory
