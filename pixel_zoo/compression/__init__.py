"""Lossless compression: images in as many bits as the model's likelihood says."""

from pixel_zoo.compression.codec import compress, decompress
from pixel_zoo.compression.header import Header, read_header

__all__ = ["Header", "compress", "decompress", "read_header"]
