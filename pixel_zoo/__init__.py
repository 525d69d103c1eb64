"""pixel_zoo: a model zoo of the PixelRNN family, exact-likelihood generative models of images.

Names are imported when they are first used, and Keras with them: `from pixel_zoo.serving import Client` needs neither
Keras nor TensorFlow. When Keras is imported, by any module, the layers and models are imported too, so that
`keras.models.load_model` knows them.
"""

import importlib
import pkgutil
import sys
import types
from collections.abc import Iterable
from typing import TYPE_CHECKING

import wrapt

from pixel_zoo.quiet import quieten_tensorflow
from pixel_zoo.version import VERSION

if TYPE_CHECKING:
    from pixel_zoo import anomaly, compression, data, layers, likelihoods, models, sampling
    from pixel_zoo.causality import CausalityError, check_causality
    from pixel_zoo.compression import compress, decompress
    from pixel_zoo.pictures import show
    from pixel_zoo.serving import export
    from pixel_zoo.zoo import list, load, path, pretrained_names

__version__ = VERSION

quieten_tensorflow()

__all__ = [
    "CausalityError",
    "anomaly",
    "check_causality",
    "compress",
    "compression",
    "data",
    "decompress",
    "export",
    "layers",
    "likelihoods",
    "list",
    "load",
    "models",
    "path",
    "pretrained_names",
    "sampling",
    "show",
]

# The modules that define the names which are not modules themselves.
_HOMES = {
    "CausalityError": "causality",
    "check_causality": "causality",
    "compress": "compression",
    "decompress": "compression",
    "export": "serving",
    "list": "zoo",
    "load": "zoo",
    "path": "zoo",
    "pretrained_names": "zoo",
    "show": "pictures",
}

_ENGINES = ("keras", "tensorflow", "jax")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_HOMES.get(name, name)}")
    except ModuleNotFoundError as error:
        if error.name not in _ENGINES:
            raise
        raise ModuleNotFoundError(
            f"{__name__}.{name} needs {error.name}, which is not installed: pip install pixel-zoo; or, for JAX without "
            "TensorFlow, pip install 'pixel-zoo-slim[jax]' and set the environment variable KERAS_BACKEND=jax",
            name=error.name,
        ) from error
    value = globals()[name] = getattr(module, name) if name in _HOMES else module
    return value


def __dir__() -> Iterable[str]:
    return sorted(globals().keys() | set(__all__))


_CHILDREN = [f"{__name__}.{child.name}" for child in pkgutil.iter_modules(__path__)]


def _register_classes(imported: types.ModuleType) -> None:
    """Import every class that Keras saves and loads, once Keras has been imported.

    If a module of this package that is itself being imported imports Keras, this is left to the hook of that module,
    because its names are not defined yet.
    """
    children = [sys.modules[name] for name in _CHILDREN if name in sys.modules]
    busy = any(getattr(child.__spec__, "_initializing", False) for child in children if child is not imported)
    if sys.modules.get("keras") and not busy:
        importlib.import_module(f"{__name__}.models")


for _name in ("keras", *_CHILDREN):
    wrapt.register_post_import_hook(_register_classes, _name)
