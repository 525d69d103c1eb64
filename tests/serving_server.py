"""A small stand-in for TensorFlow Serving: its gRPC and REST APIs over real sockets, answered by C-API sessions.

It speaks TensorFlow Serving's protos and JSON, and gives its status codes and messages for what goes wrong. Models are
found by name and version in a dictionary: no path of a request is ever looked at.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import re
import socket
import ssl
import threading
import time

import c_session
import grpc
import numpy as np
import saved_models
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2, prediction_service_pb2_grpc

_STATUS_OF_CODE = {code.value[0]: code for code in grpc.StatusCode}
_HTTP_OF_CODE = {3: 400, 4: 504, 5: 404, 8: 429, 9: 400, 14: 503, 16: 401}
_FIELDS = {
    "object": "string_val",
    "uint8": "int_val",
    "int32": "int_val",
    "int64": "int64_val",
    "float32": "float_val",
    "bool": "bool_val",
}
NOT_FOUND, FAILED_PRECONDITION, UNAVAILABLE, UNAUTHENTICATED = 5, 9, 14, 16


class Servable:
    """A version of a model: its signatures, and a session."""

    def __init__(self, path):
        self.version = int(path.name)
        signatures = saved_models.meta_graph(path).signature_def
        self.signatures = {name: value for name, value in signatures.items() if not name.startswith("__")}
        self.session = c_session.CSession(*saved_models.session_arguments(path, optimize=False))

    def predict(self, name, inputs):
        """Call a signature as TensorFlow Serving does: what is missing, or too much, is refused."""
        if name not in self.signatures:
            raise c_session.Failure(FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        expected = self.signatures[name].inputs.keys()
        if inputs.keys() != expected:
            sizes = f"input size does not match signature: {len(inputs)}!={len(expected)}"
            missing, extra = (",".join(sorted(keys)) for keys in (expected - inputs.keys(), inputs.keys() - expected))
            what = f"{sizes}. Sent extra: {{{extra}}}. Missing but required: {{{missing}}}."
            raise c_session.Failure(c_session.INVALID_ARGUMENT, what)
        return self.session.run(name, inputs)


class Server:
    """Serves models on loopback until the `with` block ends.

    Args:
        models: dictionary from a name to paths of its versions, SavedModels.
        labels: dictionary from a version label to a version, of every model.
        certificate: paths of PEM files, a certificate and its key: the server has TLS, and wants this certificate from
            its clients too.
        token: str, what every request must carry as `Authorization: Bearer ...`.
        path: str, where the REST API is, such as "/pixels".

    Attributes:
        grpc, rest: the addresses, as `Client` takes them.
        faults: list of functions; the next Predict request takes the first one off the list and calls it.
        changes: list of functions; the next Predict request takes the first one off and answers what it returns.
        gateway: list of (status, headers, body); the next REST request takes the first one off and is answered with it.
        requests: how many images each Predict request held, in order.
    """

    def __init__(self, models, labels=None, certificate=None, token=None, path=""):
        self.labels, self.certificate, self.token, self.path = labels or {}, certificate, token, path
        loaded = {name: [Servable(path) for path in paths] for name, paths in models.items()}
        self._models = {
            name: {servable.version: servable for servable in versions} for name, versions in loaded.items()
        }
        self.faults, self.changes, self.gateway, self.requests = [], [], [], []

    def __enter__(self):
        threads = concurrent.futures.ThreadPoolExecutor(16)
        self._grpc = grpc.server(threads)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_PredictionService(self), self._grpc)
        if self.certificate is None:
            self.grpc = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        else:
            chain, key = (path.read_bytes() for path in self.certificate)
            credentials = grpc.ssl_server_credentials([(key, chain)], chain, require_client_auth=True)
            self.grpc = f"grpcs://localhost:{self._grpc.add_secure_port('127.0.0.1:0', credentials)}"
        self._grpc.start()
        handler = type("Handler", (_RestHandler,), {"serving": self})
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.rest = f"http://127.0.0.1:{self._http.server_port}{self.path}"
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            context.load_verify_locations(self.certificate[0])
            context.verify_mode = ssl.CERT_REQUIRED
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            self.rest = self.rest.replace("http://127.0.0.1", "https://localhost")
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._http.server_close()

    def find(self, name, version=None):
        """A model's version, by number or label; the latest if None."""
        versions = self._models.get(name, {})
        version = self.labels.get(version, version)
        if version is None and versions:
            return versions[max(versions)]
        if version not in versions:
            which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise c_session.Failure(NOT_FOUND, f"Servable not found for request: {which}")
        return versions[version]

    def admits(self, headers):
        """Whether a request with these headers, a dictionary of lower-case names, is answered."""
        return self.token is None or headers.get("authorization") == f"Bearer {self.token}"

    def predict(self, servable, signature, inputs):
        """Answer a Predict request, after the next fault, if any."""
        if self.faults:
            self.faults.pop(0)()
        self.requests.append(len(next(iter(inputs.values()), ())))
        outputs = servable.predict(signature or "serving_default", inputs)
        return self.changes.pop(0)(outputs) if self.changes else outputs


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The gRPC API."""

    def __init__(self, server):
        self._server = server

    def Predict(self, request, context):
        with _aborting(context):
            self._check(context)
            servable = self._find(request.model_spec)
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            outputs = self._server.predict(servable, request.model_spec.signature_name, inputs)
            response = predict_pb2.PredictResponse(model_spec=self._spec(request, servable))
            for name, value in outputs.items():
                response.outputs[name].CopyFrom(_proto(value))
            return response

    def GetModelMetadata(self, request, context):
        with _aborting(context):
            self._check(context)
            servable = self._find(request.model_spec)
            response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=self._spec(request, servable))
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
            response.metadata["signature_def"].Pack(signatures)
            return response

    def _check(self, context):
        if not self._server.admits(dict(context.invocation_metadata())):
            raise c_session.Failure(UNAUTHENTICATED, "no token")

    def _find(self, spec):
        versions = {"version": spec.version.value, "version_label": spec.version_label, None: None}
        return self._server.find(spec.name, versions[spec.WhichOneof("version_choice")])

    def _spec(self, request, servable):
        spec = model_pb2.ModelSpec(name=request.model_spec.name)
        spec.version.value = servable.version
        return spec


class _RestHandler(http.server.BaseHTTPRequestHandler):
    """The REST API: model status, metadata, and predict with named columns or with rows."""

    protocol_version = "HTTP/1.1"
    serving = None  # the Server

    def do_GET(self):
        self._answer(self._get)

    def do_POST(self):
        self._answer(self._post)

    def log_message(self, *arguments):
        pass

    def _get(self, servable, what):
        if what == "/metadata":
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
            content = json_format.MessageToDict(
                signatures, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
            return {"metadata": {"signature_def": content}}
        status = {"error_code": "OK", "error_message": ""}
        return {"model_version_status": [{"version": str(servable.version), "state": "AVAILABLE", "status": status}]}

    def _post(self, servable, what):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = request.get("signature_name", "serving_default")
        dtypes = {key: info.dtype for key, info in servable.signatures[name].inputs.items()}
        given = request.get("inputs") or _columns(request["instances"], dtypes)
        inputs = {key: _from_json(value, dtypes[key]) for key, value in given.items()}
        outputs = self.serving.predict(servable, name, inputs)
        columns = {key: _to_json(key, value) for key, value in outputs.items()}
        # TensorFlow Serving leaves out the name of a single output.
        (first, *more) = columns.values()
        if "inputs" in request:
            return {"outputs": columns if more else first}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return {"predictions": rows if more else first}

    def _answer(self, method):
        if self.serving.gateway:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._send(*self.serving.gateway.pop(0))
            return
        try:
            if not self.serving.admits({key.lower(): value for key, value in self.headers.items()}):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                raise c_session.Failure(UNAUTHENTICATED, "no token")
            form = re.fullmatch(
                self.serving.path + r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?(/metadata|:predict)?",
                self.path,
            )
            if form is None:
                raise c_session.Failure(c_session.INVALID_ARGUMENT, f"Malformed request: {self.command} {self.path}")
            name, version, label, what = form.groups()
            servable = self.serving.find(name, int(version) if version else label)
            status, content = 200, method(servable, what)
        except c_session.Failure as failure:
            status, content = _HTTP_OF_CODE.get(failure.code, 500), {"error": failure.message}
        self._send(status, {"Content-Type": "application/json"}, json.dumps(content, indent=4).encode())

    def _send(self, status, headers, body):
        with contextlib.suppress(ConnectionError):  # a client that did not wait
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


@contextlib.contextmanager
def _aborting(context):
    """What a session answers instead of tensors is the status of the call."""
    try:
        yield
    except c_session.Failure as failure:
        context.abort(_STATUS_OF_CODE[failure.code], failure.message)


def _columns(instances, dtypes):
    """Rows as columns: each row is an object of all inputs, or, if there is only one, its value."""
    if len(dtypes) == 1 and not isinstance(instances[0], dict):
        return dict.fromkeys(dtypes, instances)
    return {key: [row[key] for row in instances] for key in instances[0]}


def _proto(array):
    """A tensor as TensorFlow Serving writes it: value by value."""
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(f"DT_{_name(array)}"))
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, _FIELDS[array.dtype.name]).extend(array.ravel().tolist())
    return proto


def _name(array):
    return {"float32": "FLOAT", "object": "STRING"}.get(array.dtype.name, array.dtype.name.upper())


def _from_json(value, dtype):
    """An array of JSON's lists; TensorFlow Serving turns no number into a bool, and no fraction into an integer."""
    if dtype == types_pb2.DT_STRING:
        return np.array([base64.b64decode(one["b64"], validate=True) for one in value], object)
    array, dtype = np.asarray(value), tf.as_dtype(dtype).as_numpy_dtype
    kinds = {"b": "b", "i": "i", "u": "i", "f": "if"}[np.dtype(dtype).kind]
    if array.size and array.dtype.kind not in kinds:
        what = f"JSON Value: {json.dumps(value)[:80]} is not of expected type: {np.dtype(dtype)}"
        raise c_session.Failure(c_session.INVALID_ARGUMENT, what)
    return array.astype(dtype)


