"""The index of the pretrained models: hash of the file, likelihood, and how the model was trained."""

import json
import pathlib

from pixel_zoo.checks import one_of

PARTS = ("encoder", "decoder")  # of a prior over codes: the models in NAME.encoder.keras and NAME.decoder.keras
PATH = pathlib.Path(__file__).with_name("index.json")  # written by `pixel_zoo.zoo.release`, never by hand


def read_index():
    """The index of the pretrained models.

    Returns:
        Dictionary of name -> what `pixel_zoo.zoo.release` recorded of the model: `sha256` and `bytes` of its `.keras`
        file; `recipe`, `command`, `epochs`, `seconds` ... of its training; `images`, `nats`, `standard_error`,
        `bits_per_dim` of the whole test split; `parts` of a prior over codes, see `file_of`.

    Example:

    >>> {len(entry["sha256"]) for entry in read_index().values()}
    {64}
    """
    return json.loads(PATH.read_text())


def pretrained_names() -> list[str]:
    """The names of the pretrained models, sorted. `pixel_zoo.list` is the older name of this function.

    Example:

    >>> "digits_pixel_cnn" in pz.pretrained_names()
    True
    """
    return sorted(read_index())


def file_of(name):
    """The `sha256` and `bytes` of a file: of a model, or of a part of it, "NAME.encoder" or "NAME.decoder".

    A prior over codes has these parts: built-in Keras models from pictures to codes, and back.

    Raises:
        ValueError: there is no such model, or it has no such part.

    Example:

    >>> file_of("digits_gated.decoder")
    Traceback (most recent call last):
    ...
    ValueError: name: digits_gated has no parts, got 'digits_gated.decoder'
    """
    model, dot, part = name.partition(".")
    entry = entry_of(model)
    if not dot:
        return entry
    parts = entry.get("parts", {})
    if part not in parts:
        raise ValueError(f"name: {model} has {'the parts ' + ', '.join(parts) if parts else 'no parts'}, got {name!r}")
    return parts[part]


def entry_of(name):
    """The entry of one model in the index.

    Raises:
        ValueError: there is no such model; the message names the most similar one, or all.

    Example:

    >>> entry_of("digits_gate")
    Traceback (most recent call last):
    ...
    ValueError: name: did you mean 'digits_gated'? It must be one of ...
    """
    index = read_index()
    return index[one_of("name", name, sorted(index))]
