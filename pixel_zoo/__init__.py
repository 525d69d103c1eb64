"""pixel_zoo: a model zoo of the PixelRNN family, exact-likelihood generative models of images."""

from pixel_zoo import layers, likelihoods, models, sampling

__all__ = ["layers", "likelihoods", "models", "sampling"]
__version__ = "0.1.0"
