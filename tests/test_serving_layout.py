"""`exported/` as TensorFlow Serving meets it: what its configurations say is what is there."""

import inspect
import pathlib
import re

from pixel_zoo.serving import Client
from pixel_zoo.serving.warm_up import BATCH_SIZES

EXPORTED = pathlib.Path(__file__).parents[1] / "exported"


def test_models_config_lists_what_is_exported():
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = (EXPORTED / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    served = {model.name: (model.base_path, model.model_platform) for model in config.model_config_list.config}
    there = {path.parent.parent.name for path in EXPORTED.glob("*/[0-9]*/saved_model.pb")}
    assert served == {name: (f"/models/{name}", "tensorflow") for name in there}
    text_format.Parse(re.search(r"# +(config \{.*\})", text)[1], config.model_config_list)  # the example in its comment


def test_batches_are_as_large_as_clients_requests_and_warm_up_requests():
    """A server refuses requests of more images than it merges, and pads to the sizes that it is told to compile for."""
    text = (EXPORTED / "batching.config").read_text()
    (largest,) = re.findall(r"^max_batch_size \{ value: (\d+) \}$", text, re.MULTILINE)
    assert int(largest) == inspect.signature(Client).parameters["batch_size"].default
    sizes = re.findall(r"^# allowed_batch_sizes: (\d+)$", text, re.MULTILINE)
    assert tuple(map(int, sizes)) == BATCH_SIZES and sizes[-1] == largest
