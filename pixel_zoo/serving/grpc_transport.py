"""TensorFlow Serving's gRPC API."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pixel_zoo.serving.signature import Signature

# Reconnect as often as the client retries.
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", -1),
]
_SERVICE = "/tensorflow.serving.PredictionService"


class GrpcTransport:
    """Calls PredictionService of a server, each call once.

    Args:
        server: str, "host:port".
        model: str, the served name.
        version: int or None, for the latest.

    Raises (every method):
        ConnectionError: the server can't be reached, or answers UNAVAILABLE.
        TimeoutError: there was no answer in time.
        ValueError: the server refuses the request.
        RuntimeError: the server fails in another way, or is not TensorFlow Serving.
    """

    def __init__(self, server: str, model: str, version: int | None):
        try:
            import grpc

            from pixel_zoo.serving import messages
        except ImportError as error:
            raise ImportError(f"gRPC needs {error.name}: pip install 'pixel-zoo-slim[client]'") from error
        self._server, self._model, self._version = server, model, version
        self._messages = messages
        self._channel = grpc.insecure_channel(server, _OPTIONS)
        self._get_metadata = self._method("GetModelMetadata", messages.GetModelMetadataResponse)
        self._predict = self._method("Predict", messages.PredictResponse)

    def signatures(self, timeout: float) -> dict[str, dict]:
        """The signatures of the model.

        Args:
            timeout: float, seconds.

        Returns:
            Dictionary from a name to a SignatureDef in its JSON form.
        """
        request = self._messages.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._address(request.model_spec)
        answer = self._call(self._get_metadata, request, timeout)
        found = [named.value.value for named in answer.metadata if named.key == "signature_def"]
        if not found:
            raise RuntimeError(f"{self._server} describes no signatures: it is not TensorFlow Serving")
        try:
            return self._messages.signatures_to_json(found[0])
        except ValueError as error:
            raise RuntimeError(f"{self._server} describes no signatures: {error}") from error

    def predict(
        self, name: str, signature: Signature, inputs: dict[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        """Call a signature.

        Args:
            name: str, of the signature.
            signature: its inputs and outputs.
            inputs: dictionary of NumPy arrays.
            timeout: float, seconds.

        Returns:
            Dictionary of NumPy arrays, as the server sent them.
        """
        request = self._messages.PredictRequest()
        self._address(request.model_spec)
        request.model_spec.signature_name = name
        for key, value in inputs.items():
            self._messages.add_tensor(request.inputs, key, value)
        answer = self._call(self._predict, request, timeout)
        try:
            return self._messages.read_tensors(answer.outputs)
        except ValueError as error:
            raise RuntimeError(f"{self._server} answered with a damaged tensor: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _method(self, name: str, answer: Any) -> Callable:
        return self._channel.unary_unary(
            f"{_SERVICE}/{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    def _address(self, spec):
        spec.name = self._model
        if self._version is not None:
            spec.version.value = self._version

    def _call(self, method, request, timeout):
        import grpc

        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            code = error.code()
            kind = {
                grpc.StatusCode.UNAVAILABLE: ConnectionError,
                grpc.StatusCode.DEADLINE_EXCEEDED: TimeoutError,
                grpc.StatusCode.INVALID_ARGUMENT: ValueError,
                grpc.StatusCode.FAILED_PRECONDITION: ValueError,
                grpc.StatusCode.NOT_FOUND: ValueError,
            }.get(code, RuntimeError)
            # The lines below the first say where in the graph the error arose.
            message = (error.details() or "no message").partition("\n")[0]
            raise kind(f"{self._server} answered {code.name}: {message}") from error
