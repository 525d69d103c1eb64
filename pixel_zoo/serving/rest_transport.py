"""TensorFlow Serving's REST API."""

import asyncio
import json
import math
import threading
import urllib.parse
import weakref
from collections.abc import Coroutine

import numpy as np

from pixel_zoo.serving.signature import Signature

_REFUSALS = {400: ValueError, 404: ValueError}
_UNAVAILABLE = {502: ConnectionError, 503: ConnectionError, 504: TimeoutError}  # a gateway sends these too
_LARGEST = 2**24  # bytes of an answer that holds no tensors
_BYTES_PER_VALUE = 256  # at most: a number, its commas and brackets, its indentation
_SHOWN = 120  # bytes of a body that an error shows


class RestTransport:
    """Calls the REST API of a server, each call once.

    Args:
        server: str, such as "http://host:port".
        model: str, the served name.
        version: int or None, for the latest.

    Raises (every method): as `GrpcTransport`. ConnectionError also means status 502 or 503 or a broken connection,
    TimeoutError status 504, and RuntimeError any answer that does not come from TensorFlow Serving.
    """

    def __init__(self, server: str, model: str, version: int | None):
        try:
            import httpx
        except ImportError as error:
            raise ImportError(f"REST needs {error.name}: pip install 'pixel-zoo-slim[client]'") from error
        self._server = server
        self._path = f"/v1/models/{urllib.parse.quote(model, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        try:
            self._client = httpx.AsyncClient(base_url=self._server, timeout=None)
        except httpx.InvalidURL as error:
            raise ValueError(
                f"server must be an address such as 'http://host:port', got {server!r}: {error}"
            ) from error
        self._thread = _EventLoopThread()

    def signatures(self, timeout: float) -> dict[str, dict]:
        """The signatures of the model; arguments and result as of `GrpcTransport`."""
        status, body = self._call("GET", "/metadata", None, timeout, _LARGEST)
        answer = self._parse(status, body)
        for key in ("metadata", "signature_def", "signature_def"):
            answer = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not all(isinstance(value, dict) for value in answer.values()):
            raise self._not_serving(status, body)
        return answer

    def predict(
        self, name: str, signature: Signature, inputs: dict[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        """Call a signature; arguments and result as of `GrpcTransport`."""
        count = len(next(iter(inputs.values())))
        values = count * sum(math.prod(size or 1 for size in tensor.shape[1:]) for tensor in signature.outputs.values())
        request = {"signature_name": name, "inputs": {key: value.tolist() for key, value in inputs.items()}}
        status, body = self._call("POST", ":predict", request, timeout, _LARGEST + _BYTES_PER_VALUE * values)
        answer = self._parse(status, body)
        if not isinstance(answer, dict) or "outputs" not in answer:
            raise self._not_serving(status, body)
        outputs = answer["outputs"]
        if not isinstance(outputs, dict):  # the name of a single output is left out
            outputs = dict.fromkeys(list(signature.outputs)[:1], outputs)
        try:
            return {key: _array(key, value) for key, value in outputs.items()}
        except ValueError as error:
            raise RuntimeError(f"{self._server} answered with a damaged tensor: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        if not self._client.is_closed:
            self._thread.run(self._client.aclose())
            self._thread.stop()

    def _call(self, method, what, request, timeout, largest):
        import httpx

        try:
            return self._thread.run(self._fetch(method, self._path + what, request, timeout, largest))
        except TimeoutError as error:
            raise TimeoutError(f"{self._server} did not answer within {timeout:.3g} s") from error
        except httpx.DecodingError as error:
            raise RuntimeError(f"{self._server} answered with a damaged body: {error}") from error
        except httpx.RequestError as error:
            raise ConnectionError(f"{self._server} can't be reached, or hung up: {error}") from error

    async def _fetch(self, method, path, request, timeout, largest):
        """Send a request: (status, body). The HTTP library's own timeouts are for each read, not for the whole."""
        async with asyncio.timeout(timeout), self._client.stream(method, path, json=request) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > largest:
                    raise RuntimeError(f"{self._server} answered with more than {largest:,} bytes")
            return response.status_code, bytes(body)

    def _parse(self, status, body):
        """Return the JSON of an answer, or raise the error that it means."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if status == 200:
            return answer
        if not isinstance(answer, dict) or not isinstance(answer.get("error"), str):
            raise self._not_serving(status, body)
        kind = (_REFUSALS | _UNAVAILABLE).get(status, RuntimeError)
        # The lines below the first say where in the graph the error arose.
        raise kind(f"{self._server} answered {status}: {answer['error'].partition(chr(10))[0]}")

    def _not_serving(self, status, body):
        """The error of an answer that TensorFlow Serving does not give, such as a gateway's."""
        kind = _UNAVAILABLE.get(status, RuntimeError)
        start = body[:_SHOWN].decode(errors="replace")
        return kind(f"{self._server} answered {status}, which is not an answer of TensorFlow Serving: {start!r}")


class _EventLoopThread:
    """A thread that runs coroutines, so that the caller may already run an event loop, as notebooks do.

    It ends with `stop`, or when no reference to it is left.
    """

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run_and_close, args=[self._loop], name="pixel_zoo REST", daemon=True)
        self._thread.start()
        self._finalizer = weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)

    def run(self, coroutine: Coroutine):
        """Wait for a coroutine: return its result, or raise its exception."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # where the wait was interrupted
            raise

    def stop(self) -> None:
        """End the thread."""
        self._finalizer()
        self._thread.join()


def _run_and_close(loop):
    try:
        loop.run_forever()
    finally:
        loop.close()


def _array(name, value):
    """A tensor of JSON: nested lists of numbers, or of bools."""
    cells = np.asarray(value, object)  # of any size of number; lists of unequal lengths stay lists
    kinds = set(map(type, cells.flat))
    if kinds <= {bool}:
        return cells.astype(bool)
    if kinds <= {int} and -(2**63) <= cells.min() <= cells.max() < 2**63:
        return cells.astype("int64")
    if kinds <= {int, float}:
        try:
            return cells.astype("float64")
        except OverflowError:
            raise ValueError(f"{name!r} holds an integer that is too large") from None
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise ValueError(f"{name!r} must be nested lists of numbers, got values of type {names}")
