"""SavedModels with signatures that score, sample and complete, and the clients of a server that has one.

`export` is imported when it is first used: a client alone needs neither Keras nor TensorFlow.
"""

from typing import TYPE_CHECKING

from pixel_zoo.serving.async_client import AsyncClient
from pixel_zoo.serving.client import Client

if TYPE_CHECKING:
    from pixel_zoo.serving.saved_model_export import export

__all__ = ["AsyncClient", "Client", "export"]


def __getattr__(name: str) -> object:
    if name == "export":
        from pixel_zoo.serving.saved_model_export import export

        return export
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
