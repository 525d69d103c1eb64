"""The client of a served model."""

import functools
import math
import numbers
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from pixel_zoo.arguments import check_images, check_partly_known, check_seeds
from pixel_zoo.checks import positive_integer
from pixel_zoo.sampler import Sampler, sampler_of
from pixel_zoo.serving.answer import check_answer
from pixel_zoo.serving.connection import Connection
from pixel_zoo.serving.grpc_transport import GrpcTransport
from pixel_zoo.serving.rest_transport import RestTransport
from pixel_zoo.serving.signature import Signature, Tensor

_T = TypeVar("_T")
_Arrays = dict[str, np.ndarray]

_RETRIES = 5
_FIRST_PAUSE = 0.1  # seconds; each next one is twice as long
# The inputs and outputs without which a signature is not one of pixel_zoo's.
_DRAWING = {
    name: (inputs | {"seed", "temperature"}, {"image", "log_likelihood"})
    for name, inputs in {"sample": set(), "complete": {"image", "known"}, "upscale": {"small"}}.items()
}
_TENSORS = {
    "score": ({"image"}, {"log_likelihood", "bits_per_dim"}),
    "log_probabilities": ({"image"}, {"log_probability"}),
    "surprise": ({"image"}, {"surprise"}),
    "encode": ({"picture"}, {"image"}),
    "decode": ({"image"}, {"picture"}),
    **_DRAWING,
    # Which rules there are depends on the version that exported the model: a request is compared with its signature.
    **{f"{name}_with_options": tensors for name, tensors in _DRAWING.items()},
}
_WITH_PARTICLES = re.compile(r"complete_with_(\d+)_particles(_with_options)?")


