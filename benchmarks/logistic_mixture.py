"""The head to compare the softmax with: a mixture of discretised logistics, few numbers for all levels."""

import keras
import numpy as np
from keras import ops

from pixel_zoo.layers import MaskedConv2D
from pixel_zoo.models import PixelRNN
from pixel_zoo.models.pixel_model import ConfiguredModel

LOWEST_LOG_SCALE = -7.0  # as in PixelCNN++: keeps 1 / s finite


@keras.saving.register_keras_serializable(package="pixel_zoo_benchmarks")
class LogisticMixture(MaskedConv2D):
    """1x1 masked convolution to a mixture of discretised logistics (Salimans et al. 2017, 1701.05517, equation 2).

    ```
    p(k) = sum_i w_i [sigmoid((k + 1/2 - m_i) / s_i) - sigmoid((k - 1/2 - m_i) / s_i)]
    ```

    The lowest level takes all that lies below it, the highest all above. A value costs 3 numbers a component, whatever
    the number of levels. The outputs are the logarithms of p, which are valid logits.

    Args:
        levels: int, number of values that a colour of a pixel takes, above 2.
        components: int, logistics in the mixture.
        colours: int, number of colour channels of the image.

    Input: float tensor (batch, height, width, c_in). Output: (batch, height, width, colours, levels).

    Example:
    >>> import numpy as np
    >>> LogisticMixture(17, components=3)(np.zeros((2, 4, 4, 32), "float32")).shape[1:] == (4, 4, 1, 17)
    True
    """

    def __init__(self, levels, components, colours=1, **kwargs):
        super().__init__(3 * components * colours, 1, "B", colours=colours, **kwargs)
        self.levels, self.components = levels, components

    def output_colours(self):
        return np.repeat(np.arange(self.colours), 3 * self.components)

    def compute_output_shape(self, x_shape, bias_shape=None):
        return (*x_shape[:-1], self.colours, self.levels)

    def call(self, x, bias=None):
        return self._by_colour(super().call(x, bias=bias))

    def step(self, weights, base, inputs, colour):
        (parameters,) = super().step(weights, base, inputs, colour)
        return (self._log_probabilities(parameters),)

    def row(self, weights, context, x):
        parameters, record = super().row(weights, context, x)
        return ops.reshape(self._by_colour(parameters), (x.shape[0], -1, self.colours * self.levels)), record

    def _by_colour(self, parameters):
        shape = (-1, *parameters.shape[1:-1], self.colours, 3 * self.components)
        return self._log_probabilities(ops.reshape(parameters, shape))

    def _log_probabilities(self, parameters):
        """Weights, means and log-scales (..., 3 * components) to log p (..., levels). Levels stand in [-1, 1]."""
        weights, means, log_scales = ops.split(ops.cast(parameters, "float32"), 3, axis=-1)
        means = means + (2 * np.arange(self.components, dtype="float32") + 1) / self.components - 1  # spread at first
        inverse_scales = ops.exp(-ops.maximum(log_scales, LOWEST_LOG_SCALE))
        edges = (2 * np.arange(1, self.levels, dtype="float32") - 1) / (self.levels - 1) - 1  # between two levels
        z = (edges - means[..., None]) * inverse_scales[..., None]
        below, above = ops.log_sigmoid(z), ops.log_sigmoid(-z)
        # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)), which rounding leaves above 0.
        width = ops.log(-ops.expm1(-2 / (self.levels - 1) * inverse_scales))[..., None]
        inner = below[..., 1:] + above[..., :-1] + width
        of_component = ops.concatenate([below[..., :1], inner, above[..., -1:]], axis=-1)
        return ops.logsumexp(ops.log_softmax(weights)[..., None] + of_component, axis=-2)

    def get_config(self):
        base = super().get_config()
        return {key: value for key, value in base.items() if key not in ("filters", "kernel_size", "mask_type")} | {
            "levels": self.levels,
            "components": self.components,
        }


@keras.saving.register_keras_serializable(package="pixel_zoo_benchmarks")
class LogisticMixturePixelRNN(ConfiguredModel):
    """A `PixelRNN` with a `LogisticMixture` in place of its logits.

    Args:
        image_shape, levels: as of `PixelRNN`.
        components: int, logistics in the mixture.
        options: dictionary of the other arguments of `PixelRNN`.
        name: str or None.

    Example:
    >>> options = {"units": 4, "num_blocks": 1}
    >>> LogisticMixturePixelRNN((8, 8, 1), levels=17, components=3, options=options).generate(num_images=2).shape
    (2, 8, 8, 1)
    """

    def __init__(self, image_shape, levels, components, options, name=None, **kwargs):
        rnn = PixelRNN(image_shape, levels, **options)
        head = LogisticMixture(levels, components, colours=image_shape[-1], name="logistic_mixture")
        config = {"image_shape": image_shape, "levels": levels, "components": components, "options": options}
        super().__init__(rnn.input, head(rnn.get_layer("logits_relu").output), config, name=name, **kwargs)
