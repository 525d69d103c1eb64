"""Images and their labels by name, as NumPy arrays or tf.data pipelines: fixed splits, uint8 values 0 .. levels - 1."""

from pixel_zoo.data.data_set import DataSet
from pixel_zoo.data.pipeline import arrays, content_hash, labels, pipeline
from pixel_zoo.data.registry import info, names

__all__ = ["DataSet", "arrays", "content_hash", "info", "labels", "names", "pipeline"]
