"""Raster layers, the building blocks of models of the PixelRNN family."""

from pixel_zoo.layers.copying_logits import CopyingLogits
from pixel_zoo.layers.diagonal_bilstm import DiagonalBiLSTM
from pixel_zoo.layers.gated_activation import GatedActivation
from pixel_zoo.layers.gated_conv2d import GatedConv2D
from pixel_zoo.layers.logits import Logits
from pixel_zoo.layers.masked_conv2d import MaskedConv2D
from pixel_zoo.layers.mixture_logits import MixtureLogits
from pixel_zoo.layers.position_embedding import PositionEmbedding
from pixel_zoo.layers.raster_layer import RasterLayer
from pixel_zoo.layers.row_lstm import RowLSTM
from pixel_zoo.layers.value_embedding import ValueEmbedding
from pixel_zoo.layers.vertical_conv2d import VerticalConv2D

__all__ = [
    "CopyingLogits",
    "DiagonalBiLSTM",
    "GatedActivation",
    "GatedConv2D",
    "Logits",
    "MaskedConv2D",
    "MixtureLogits",
    "PositionEmbedding",
    "RasterLayer",
    "RowLSTM",
    "ValueEmbedding",
    "VerticalConv2D",
]
