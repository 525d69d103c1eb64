"""TensorFlow Serving's REST API."""

import json
import time
import urllib.parse

import numpy as np

_ERRORS = {400: ValueError, 404: ValueError, 503: ConnectionError, 504: TimeoutError}


class RestTransport:
    """Calls the REST API of a server, each call once.

    Args:
        server: str, such as "http://host:port".
        model: str, the served name.
        version: int or None, for the latest.

    Raises (every method): as `GrpcTransport`; ConnectionError stands for status 503 and for a connection that breaks.
    """

    def __init__(self, server, model, version):
        try:
            import httpx
        except ImportError as error:
            raise ImportError(f"REST needs {error.name}: pip install 'pixel-zoo[serving]'") from error
        self._server = server
        self._path = f"/v1/models/{urllib.parse.quote(model, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        self._client = httpx.Client(base_url=self._server)

    def signatures(self, timeout):
        """The signatures of the model; arguments and result as of `GrpcTransport`."""
        answer = self._call("GET", "/metadata", None, timeout)
        return answer["metadata"]["signature_def"]["signature_def"]

    def predict(self, signature, inputs, timeout):
        """Call a signature; arguments and result as of `GrpcTransport`."""
        request = {"signature_name": signature, "inputs": {name: value.tolist() for name, value in inputs.items()}}
        outputs = self._call("POST", ":predict", request, timeout)["outputs"]
        return {name: np.asarray(value) for name, value in outputs.items()}

    def close(self):
        """Close the connection."""
        self._client.close()

    def _call(self, method, what, request, timeout):
        import httpx

        deadline = time.monotonic() + timeout
        try:
            with self._client.stream(method, self._path + what, json=request, timeout=timeout) as response:
                body = b"".join(_until(deadline, response.iter_bytes()))
        except httpx.TimeoutException as error:
            raise TimeoutError(f"{self._server} did not answer within {timeout:.3g} s") from error
        except httpx.TransportError as error:
            raise ConnectionError(f"{self._server} can't be reached, or hung up: {error}") from error
        return self._read(response, body)

    def _read(self, response, body):
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise RuntimeError(f"{self._server} answered {response.status_code} and no JSON: {body[:80]!r}") from error
        if response.status_code != 200:
            kind = _ERRORS.get(response.status_code, RuntimeError)
            what = answer["error"].partition("\n")[0]  # where in the graph it arose comes below
            raise kind(f"{self._server} answered {response.status_code}: {what}")
        return answer


def _until(deadline, chunks):
    """The chunks of an answer, or a timeout: the HTTP library's own is for each chunk."""
    import httpx

    for chunk in chunks:
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the answer is not whole")
        yield chunk
