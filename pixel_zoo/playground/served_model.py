"""A served model, as the playground uses it."""

import math

from pixel_zoo.serving import Client
from pixel_zoo.zoo.codecs import codec_of_client


class ServedModel:
    """The methods and attributes of a model that the playground uses, backed by a server.

    Args:
        server: str, as of `pixel_zoo.serving.Client`.
        name: str, the name that the model is served by.

    Raises:
        ValueError, ConnectionError, TimeoutError, RuntimeError, ImportError: as the client, and `codec_of_client`. The
            constructor already asks the server for the model's signatures.

    Example:
    >>> ServedModel("no address", "digits")
    Traceback (most recent call last):
    ...
    ValueError: server must be 'host:port' for gRPC or 'http://host:port' for REST, got 'no address'; with TLS, ...
    """

    def __init__(self, server: str, name: str) -> None:
        client = Client(server, name)
        self.image_shape, self.levels, self.particles = client.image_shape, client.levels, client.particles
        self.num_classes = math.inf if client.takes_labels else None  # the server does not tell how many there are
        self.generate, self.complete, self.log_probabilities = client.sample, client.complete, client.log_probabilities
        self.codec = codec_of_client(name, client)
