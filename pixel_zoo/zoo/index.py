"""What is known of each pretrained model: its file's hash, its likelihood, how it was trained."""

import json
import pathlib

from pixel_zoo.checks import one_of

PATH = pathlib.Path(__file__).with_name("index.json")  # written by `pixel_zoo.zoo.release`, never by hand


def read_index():
    """The index of the pretrained models.

    Returns:
        Dictionary of name -> what `pixel_zoo.zoo.release` knows of the model: `sha256` and `bytes` of its `.keras`
        file; `recipe`, `command`, `epochs`, `seconds` ... of its training; `images`, `nats`, `standard_error`,
        `bits_per_dim` of the whole test split.

    Example:

    >>> {len(entry["sha256"]) for entry in read_index().values()}
    {64}
    """
    return json.loads(PATH.read_text())


def list():
    """The names of the pretrained models, sorted.

    Example:

    >>> "digits_pixel_cnn" in pz.list()
    True
    """
    return sorted(read_index())


def entry_of(name):
    """What the index says of one model.

    Raises:
        ValueError: there is no such model; the message lists those there are.

    Example:

    >>> entry_of("no_such_model")
    Traceback (most recent call last):
    ...
    ValueError: name must be one of ..., got 'no_such_model'
    """
    index = read_index()
    return index[one_of("name", name, sorted(index))]