def _to_json(name, array):
    """Lists, of the shortest decimals that say which float32 is meant; bytes in Base64."""
    if array.dtype == object:
        assert name.endswith("_bytes")  # else TensorFlow Serving writes them as text
        return [{"b64": base64.b64encode(one).decode()} for one in array]
    if array.dtype.kind != "f":
        return array.tolist()
    return np.array([float(str(value)) for value in array.flat]).reshape(array.shape).tolist()


# Faults


def unavailable():
    """Answer like a server whose queue is full."""
    raise c_session.Failure(UNAVAILABLE, "The batch scheduling queue to which this task was submitted is full")


def slow():
    """Answer later than a client with a timeout of half a second waits."""
    time.sleep(1.0)


class _Listening:
    """Accepts connections on a free port while it is entered, and serves them one after the other."""

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                self.serve(self._listener.accept()[0])


class Cutting(_Listening):
    """A relay in front of a server that hangs up in the middle of the first requests.

    Args:
        port: the server's.
        cuts: how many connections are cut once something has come through.

    Attributes:
        port: the relay's own.
    """

    def __init__(self, port, cuts):
        self._server, self._cuts = port, cuts

    def serve(self, connection):
        if self._cuts:
            self._cuts -= 1
            connection.recv(64)
            connection.close()
            return
        far = socket.create_connection(("127.0.0.1", self._server))
        for source, target in ((connection, far), (far, connection)):
            threading.Thread(target=_relay, args=(source, target), daemon=True).start()


class Dripping(_Listening):
    """A server that answers every connection with a beginning, and then one byte after the other, for ever.

    Args:
        start: bytes, of an HTTP answer.
    """

    def __init__(self, start):
        self._start = start

    @property
    def rest(self):
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection):
        threading.Thread(target=self._drip, args=[connection], daemon=True).start()

    def _drip(self, connection):
        with contextlib.suppress(OSError), connection:  # the client went away
            connection.sendall(self._start)
            while True:
                time.sleep(0.02)
                connection.sendall(b"x")


def _relay(source, target):
    with contextlib.suppress(OSError):
        while content := source.recv(2**16):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
