"""A pretrained model as a repository on the Hugging Face Hub."""

import pathlib
import shutil
import zipfile

from pixel_zoo.files import new_directory, replacing
from pixel_zoo.shipped import shipped
from pixel_zoo.zoo.card import card
from pixel_zoo.zoo.index import entry_of
from pixel_zoo.zoo.pretrained import path

TASK = "unconditional-image-generation"


def write_hugging_face(name, directory):
    """Write the files for `keras.saving.load_model("hf://USER/NAME")`: the parts of the `.keras` file, and the card.

    Upload it with `hf upload USER/NAME DIRECTORY`. Import `pixel_zoo` before loading it. The card's metadata hold the
    figures of the test split as `model-index`, which the Hub shows beside the card.

    Args:
        name: one of `pixel_zoo.pretrained_names()`.
        directory: the directory, new or empty.

    Returns:
        `directory` as a `pathlib.Path`.

    Raises:
        ImportError: huggingface_hub is not installed: `pip install 'pixel-zoo[hub]'`.

    Example:

    >>> import tempfile
    >>> directory = write_hugging_face("digits_pixel_cnn", tempfile.mkdtemp())
    >>> keras.saving.load_model(directory).count_params() == pz.load("digits_pixel_cnn").count_params()
    True
    """
    entry = entry_of(name)
    metadata = _metadata(name, entry)
    directory = new_directory(pathlib.Path(directory))
    with replacing(directory) as temporary, zipfile.ZipFile(path(name)) as file:
        temporary.mkdir()
        file.extractall(temporary)
        for part in entry.get("parts", {}):
            shutil.copy(path(f"{name}.{part}"), temporary)
        for picture in shipped("exported").glob(f"{name}.*png"):
            (temporary / picture.name).write_bytes(picture.read_bytes())
        (temporary / "README.md").write_text(f"---\n{metadata}\n---\n{card(name, entry, on_hub=True)}")
    return directory


def _metadata(name, entry):
    """The metadata of a card, in YAML."""
    try:
        from huggingface_hub import EvalResult, ModelCardData
    except ImportError as error:
        raise ImportError(f"a card for the Hub needs {error.name}: pip install 'pixel-zoo[hub]'") from error
    recipe, exact = entry["recipe"], entry["likelihood"] == "exact"
    bound = "" if exact else " (upper bound)"
    split = {"dataset_type": recipe["data"], "dataset_name": recipe["data"], "dataset_split": "test"}
    results = [
        EvalResult(task_type=TASK, metric_type=kind, metric_name=f"{words}{bound}", metric_value=entry[kind], **split)
        for kind, words in (
            ("nats", "Negative log-likelihood, nats per image"),
            ("bits_per_dim", "Negative log-likelihood, bits per dimension"),
        )
    ]
    return ModelCardData(
        library_name="keras",
        license="apache-2.0",
        pipeline_tag=TASK,
        tags=["pixel-zoo", "autoregressive", recipe["model"].lower()],
        model_name=name,
        eval_results=results,
    ).to_yaml()
