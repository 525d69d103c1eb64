"""A model on a server, as the playground takes one."""

import math

from pixel_zoo.serving import Client


class ServedModel:
    """What the playground asks of a model, answered by a server.

    Args:
        server: str, as of `pixel_zoo.serving.Client`.
        name: str, the name that the model is served by.

    Raises:
        ValueError, ConnectionError, TimeoutError, RuntimeError, ImportError: as of the client; the server is asked at
            once.

    Example:
    >>> ServedModel("no address", "digits")
    Traceback (most recent call last):
    ...
    ValueError: server must be 'host:port' for gRPC or 'http://host:port' for REST, got 'no address'
    """

    def __init__(self, server, name):
        client = Client(server, name)
        self.image_shape, self.levels = client.image_shape, client.levels
        self.num_classes = math.inf if client.takes_labels else None  # how many there are, a server does not tell
        self.generate, self.complete, self.log_probabilities = client.sample, client.complete, client.log_probabilities
