"""SavedModels with signatures that score, sample and complete."""

from pixel_zoo.serving.export import export

__all__ = ["export"]
