"""The client of a served model."""

import functools
import random
import re
import time

import numpy as np

from pixel_zoo.arguments import check_images, check_partly_known, check_sampling, check_seeds
from pixel_zoo.checks import positive_integer
from pixel_zoo.serving.grpc_transport import GrpcTransport
from pixel_zoo.serving.rest_transport import RestTransport
from pixel_zoo.serving.signature import Signature

_RETRIES = 5
_FIRST_PAUSE = 0.1  # seconds; each next one is twice as long


class Client:
    """Asks a server for what a model can do: TensorFlow Serving, or whatever speaks its APIs.

    The methods take and return what those of a `PixelModel` do, and the same seeds give the same images. Shapes and
    types are compared with what the server says of the model before anything is sent. A request that finds the server
    unavailable or too busy is sent again, five times at most, after pauses that double from a tenth of a second; no
    other failure is: the server would only fail again.

    Args:
        server: str, "host:port" for gRPC (TensorFlow Serving listens on 8500), or "http://host:port" for REST (8501).
            gRPC is faster: REST writes every value of an image as text.
        model: str, the name that the model is served by.
        version: int or None, for the latest.
        timeout: float, seconds that a request may take, with its retries.
        batch_size: int, how many images are sent in a request; more are sent in several, one after the other. No more
            than the `max_batch_size` of a server that merges requests.

    Raises:
        ImportError: if what the API needs is not installed.
        ValueError: if an argument is wrong.

    Example:
    >>> with Client("http://localhost:8501", "digits") as client:
    ...     client.sample(num_images=0)
    Traceback (most recent call last):
    ...
    ValueError: num_images must be an integer of at least 1, got 0
    """

    def __init__(self, server, model, version=None, timeout=60.0, batch_size=64):
        if not re.fullmatch(r"https?://[^\s/@?#]+|[^\s/@?#]+:\d+", str(server)):
            raise ValueError(f"server must be 'host:port' for gRPC or 'http://host:port' for REST, got {server!r}")
        if not isinstance(model, str) or not model:
            raise ValueError(f"model must be the name that a model is served by, got {model!r}")
        if not timeout > 0:
            raise ValueError(f"timeout must be seconds above 0, got {timeout!r}")
        version = None if version is None else positive_integer("version", version)
        self._batch_size = positive_integer("batch_size", batch_size)
        self._timeout = timeout
        transport = RestTransport if server.startswith("http") else GrpcTransport
        self._transport = transport(server, model, version)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Close the connection."""
        self._transport.close()

    @property
    def image_shape(self):
        """(height, width, colours) of the served model's images."""
        return self._signature("score").inputs["image"].shape[1:]

    @property
    def levels(self):
        """How many values a colour of a pixel takes."""
        return self._signature("log_probabilities").outputs["log_probability"].shape[-1]

    @property
    def takes_labels(self):
        """Whether an image is given with a label; how many labels there are, a server does not tell."""
        return "label" in self._signature("score").inputs

    def score(self, images, labels=None, vectors=None):
        """Exact log-likelihood of images.

        Args:
            images: integers (n, height, width, colours).
            labels, vectors: an integer and a vector for each image, or one for all, if the model is given such.

        Returns:
            Dictionary of `log_likelihood` in nats and `bits_per_dim`, float32 NumPy arrays (n,).

        Raises:
            ValueError, TypeError: naming the argument that is wrong, before anything is sent; or the server refuses it.
            ConnectionError: the server can't be reached, or stays unavailable.
            TimeoutError: there is no answer in time.
            RuntimeError: the server fails in another way.
        """
        signature = self._signature("score")
        return self._call("score", {"image": _images(images, signature.inputs["image"])}, labels, vectors)

    def log_probabilities(self, images, labels=None, vectors=None):
        """What the model expects of each value: log p(value = v | the values before it), for every v.

        Args:
            images, labels, vectors: as of `score`. An answer holds `levels` numbers for each value of an image.

        Returns:
            float32 NumPy array (n, height, width, colours, levels) in nats.

        Raises: as `score`.
        """
        image = _images(images, self._signature("log_probabilities").inputs["image"])
        return self._call("log_probabilities", {"image": image}, labels, vectors)["log_probability"]

    def sample(self, num_images=16, seed=0, temperature=1.0, labels=None, vectors=None, return_log_likelihood=False):
        """Draw images.

        Args:
            num_images: int, how many.
            seed: int, for images of seeds seed, seed + 1, ...; or one integer per image.
            temperature: float >= 0 that logits are divided by; 0 takes the most likely value.
            labels, vectors: as of `score`.
            return_log_likelihood: bool, whether to return the log-likelihood too.

        Returns:
            NumPy array (num_images, height, width, colours): uint8, or int32 for a model of more than 256 levels. With
            `return_log_likelihood`, a pair of it and a float32 NumPy array (num_images,) of nats.

        Raises: as `score`.
        """
        positive_integer("num_images", num_images)
        return self._draw("sample", {}, num_images, seed, temperature, labels, vectors, return_log_likelihood)

    def complete(self, images, known, seed=0, temperature=1.0, labels=None, vectors=None, return_log_likelihood=False):
        """Draw the unknown pixels of images, given the known ones before them in raster order.

        Args:
            images: integers (n, height, width, colours); what they hold where `known` is False is not read.
            known: bool (n, height, width) or (height, width), True where a pixel is known.
            seed, temperature, labels, vectors, return_log_likelihood: as of `sample`.

        Returns:
            As `sample`; known pixels are as they came.

        Raises: as `score`.
        """
        tensor = self._signature("complete").inputs["image"]
        images, known = check_partly_known(images, known, tensor.shape[1:], _levels(tensor))
        given = {"image": images.astype(tensor.dtype), "known": known}
        return self._draw("complete", given, len(images), seed, temperature, labels, vectors, return_log_likelihood)

    def upscale(self, small, seed=0, temperature=1.0, labels=None, vectors=None, return_log_likelihood=False):
        """Draw large images of small ones, by a multi-scale model.

        Args:
            small: integers (n, height, width, colours).
            seed, temperature, labels, vectors, return_log_likelihood: as of `sample`.

        Returns:
            As `sample`.

        Raises: as `score`.
        """
        given = {"small": _images(small, self._signature("upscale").inputs["small"], "small")}
        return self._draw("upscale", given, len(small), seed, temperature, labels, vectors, return_log_likelihood)

    def _draw(self, name, given, num_images, seed, temperature, labels, vectors, return_log_likelihood):
        """Call a signature that draws: the images, or a pair of them and their log-likelihood."""
        check_sampling(temperature, None, None)
        noise = {"seed": check_seeds(seed, num_images), "temperature": np.full(num_images, temperature, "float32")}
        drawn = self._call(name, given | noise, labels, vectors)
        return (drawn["image"], drawn["log_likelihood"]) if return_log_likelihood else drawn["image"]

    def _call(self, name, inputs, labels, vectors):
        """Call a signature, with no more images in a request than there may be."""
        signature = self._signature(name)
        count = len(next(iter(inputs.values())))
        positive_integer("the number of images", count)
        beside = {"label": labels, "vector": vectors}
        inputs = inputs | {key: value for key, value in beside.items() if value is not None}
        if inputs.keys() != signature.inputs.keys():
            takes, got = (", ".join(sorted(names)) for names in (signature.inputs, inputs))
            raise ValueError(f"the served signature {name!r} takes {takes}, got {got}")
        inputs = {key: _as_sent(key, value, signature.inputs[key], count) for key, value in inputs.items()}
        parts = []
        for first in range(0, count, self._batch_size):
            part = {key: value[first : first + self._batch_size] for key, value in inputs.items()}
            parts.append(self._send(functools.partial(self._transport.predict, name, part)))
        return {
            key: np.concatenate([part[key] for part in parts]).astype(tensor.dtype)
            for key, tensor in signature.outputs.items()
        }

    def _signature(self, name):
        if name not in self._signatures:
            names = ", ".join(sorted(self._signatures))
            raise ValueError(f"the served model has no signature {name!r}; it has {names}")
        return Signature.from_json(self._signatures[name])

    @functools.cached_property
    def _signatures(self):
        return self._send(self._transport.signatures)

    def _send(self, request):
        """Send a request, again if the server is unavailable; `request` takes the seconds that are left."""
        deadline = time.monotonic() + self._timeout
        for retry in range(_RETRIES + 1):
            try:
                return request(timeout=deadline - time.monotonic())
            except ConnectionError:
                # Many clients that were turned away together should not come back together.
                pause = _FIRST_PAUSE * 2**retry * random.uniform(0.5, 1.5)
                if retry == _RETRIES or time.monotonic() + pause > deadline:
                    raise
                time.sleep(pause)


def _levels(tensor):
    """How many values the type can hold: how many the model takes only the server knows."""
    return np.iinfo(tensor.dtype).max + 1


def _images(images, tensor, name="images"):
    """Images as the server takes them, or what is wrong with them."""
    return check_images(images, tensor.shape[1:], _levels(tensor), name).astype(tensor.dtype)


def _as_sent(name, value, tensor, count):
    """An array of a signature's type with an entry for each image; a single entry stands for all of them."""
    array = np.asarray(value)
    if not np.can_cast(array.dtype, tensor.dtype, "same_kind"):
        raise TypeError(f"input {name!r} must be of dtype {tensor.dtype}, got {array.dtype}")
    shape = (count, *tensor.shape[1:])
    if array.shape not in (shape, shape[1:]):
        raise ValueError(f"input {name!r} must have shape {shape} or {shape[1:]}, got {array.shape}")
    return np.broadcast_to(array, shape).astype(tensor.dtype)
