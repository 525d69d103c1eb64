"""The index of the pretrained models: hash of the file, likelihood, and how the model was trained."""

import json
import pathlib

from pixel_zoo.checks import one_of

PATH = pathlib.Path(__file__).with_name("index.json")  # written by `pixel_zoo.zoo.release`, never by hand


def read_index():
    """The index of the pretrained models.

    Returns:
        Dictionary of name -> what `pixel_zoo.zoo.release` recorded of the model: `sha256` and `bytes` of its `.keras`
        file; `recipe`, `command`, `epochs`, `seconds` ... of its training; `images`, `nats`, `standard_error`,
        `bits_per_dim` of the whole test split.

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
