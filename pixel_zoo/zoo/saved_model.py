"""Pretrained models as TensorFlow Serving finds them in `exported/`."""

import pathlib
import re
import shutil

from pixel_zoo.serving import export
from pixel_zoo.training.files import replacing
from pixel_zoo.zoo.pretrained import load

VERSION = 1


def write_saved_model(name, exported):
    """Write `exported/NAME/1/` anew, and list it in `exported/models.config`.

    Args:
        name: one of `pixel_zoo.list()`.
        exported: directory that is served.

    Returns:
        pathlib.Path of the SavedModel.
    """
    exported = pathlib.Path(exported)
    model = load(name)
    shutil.rmtree(exported / name, ignore_errors=True)
    path = export(model, exported / name, version=VERSION)
    write_models_config(exported)
    return path


def write_models_config(exported):
    """Let `models.config` list the SavedModels there are, below the comments that it begins with."""
    path = exported / "models.config"
    comments = re.match(r"(#.*\n)*", path.read_text())[0]
    names = sorted(file.parents[1].name for file in exported.glob(f"*/{VERSION}/saved_model.pb"))
    entries = [f'  config {{ name: "{n}" base_path: "/models/{n}" model_platform: "tensorflow" }}\n' for n in names]
    with replacing(path) as temporary:
        temporary.write_text(f"{comments}model_config_list {{\n{''.join(entries)}}}\n")
