"""pixel_zoo: a model zoo of the PixelRNN family, exact-likelihood generative models of images."""

from pixel_zoo import data, layers, likelihoods, models, sampling
from pixel_zoo.causality import CausalityError, check_causality
from pixel_zoo.serving import export
from pixel_zoo.version import VERSION
from pixel_zoo.zoo import list, load

__version__ = VERSION

__all__ = [
    "CausalityError",
    "check_causality",
    "data",
    "export",
    "layers",
    "likelihoods",
    "list",
    "load",
    "models",
    "sampling",
]