class Client:
    """Calls a served model: TensorFlow Serving, or any server that has its APIs.

    The methods take and return what those of a `PixelModel` do, and the same seeds give the same images. Before a
    request is sent, its shapes and types are compared with the signatures of the model. Before an answer is returned,
    its names, types, shapes and values are checked. A request that finds the server unavailable or too busy is sent
    again, up to five times, after pauses that start at a tenth of a second and double. No other failure is retried.

    It needs NumPy and either gRPC or httpx; it imports neither Keras nor TensorFlow.

    Args:
        server: str, "host:port" for gRPC (TensorFlow Serving listens on 8500), or "http://host:port" for REST (8501).
            With TLS: "grpcs://host:port" or "https://host:port". A REST server may be reached by a path, as in
            "https://host/pixels". gRPC is faster: REST writes every value of an image as text.
        model: str, the name that the model is served by.
        version: int, or str for a label such as "stable", or None for the latest.
        timeout: float, seconds until a whole answer must have arrived, retries included.
        batch_size: int, the most images in a request; more images are sent in several requests, one after the other.
            Keep it at or below the `max_batch_size` of a server that merges requests.
        headers: dictionary of HTTP headers that every request carries, such as {"Authorization": "Bearer ..."}; gRPC
            sends them as metadata.
        root_certificates: path of a PEM file of the authorities that the server's certificate is checked against; None
            takes the usual ones.
        client_certificate: pair of paths of PEM files, the client's certificate chain and its private key, for a server
            that asks for them.

    Raises:
        ImportError: if a package that the API needs is not installed.
        ValueError, TypeError, FileNotFoundError: if an argument is wrong, naming it.

    Example:
    >>> with Client("http://localhost:8501", "digits") as client:
    ...     client.sample(num_images=0)
    Traceback (most recent call last):
    ...
    ValueError: num_images must be an integer of at least 1, got 0
    """

    def __init__(
        self,
        server: str,
        model: str,
        version: int | str | None = None,
        timeout: float = 60.0,
        batch_size: int = 64,
        *,
        headers: Mapping[str, str] | None = None,
        root_certificates: str | os.PathLike[str] | None = None,
        client_certificate: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
    ) -> None:
        connection = Connection(
            server, model, version, {} if headers is None else headers, root_certificates, client_certificate
        )
        if not isinstance(timeout, numbers.Real) or not 0 < timeout < math.inf:
            raise ValueError(f"timeout must be a number of seconds above 0, got {timeout!r}")
        self._batch_size: int = positive_integer("batch_size", batch_size)
        self._timeout: float = timeout
        self._server: str = server
        self._transport: RestTransport | GrpcTransport = (
            RestTransport(connection) if connection.is_rest else GrpcTransport(connection)
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, colours) of the served model's images."""
        return self._signature("score").inputs["image"].shape[1:]

    @property
    def levels(self) -> int:
        """The number of values that a colour of a pixel can take."""
        return self._signature("log_probabilities").outputs["log_probability"].shape[-1]

    @property
    def takes_labels(self) -> bool:
        """Whether the model needs a label for each image. The server does not tell how many labels there are."""
        return "label" in self._signature("score").inputs

    @property
    def picture_shape(self) -> tuple[int, ...] | None:
        """The shape of the pictures that `decode` returns; None if the model was exported without a decoder."""
        return self._signature("decode").outputs["picture"].shape[1:] if "decode" in self._signatures else None

    @property
    def particles(self) -> tuple[int, ...]:
        """The numbers of particles that `complete` takes: 1, and those that the model was exported with."""
        found = (_WITH_PARTICLES.fullmatch(name) for name in self._signatures)
        return tuple(sorted({1, *(int(name[1]) for name in found if name and not name[2])}))

    def score(
        self, images: ArrayLike, labels: ArrayLike | None = None, vectors: ArrayLike | None = None
    ) -> dict[str, np.ndarray]:
        """Exact log-likelihood of images.

        Args:
            images: integers (n, height, width, colours).
            labels, vectors: an integer and a vector for each image, or one for all, if the model takes them.

        Returns:
            Dictionary of `log_likelihood` in nats and `bits_per_dim`, float32 NumPy arrays (n,).

        Raises:
            ValueError, TypeError: if an argument is wrong, naming it, before anything is sent; or if the server refuses
                the request.
            ConnectionError: if the server can't be reached, or stays unavailable.
            TimeoutError: if the answer is not there in time.
            RuntimeError: if the server fails in another way, or its answer is not one of such a model.
        """
        signature = self._signature("score")
        return self._call("score", {"image": _images(images, signature.inputs["image"])}, labels, vectors)

    def log_probabilities(
        self, images: ArrayLike, labels: ArrayLike | None = None, vectors: ArrayLike | None = None
    ) -> np.ndarray:
        """The model's distribution of each value: log p(value = v | the values before it), for every v.

        Args:
            images, labels, vectors: as of `score`. An answer holds `levels` numbers for each value of an image.

        Returns:
            float32 NumPy array (n, height, width, colours, levels) in nats.

        Raises: as `score`.
        """
        image = _images(images, self._signature("log_probabilities").inputs["image"])
        return self._call("log_probabilities", {"image": image}, labels, vectors)["log_probability"]

    def surprise(
        self, images: ArrayLike, labels: ArrayLike | None = None, vectors: ArrayLike | None = None
    ) -> np.ndarray:
        """-log p of each value of images, given the values before it: a map of where an image is unexpected.

        It needs a model that was exported with the signature `surprise`, which those of earlier versions lack.

        Args:
            images, labels, vectors: as of `score`.

        Returns:
            float32 NumPy array (n, height, width, colours) in nats.

        Raises: as `score`.
        """
        image = _images(images, self._signature("surprise").inputs["image"])
        return self._call("surprise", {"image": image}, labels, vectors)["surprise"]

    def encode(self, pictures: ArrayLike) -> np.ndarray:
        """The codes of pictures, by a prior over codes that was exported with its encoder.

        Args:
            pictures: numbers (n, ...) of the shape and type that the encoder takes.

        Returns:
            The images of `score` and `complete`: uint8 NumPy array (n, height, width, colours), or int32 for more than
            256 codes.

        Raises: as `score`.
        """
        tensor = self._signature("encode").inputs["picture"]
        checked = np.asarray(pictures) if tensor.dtype.kind == "f" else _images(pictures, tensor, "pictures")
        return self._call("encode", {"picture": checked}, None, None)["image"]

    def decode(self, images: ArrayLike) -> np.ndarray:
        """The pictures that codes stand for, by a prior over codes that was exported with its decoder.

        Args:
            images: integers (n, height, width, colours), such as `sample` and `complete` return.

        Returns:
            NumPy array (n, ...) of pictures, of the shape and type that the decoder returns.

        Raises: as `score`.
        """
        image = _images(images, self._signature("decode").inputs["image"])
        return self._call("decode", {"image": image}, None, None)["picture"]

    def sample(
        self,
        num_images: int = 16,
        seed: ArrayLike = 0,
        temperature: float | None = None,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        return_log_likelihood: bool = False,
        *,
        sampler: Sampler | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Draw images.

        Args:
            num_images: int, the number of images.
            seed: int, for images with seeds seed, seed + 1, ...; or one integer per image.
            temperature: float >= 0 that logits are divided by; 0 takes the most likely value. None is 1.
            labels, vectors: as of `score`.
            return_log_likelihood: bool, whether to return the log-likelihood too.
            sampler: `pixel_zoo.sampling.Sampler`, how values are drawn. `from pixel_zoo.sampler import Sampler` imports
                it without Keras.
            top_k, top_p: with `temperature`, shorthand for a `Sampler` of these.

        A temperature alone works with every served model. The other options need a model that was exported with the
        signature `sample_with_options` (`complete_with_options`, `upscale_with_options`).

        Returns:
            NumPy array (num_images, height, width, colours): uint8, or int32 for a model of more than 256 levels. With
            `return_log_likelihood`, a pair of it and a float32 NumPy array (num_images,) of nats.

        Raises: as `score`.
        """
        positive_integer("num_images", num_images)
        sampler = sampler_of(sampler, temperature, top_k, top_p)
        return self._draw("sample", {}, num_images, seed, sampler, labels, vectors, return_log_likelihood)

    def complete(
        self,
        images: ArrayLike,
        known: ArrayLike,
        seed: ArrayLike = 0,
        temperature: float | None = None,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        return_log_likelihood: bool = False,
        *,
        particles: int = 1,
        sampler: Sampler | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Draw the unknown pixels of images given the known ones: those before them in raster order, or all of them.

        Args:
            images: integers (n, height, width, colours); values where `known` is False are ignored.
            known: bool (n, height, width) or (height, width), True where a pixel is known.
            particles: int; 1: a known pixel that comes after an unknown one is kept, but does not influence it. The
                number that the model was exported with: all known pixels influence all unknown ones. Such a request
                takes a temperature above 0.
            seed, temperature, labels, vectors, return_log_likelihood, sampler, top_k, top_p: as of `sample`.

        Returns:
            As `sample`; known pixels are unchanged.

        Raises: as `score`.
        """
        positive_integer("particles", particles)
        sampler = sampler_of(sampler, temperature, top_k, top_p)
        name = "complete" if particles == 1 else self._with_particles(particles, sampler.temperature)
        tensor = self._signature(name).inputs["image"]
        array, mask = check_partly_known(images, known, tensor.shape[1:], _levels(tensor), of_colours=False)
        partly_known = {"image": array.astype(tensor.dtype), "known": mask}
        return self._draw(name, partly_known, len(array), seed, sampler, labels, vectors, return_log_likelihood)

    def upscale(
        self,
        small: ArrayLike,
        seed: ArrayLike = 0,
        temperature: float | None = None,
        labels: ArrayLike | None = None,
        vectors: ArrayLike | None = None,
        return_log_likelihood: bool = False,
        *,
        sampler: Sampler | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Draw large images from small ones, with a multi-scale model.

        Args:
            small: integers (n, height, width, colours).
            seed, temperature, labels, vectors, return_log_likelihood, sampler, top_k, top_p: as of `sample`.

        Returns:
            As `sample`.

        Raises: as `score`.
        """
        sampler = sampler_of(sampler, temperature, top_k, top_p)
        array = _images(small, self._signature("upscale").inputs["small"], "small")
        return self._draw(
            "upscale", {"small": array}, len(array), seed, sampler, labels, vectors, return_log_likelihood
        )

    def _draw(
        self,
        name: str,
        images: _Arrays,
        num_images: int,
        seed: ArrayLike,
        sampler: Sampler,
        labels: ArrayLike | None,
        vectors: ArrayLike | None,
        return_log_likelihood: bool,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Call a signature that draws: the images, or a pair of them and their log-likelihood."""
        seeds = {"seed": check_seeds(seed, num_images)}
        name, options = self._options(name, sampler, num_images)
        drawn = self._call(name, images | seeds | options, labels, vectors)
        if "known" in images and (drawn["image"] != images["image"])[images["known"]].any():
            raise self._wrong(name, ValueError("output 'image' must hold the known pixels unchanged"))
        return (drawn["image"], drawn["log_likelihood"]) if return_log_likelihood else drawn["image"]

    def _options(self, name: str, sampler: Sampler, num_images: int) -> tuple[str, _Arrays]:
        """The signature that draws with a sampler, and the options that it is sent.

        If only the temperature is set, this is the plain signature, which models of earlier versions have too. A rule
        that is off is sent only if the signature has it, because later versions may have more rules.
        """
        if type(sampler) is not Sampler:
            raise ValueError(f"sampler: a served model has the rules of Sampler alone, got a {type(sampler).__name__}")
        options = sampler.options(num_images)
        used = [rule for rule in sampler.rules() if getattr(sampler, rule) is not None]
        if not used:
            return name, {"temperature": options["temperature"]}
        self._signature(name)  # if this one is missing too, name it
        name = f"{name}_with_options"
        if name not in self._signatures:
            raise ValueError(
                f"{', '.join(used)}: the served model draws from all values, as it has no signature {name!r}; give a "
                "temperature alone, or export the model again with this version of pixel_zoo"
            )
        inputs = self._signature(name).inputs
        return name, {key: options[key] for key in ("temperature", *sampler.rules()) if key in inputs or key in used}

    def _with_particles(self, particles: int, temperature: float | None) -> str:
        """The name of the signature that completes with so many particles, or an error that says which there are."""
        if particles not in self.particles:
            there = ", ".join(map(str, self.particles))
            raise ValueError(f"particles: the served model takes {there}, got {particles}; see `pixel_zoo.export`")
        if temperature == 0:
            raise ValueError("temperature must be above 0 with particles, got 0")
        return f"complete_with_{particles}_particles"

    def _call(self, name: str, inputs: _Arrays, labels: ArrayLike | None, vectors: ArrayLike | None) -> _Arrays:
        """Call a signature, in as many requests as `batch_size` demands."""
        signature = self._signature(name)
        count = len(next(iter(inputs.values())))
        positive_integer("the number of images", count)
        conditioning = {"label": labels, "vector": vectors}
        values = inputs | {key: value for key, value in conditioning.items() if value is not None}
        if values.keys() != signature.inputs.keys():
            takes, got = (", ".join(sorted(names)) for names in (signature.inputs, values))
            raise ValueError(f"the served signature {name!r} takes {takes}, got {got}")
        inputs = {key: _as_sent(key, value, signature.inputs[key], count) for key, value in values.items()}
        parts = []
        for first in range(0, count, self._batch_size):
            part = {key: value[first : first + self._batch_size] for key, value in inputs.items()}
            parts.append(self._predict(name, signature, part))
        return {key: np.concatenate([part[key] for part in parts]) for key in signature.outputs}

    def _predict(self, name: str, signature: Signature, inputs: _Arrays) -> _Arrays:
        """Send one request, and check its answer."""
        outputs = self._send(functools.partial(self._transport.predict, name, signature, inputs))
        if "log_probabilities" in self._signatures:
            levels = self.levels
        else:
            levels = _levels(signature.outputs["image"]) if "image" in signature.outputs else 0
        try:
            return check_answer(outputs, signature.outputs, len(next(iter(inputs.values()))), levels)
        except ValueError as error:
            raise self._wrong(name, error) from error

    def _signature(self, name: str) -> Signature:
        if name not in self._signatures:
            names = ", ".join(sorted(self._signatures))
            raise ValueError(f"the served model has no signature {name!r}; it has {names}")
        try:
            signature = Signature.from_json(self._signatures[name])
        except ValueError as error:
            raise ValueError(f"the served model is none of pixel_zoo's: {name!r}: {error}") from error
        kind = "complete" if _WITH_PARTICLES.fullmatch(name) else name
        for tensors, needed in zip((signature.inputs, signature.outputs), _TENSORS[kind], strict=True):
            if not needed <= tensors.keys():
                missing = ", ".join(sorted(needed - tensors.keys()))
                raise ValueError(f"the served model is none of pixel_zoo's: signature {name!r} lacks {missing}")
        return signature

    @functools.cached_property
    def _signatures(self) -> dict[str, dict]:
        return self._send(self._transport.signatures)

    def _wrong(self, name: str, error: Exception) -> RuntimeError:
        """The error of an answer that such a model does not give."""
        return RuntimeError(f"{self._server} gave a wrong answer to {name!r}: {error}")

    def _send(self, request: Callable[..., _T]) -> _T:
        """Send a request, again if the server is unavailable; `request` takes the seconds that are left."""
        deadline = time.monotonic() + self._timeout
        retries = 0
        while True:
            try:
                return request(timeout=deadline - time.monotonic())
            except ConnectionError:
                # Clients that were turned away together should not come back together.
                pause = _FIRST_PAUSE * 2**retries * random.uniform(0.5, 1.5)
                if retries == _RETRIES or time.monotonic() + pause > deadline:
                    raise
                time.sleep(pause)
            retries += 1


def _levels(tensor: Tensor) -> int:
    """The number of values that the type can hold; only the server knows how many the model takes."""
    return np.iinfo(tensor.dtype).max + 1


def _images(images: ArrayLike, tensor: Tensor, name: str = "images") -> np.ndarray:
    """Images with the type of the signature, or an error that says what is wrong with them."""
    return check_images(images, tensor.shape[1:], _levels(tensor), name).astype(tensor.dtype)


def _as_sent(name: str, value: ArrayLike, tensor: Tensor, count: int) -> np.ndarray:
    """An array of a signature's type with an entry for each image; a single entry stands for all of them."""
    array = np.asarray(value)
    if not np.can_cast(array.dtype, tensor.dtype, "same_kind"):
        raise TypeError(f"input {name!r} must be of dtype {tensor.dtype}, got {array.dtype}")
    shape = (count, *tensor.shape[1:])
    if array.shape not in (shape, shape[1:]):
        raise ValueError(f"input {name!r} must have shape {shape} or {shape[1:]}, got {array.shape}")
    return np.broadcast_to(array, shape).astype(tensor.dtype)
