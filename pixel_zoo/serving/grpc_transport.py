"""TensorFlow Serving's gRPC API."""

# What is to be built up again after a failure is to be tried as often as the client asks.
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", -1),
]


class GrpcTransport:
    """Calls PredictionService of a server, each call once.

    Args:
        server: str, "host:port".
        model: str, the served name.
        version: int or None, for the latest.

    Raises (every method):
        ConnectionError: the server is not there, or answers UNAVAILABLE.
        TimeoutError: there was no answer in time.
        ValueError: the server refuses the request.
        RuntimeError: anything else the server answers.
    """

    def __init__(self, server, model, version):
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise ImportError(f"gRPC needs {error.name}: pip install 'pixel-zoo[serving]'") from error
        self._server, self._model, self._version = server, model, version
        self._channel = grpc.insecure_channel(server, _OPTIONS)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def signatures(self, timeout):
        """The signatures of the model.

        Args:
            timeout: float, seconds.

        Returns:
            Dictionary from a name to a SignatureDef as JSON has it.
        """
        from google.protobuf import json_format
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._address(request.model_spec)
        answer = self._call(self._service.GetModelMetadata, request, timeout)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        return json_format.MessageToDict(signatures, preserving_proto_field_name=True)["signature_def"]

    def predict(self, signature, inputs, timeout):
        """Call a signature.

        Args:
            signature: str, its name.
            inputs: dictionary of NumPy arrays.
            timeout: float, seconds.

        Returns:
            Dictionary of NumPy arrays.
        """
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._address(request.model_spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        answer = self._call(self._service.Predict, request, timeout)
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def close(self):
        """Close the connection."""
        self._channel.close()

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
            what = error.details().partition("\n")[0]  # where in the graph it arose comes below
            raise kind(f"{self._server} answered {code.name}: {what}") from error
