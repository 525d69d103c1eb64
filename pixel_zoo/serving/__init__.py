"""SavedModels with signatures that score, sample and complete, and the client of a server that has one."""

from pixel_zoo.serving.client import Client
from pixel_zoo.serving.export import export

__all__ = ["Client", "export"]
