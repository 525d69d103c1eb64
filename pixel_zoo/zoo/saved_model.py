"""Pretrained models as SavedModels in `exported/`, for TensorFlow Serving."""

import pathlib
import re
import shutil

from pixel_zoo.files import replacing
from pixel_zoo.serving import export
from pixel_zoo.zoo.codecs import parts_of
from pixel_zoo.zoo.pretrained import load

VERSION = 1


def write_saved_model(name, exported):
    """Write `exported/NAME/1/` again, and list it in `exported/models.config`.

    The SavedModel of a prior over codes has its encoder and decoder, so it returns pictures.

    Args:
        name: one of `pixel_zoo.pretrained_names()`.
        exported: directory that the server reads.

    Returns:
        pathlib.Path of the SavedModel.
    """
    exported = pathlib.Path(exported)
    with replacing(exported / name) as temporary:  # the old version stays until this one is whole
        export(load(name), temporary, version=VERSION, **parts_of(name))
        shutil.rmtree(exported / name, ignore_errors=True)
    write_models_config(exported)
    return exported / name / str(VERSION)


def write_models_config(exported):
    """Make `models.config` list all SavedModels, below the comments at its beginning."""
    path = exported / "models.config"
    comments = re.match(r"(#.*\n)*", path.read_text())[0]
    names = sorted(file.parents[1].name for file in exported.glob(f"*/{VERSION}/saved_model.pb"))
    entries = [f'  config {{ name: "{n}" base_path: "/models/{n}" model_platform: "tensorflow" }}\n' for n in names]
    with replacing(path) as temporary:
        temporary.write_text(f"{comments}model_config_list {{\n{''.join(entries)}}}\n")
