"""Pretrained models by name: local files, or downloads."""

import os
import pathlib

import keras

from pixel_zoo.files import writable_directory
from pixel_zoo.models.provenance import Provenance
from pixel_zoo.zoo.index import entry_of
from pixel_zoo.zoo.whole import is_whole

CHECKOUT = pathlib.Path(__file__).parents[2] / "exported"


def load(name: str) -> keras.Model:
    """Load a pretrained model by its name.

    Its file is that of a checkout (`exported/NAME.keras`), or is fetched once from `PIXEL_ZOO_URL/NAME.keras` into the
    directory `PIXEL_ZOO_CACHE` (default: `pixel_zoo` in the platform's directory for caches). Its SHA-256 must be that
    of the index. An interrupted download is resumed the next time.

    Args:
        name: one of `pixel_zoo.pretrained_names()`.

    Returns:
        The Keras model, not compiled: it scores, samples, completes and is exported; `model.compile()` before `fit`.
        Its `provenance` has its name, data and figure, which a notebook displays with samples.

    Raises:
        ValueError: there is no such model, the server sent another file, or `PIXEL_ZOO_URL` is not an http address.
        FileNotFoundError: there is no file, or a damaged one, and `PIXEL_ZOO_URL` is not set or the server does not
            have it.
        PermissionError: `PIXEL_ZOO_CACHE` cannot be written.
        ConnectionError: it cannot be fetched now.

    Example:

    >>> pz.load("digits_pixel_cnn").generate(num_images=2, seed=1).shape
    (2, 8, 8, 1)
    """
    from pixel_zoo.zoo import card  # imported here: it imports the recipes

    path, entry = find(name), entry_of(name)
    model = keras.models.load_model(path)
    model.provenance = Provenance(
        name, card.architecture(entry), entry["recipe"]["data"], card.likelihood(entry), path.with_suffix(".png")
    )
    return model


def find(name):
    """The path of a pretrained model's `.keras` file, which is fetched if it is not there yet; see `load`."""
    import platformdirs  # imported here: a machine that only trains may lack it and the packages of `download`

    entry = entry_of(name)
    cache = pathlib.Path(os.environ.get("PIXEL_ZOO_CACHE") or platformdirs.user_cache_path("pixel_zoo")).expanduser()
    file = f"{name}.keras"
    paths = [directory / file for directory in (CHECKOUT, cache)]
    for path in paths:
        if is_whole(path, entry["sha256"]):
            return path
    base = os.environ.get("PIXEL_ZOO_URL")
    if not base:
        damaged = [f"; {str(path)!r} is another file: its SHA-256 differs" for path in paths if path.is_file()]
        raise FileNotFoundError(
            f"name: {file} is neither in {str(CHECKOUT)!r} nor in {str(cache)!r}{''.join(damaged)}; copy it there, "
            "or set PIXEL_ZOO_URL to the address of a directory that has it"
        )
    from pixel_zoo.zoo.download import download, without_password

    if not base.startswith(("http://", "https://")):
        raise ValueError(f"PIXEL_ZOO_URL must begin with http:// or https://, got {without_password(base)!r}")
    _make_writable(cache)
    return download(f"{base.rstrip('/')}/{file}", cache / file, entry["bytes"], entry["sha256"])


def _make_writable(cache):
    """Make the directory for downloads, or say how to choose another one."""
    try:
        writable_directory(cache)
    except OSError as error:
        raise PermissionError(
            f"PIXEL_ZOO_CACHE must name a directory that can be written, got {str(cache)!r}"
        ) from error
