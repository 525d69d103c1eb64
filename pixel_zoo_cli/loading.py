"""Models by file or name, and checks that need no Keras."""

import hashlib
import json
import os
import pathlib
import zipfile

from pixel_zoo_cli.quiet import import_keras

BYTES_OF_A_BLOCK = 500  # at least, in a .keras file
#: Options that a model has at least as many weights as.
SIZES = ("filters", "units", "head_filters", "embedding_dim", "conditioning_dim", "num_classes", "levels")


def is_file(name):
    """Whether a model is a whole `.keras` file, not the name of a pretrained one; raises an error if it is neither."""
    path = pathlib.Path(name)
    if path.suffix != ".keras" and path.name == name:
        return False
    if not path.is_file():
        raise FileNotFoundError(f"model: there is no file {name!r}")
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except OSError as error:
        raise type(error)(f"model: {name!r} cannot be read: {error.strerror}") from error
    except (zipfile.BadZipFile, KeyError, EOFError):
        raise ValueError(f"model: {name!r} is not a whole .keras file; it is cut short, or of another kind") from None
    except Exception as error:  # a damaged archive fails in many ways
        raise ValueError(f"model: {name!r} cannot be loaded: {error}") from error
    _check_size(name, config, path.stat().st_size)
    return True


def load(name):
    """Load a `.keras` file, or a pretrained model by its name."""
    of_file, path = is_file(name), pathlib.Path(name)
    keras = import_keras()
    import pixel_zoo

    if not of_file:
        return _checked(name, pixel_zoo.load(name))
    try:
        model = keras.models.load_model(path, compile=False)  # no command needs the loss, which may be the user's own
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive fails in many ways, deep in zip, HDF5 or JSON
        raise ValueError(f"model: {name!r} cannot be loaded: {error}") from error
    return _checked(name, model)


def load_with_codec(name):
    """Load a model, and the `Codec` that shows its images as pictures, and encodes pictures."""
    model = load(name)
    from pixel_zoo.zoo.codecs import codec_of

    return model, codec_of(name, model)


def sha256(name):
    """The SHA-256 of the file of a model that `load` has loaded: what tells it from others."""
    import pixel_zoo

    with open(name if is_file(name) else pixel_zoo.path(name), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_can_make(directory):
    """Raise unless `directory` can be written, or made."""
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"path: {str(directory)!r} cannot be written: {str(existing)!r} is no writable directory")


def _checked(name, model):
    """Return a model, or raise an error: it is of another kind, or has weights with which figures mean nothing."""
    import numpy as np
    from keras import ops

    if not all(hasattr(model, method) for method in ("log_likelihood", "generate", "image_shape")):
        raise ValueError(f"model: {name!r} holds a {type(model).__name__}, which is not a model of pixel_zoo")
    for weight in model.weights:
        if not np.isfinite(ops.convert_to_numpy(weight)).all():
            raise ValueError(
                f"model: {name!r} has weights that are NaN or infinite, such as {weight.path}; the training diverged, "
                "or the file is damaged"
            )
    return model


def _check_size(name, config, size):
    """Raise if a file of `size` bytes cannot hold as many weights as its configuration says: building takes forever."""
    options = list(_options(config))
    blocks = max((value for option, value in options if option == "num_blocks"), default=0)
    widest = max((value for option, value in options if option in SIZES), default=0)
    if blocks * BYTES_OF_A_BLOCK > size or widest > size:
        raise ValueError(
            f"model: {name!r} has {size:,} bytes, too few for the model that it describes (num_blocks={blocks}, up to "
            f"{widest} features or values)"
        )


def _options(config):
    """All (name, integer) pairs of a nested configuration."""
    for key, value in config.items() if isinstance(config, dict) else enumerate(config):
        if isinstance(value, dict | list):
            yield from _options(value)
        elif isinstance(value, int):
            yield key, value
