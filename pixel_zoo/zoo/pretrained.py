"""Pretrained models by name: files that come with the package, or downloads."""

import logging
import os
import pathlib

import keras

from pixel_zoo.addresses import without_password
from pixel_zoo.files import writable_directory
from pixel_zoo.models.provenance import Provenance
from pixel_zoo.shipped import shipped
from pixel_zoo.zoo.index import entry_of, file_of
from pixel_zoo.zoo.whole import is_whole


def load(name: str) -> keras.Model:
    """Load a pretrained model by its name.

    Args:
        name: one of `pixel_zoo.pretrained_names()`, or "NAME.encoder" or "NAME.decoder" of a prior over codes.

    Returns:
        The Keras model, not compiled: it scores, samples, completes and is exported; `model.compile()` before `fit`.
        Its `provenance` has its name, data and figure, which a notebook displays with samples. An encoder maps pictures
        to codes, a decoder codes to pictures: call `predict`.

    Raises:
        As `path`.

    Example:

    >>> pz.load("digits_pixel_cnn").generate(num_images=2, seed=1).shape
    (2, 8, 8, 1)
    """
    from pixel_zoo.zoo import card  # imported here: it imports the recipes

    file = path(name)
    model = keras.models.load_model(file)
    if "." in name:  # a part is a model of Keras alone
        return model
    entry = entry_of(name)
    model.provenance = Provenance(
        name, card.architecture(entry), entry["recipe"]["data"], card.likelihood(entry), file.with_suffix(".png")
    )
    return model


def path(name: str) -> pathlib.Path:
    """The `.keras` file of a pretrained model on this machine.

    Most files come with the package. A larger one is fetched once from the address in the environment variable
    `PIXEL_ZOO_URL`, which is one of these:

    - `https://HOST/FOLDER`, which has `NAME.keras`. The file is kept in the directory `PIXEL_ZOO_CACHE` (default:
      `pixel_zoo` in the platform's directory for caches). An interrupted download is resumed the next time.
    - `hf://OWNER/REPOSITORY`, perhaps with `@REVISION`: a model repository of the Hugging Face Hub, which has
      `NAME.keras`. The file is kept in the Hub's own cache. This needs `pip install 'pixel-zoo[hub]'`.

    The SHA-256 of the file must be that of the index.

    Args:
        name: as of `load`.

    Raises:
        ValueError: there is no such model, the server sent another file, or `PIXEL_ZOO_URL` is not such an address.
        FileNotFoundError: there is no file, or a damaged one, and `PIXEL_ZOO_URL` is not set or the server does not
            have it.
        PermissionError: `PIXEL_ZOO_CACHE` cannot be written.
        ConnectionError: it cannot be fetched now.
        ImportError: the address is of the Hub, and `huggingface_hub` is not installed.

    Example:

    >>> pz.path("digits_pixel_cnn").name
    'digits_pixel_cnn.keras'
    """
    entry = file_of(name)
    file, cache = f"{name}.keras", _cache()
    places = [directory / file for directory in (shipped("exported"), cache)]
    for place in places:
        if is_whole(place, entry["sha256"]):
            return place
    address = os.environ.get("PIXEL_ZOO_URL")
    size = f"{entry['bytes'] / 1e6:.1f} MB"
    if not address:
        damaged = [f"; {str(place)!r} is another file: its SHA-256 differs" for place in places if place.is_file()]
        raise FileNotFoundError(
            f"name: {file} ({size}) is neither in {str(places[0].parent)!r} nor in {str(cache)!r}{''.join(damaged)}; "
            "copy it there, or set PIXEL_ZOO_URL to an address that has it (https://HOST/FOLDER or "
            "hf://OWNER/REPOSITORY)"
        )
    return _fetch(address, file, size, cache, entry)


def _fetch(address, file, size, cache, entry):
    """Fetch a file from `PIXEL_ZOO_URL`, and say on stderr what is fetched, from where, and how large it is."""
    # Imported here: a machine that only trains may lack the packages that these need.
    from pixel_zoo.zoo.download import download
    from pixel_zoo.zoo.hub import SCHEME, fetch_from_hub

    shown = without_password(address)
    if not address.startswith(("http://", "https://", SCHEME)):
        raise ValueError(f"PIXEL_ZOO_URL must begin with http://, https:// or {SCHEME}, got {shown!r}")
    logging.getLogger("pixel_zoo").warning(f"Fetching {file} ({size}) from {shown}")
    if address.startswith(SCHEME):
        return fetch_from_hub(address, file, entry["sha256"])
    _make_writable(cache)
    return download(f"{address.rstrip('/')}/{file}", cache / file, entry["bytes"], entry["sha256"])


def _cache():
    """The directory for downloads."""
    import platformdirs  # imported here: a machine that only trains may lack it

    return pathlib.Path(os.environ.get("PIXEL_ZOO_CACHE") or platformdirs.user_cache_path("pixel_zoo")).expanduser()


def _make_writable(cache):
    """Make the directory for downloads, or say how to choose another one."""
    try:
        writable_directory(cache)
    except OSError as error:
        raise PermissionError(
            f"PIXEL_ZOO_CACHE must name a directory that can be written, got {str(cache)!r}"
        ) from error
