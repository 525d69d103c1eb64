"""Where the weights of a model come from."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What is known of trained weights besides the model's configuration.

    Attributes:
        name: the name of the model, as of `pixel_zoo.load`.
        architecture: in words, such as "Row LSTM 7x16".
        data: the name of the data set that it was trained on.
        figure: its likelihood in words, such as "79.2 nats an image, 0.146 bits/dim".
        picture: a PNG file that shows samples, or None.

    Example:

    >>> pz.load("digits_pixel_cnn").provenance.data
    'digits'
    """

    name: str
    architecture: str
    data: str
    figure: str
    picture: pathlib.Path | None = None
