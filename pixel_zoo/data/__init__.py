"""Images and labels by name, as NumPy arrays or tf.data pipelines: fixed splits, values 0 .. levels - 1."""

from pixel_zoo.data.data_set import DataLike, DataSet
from pixel_zoo.data.pipeline import arrays, content_hash, labels, pipeline, small_images
from pixel_zoo.data.registry import check_options, in_words, info, name_of, names, options

__all__ = [
    "DataLike",
    "DataSet",
    "arrays",
    "check_options",
    "content_hash",
    "in_words",
    "info",
    "labels",
    "name_of",
    "names",
    "options",
    "pipeline",
    "small_images",
]
