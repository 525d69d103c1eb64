"""The client of a served model for programs that run an event loop."""

import asyncio
import concurrent.futures
import functools
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from pixel_zoo.checks import positive_integer
from pixel_zoo.serving.client import Client

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _asynchronous(
    method: Callable[Concatenate[Client, _P], _T],
) -> "Callable[Concatenate[AsyncClient, _P], Coroutine[Any, Any, _T]]":
    """The method as a coroutine, which runs it in a thread of the client."""

    async def call(self: "AsyncClient", /, *arguments: _P.args, **options: _P.kwargs) -> _T:
        return await self._run(functools.partial(method, self._client, *arguments, **options))

    functools.update_wrapper(call, method)
    return call


class AsyncClient:
    """Calls a served model without blocking the event loop.

    `score`, `log_probabilities`, `surprise`, `sample`, `complete`, `upscale`, `encode` and `decode` take and return
    what those of `Client` do, and are awaited. Each request waits in a thread, up to `max_requests` at a time. A server
    that merges requests answers many small ones at once faster than one after the other. Cancelling a call ends the
    wait, but not its request.

    Args:
        server, model, version, timeout, batch_size, headers, root_certificates, client_certificate: as of `Client`.
        max_requests: int, calls that run at a time; further calls wait. Waiting does not count as part of `timeout`.

    Raises: as `Client`.

    Example:
    >>> async def draw():
    ...     async with AsyncClient("localhost:8500", "digits") as client:
    ...         return await asyncio.gather(*(client.sample(1, seed=seed) for seed in range(100)))
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
        max_requests: int = 32,
    ) -> None:
        threads = positive_integer("max_requests", max_requests)
        self._client = Client(
            server,
            model,
            version,
            timeout,
            batch_size,
            headers=headers,
            root_certificates=root_certificates,
            client_certificate=client_certificate,
        )
        self._threads = concurrent.futures.ThreadPoolExecutor(threads, "pixel_zoo client")

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Calls that are running end with an error."""
        await self._run(self._client.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def image_shape(self) -> tuple[int, int, int]:
        """(height, width, colours) of the served model's images."""
        return await self._run(lambda: self._client.image_shape)

    async def levels(self) -> int:
        """The number of values that a colour of a pixel can take."""
        return await self._run(lambda: self._client.levels)

    async def picture_shape(self) -> tuple[int, ...] | None:
        """The shape of the pictures that `decode` returns, or None."""
        return await self._run(lambda: self._client.picture_shape)

    async def particles(self) -> tuple[int, ...]:
        """The numbers of particles that `complete` takes."""
        return await self._run(lambda: self._client.particles)

    async def takes_labels(self) -> bool:
        """Whether the model needs a label for each image."""
        return await self._run(lambda: self._client.takes_labels)

    score = _asynchronous(Client.score)
    log_probabilities = _asynchronous(Client.log_probabilities)
    surprise = _asynchronous(Client.surprise)
    sample = _asynchronous(Client.sample)
    complete = _asynchronous(Client.complete)
    upscale = _asynchronous(Client.upscale)
    encode = _asynchronous(Client.encode)
    decode = _asynchronous(Client.decode)

    async def _run(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)
