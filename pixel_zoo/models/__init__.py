"""Models of the PixelRNN family."""

from pixel_zoo.models.gated_pixel_cnn import GatedPixelCNN
from pixel_zoo.models.mixture import Mixture
from pixel_zoo.models.multi_scale import MultiScalePixelRNN
from pixel_zoo.models.pixel_cnn import PixelCNN
from pixel_zoo.models.pixel_model import PixelModel
from pixel_zoo.models.pixel_rnn import PixelRNN

__all__ = ["GatedPixelCNN", "Mixture", "MultiScalePixelRNN", "PixelCNN", "PixelModel", "PixelRNN"]
