"""The client over real sockets, against a server of TensorFlow Serving's APIs that C-API sessions answer."""

import asyncio
import base64
import dataclasses
import io
import json
import re
import subprocess
import sys

import httpx
import keras
import numpy as np
import pytest
import serving_server
from command_line import call, refused
from PIL import Image
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo.sampling import Sampler
from pixel_zoo.serving import AsyncClient, Client, client, messages, rest_transport

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only the TensorFlow backend writes SavedModels"
)


def small_model(image_shape, levels):
    image = keras.Input(image_shape, dtype="int32", name="image")
    x = pz.layers.MaskedConv2D(4, 3, "A", colours=image_shape[-1])(keras.layers.Rescaling(1.0)(image))
    return scrambled(pz.models.PixelModel(image, pz.layers.Logits(levels, colours=image_shape[-1])(x)))


def export_doubling(path):
    """A model that doubles small images, adds their labels, and answers with its options as log-likelihood."""
    import tensorflow as tf

    small = tf.TensorSpec((None, 2, 2, 1), tf.uint8, name="small")
    seed, label = (tf.TensorSpec((None,), tf.int64, name=name) for name in ("seed", "label"))
    temperature, top_p = (tf.TensorSpec((None,), tf.float32, name=name) for name in ("temperature", "top_p"))
    top_k = tf.TensorSpec((None,), tf.int32, name="top_k")

    def upscale(small, seed, temperature, label):
        large = tf.repeat(tf.repeat(small, 2, axis=1), 2, axis=2)
        image = large + tf.cast(label, tf.uint8)[:, None, None, None]
        return {"image": image, "log_likelihood": -temperature - tf.cast(seed, tf.float32)}

    def with_options(small, seed, temperature, label, top_k, top_p):
        answer = upscale(small, seed, temperature, label)
        return answer | {"log_likelihood": answer["log_likelihood"] - 100 * tf.cast(top_k, tf.float32) - 1000 * top_p}

    plain = [small, seed, temperature, label]
    signatures = {
        "upscale": tf.function(upscale).get_concrete_function(*plain),
        "upscale_with_options": tf.function(with_options).get_concrete_function(*plain, top_k, top_p),
    }
    tf.saved_model.save(tf.Module(), str(path), signatures=signatures)
    return path


@pytest.fixture(scope="module")
def served(make_once):
    """A server of `tiny`, in two versions, and of `doubling`; the models of `tiny`'s versions, and their paths."""
    models = {1: small_model((3, 4, 2), 3), 2: small_model((2, 2, 1), 5)}
    particles = {1: 3, 2: None}

    def export_all(folder):
        for number, model in models.items():
            pz.export(model, folder / "tiny", number, particles=particles[number])
        export_doubling(folder / "doubling" / "1")

    folder = make_once("served_to_clients", export_all)
    paths = [folder / "tiny" / str(number) for number in models]
    served = {"tiny": paths, "doubling": [folder / "doubling" / "1"]}
    with serving_server.Server(served, labels={"stable": 1}) as server:
        yield server, models, paths


@pytest.fixture
def server(served, monkeypatch):
    """The server with nothing recorded yet; its clients are in a hurry."""
    monkeypatch.setattr(client, "_FIRST_PAUSE", 0.002)
    server = served[0]
    for left in (server.faults, server.changes, server.gateway, server.requests):
        left.clear()
    return server


@pytest.fixture
def model(served):
    return served[1][1]


@pytest.fixture(params=["grpc", "rest"])
def api(request):
    return request.param


@pytest.fixture
def tiny(server, api):
    """A client of version 1 of `tiny`, three images a request."""
    with Client(getattr(server, api), "tiny", version=1, batch_size=3, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def of_python(served):
    """A function that asks version 1 of `tiny` in Python, and asks nothing twice: both APIs give the same answers."""
    answers = {}

    def ask(method, *arguments, **options):
        key = method, *(np.asarray(one).tobytes() for one in arguments), repr(options)
        if key not in answers:
            answers[key] = getattr(served[1][1], method)(*arguments, **options)
        return answers[key]

    return ask


def test_answers_are_those_of_the_model(tiny, model, of_python):
    image, known = random_images(model, 3), np.random.default_rng(0).random((3, 3, 4)) < 0.5
    scores = tiny.score(image)
    np.testing.assert_allclose(scores["log_likelihood"], model.log_likelihood(image), rtol=1e-5)
    np.testing.assert_allclose(scores["bits_per_dim"], model.bits_per_dim(image), rtol=1e-5)
    np.testing.assert_allclose(tiny.log_probabilities(image), model.log_probabilities(image), atol=1e-5)
    np.testing.assert_allclose(pz.anomaly.surprise(tiny, image), model.surprise(image), atol=1e-5)
    drawn, nats = tiny.sample(3, seed=2**40, temperature=0.5, return_log_likelihood=True)
    assert drawn.dtype == np.uint8 and nats.dtype == np.float32
    assert (drawn == of_python("generate", 3, seed=2**40, temperature=0.5)).all()
    np.testing.assert_allclose(nats, model.log_likelihood(drawn), rtol=1e-5)
    marked = np.where(known[..., None], image, -1)  # what is unknown may be anything
    assert (tiny.complete(marked, known, seed=[3, 1, 2]) == of_python("complete", image, known, seed=[3, 1, 2])).all()
    assert (tiny.complete(image, known[0]) == of_python("complete", image, known[0])).all()
    assert tiny.particles == (1, 3)
    completed, nats = tiny.complete(image, known, seed=5, temperature=0.8, particles=3, return_log_likelihood=True)
    assert (completed == of_python("complete", image, known, seed=5, temperature=0.8, particles=3)).all()
    np.testing.assert_allclose(nats, model.log_likelihood(completed), rtol=1e-4)
    options = {"particles": 3, "sampler": Sampler(2.0, min_p=1e-4)}
    assert (tiny.complete(drawn, known, **options) == of_python("complete", drawn, known, **options)).all()


def test_a_large_request_is_split(tiny, server, model):
    drawn = tiny.sample(8, seed=5)
    assert server.requests == [3, 3, 2]
    assert (drawn == model.generate(8, seed=5)).all()
    assert tiny.score(drawn)["bits_per_dim"].shape == (8,)


def test_small_images_are_upscaled_with_labels(server, api):
    small = np.arange(8, dtype="uint8").reshape(2, 2, 2, 1)
    with Client(getattr(server, api), "doubling", batch_size=1) as doubling:
        large = doubling.upscale(small, labels=[10, 20])
        assert (large[:, ::2, 1::2] == small + np.array([10, 20])[:, None, None, None]).all()
        assert (doubling.upscale(small, labels=10) == large - np.array([0, 10])[:, None, None, None]).all()
        _, nats = doubling.upscale(small, seed=5, temperature=2, labels=0, return_log_likelihood=True)
        assert nats.tolist() == [-7, -8]
        _, nats = doubling.upscale(small, seed=5, labels=0, top_k=3, top_p=0.5, return_log_likelihood=True)
        assert nats.tolist() == [-806, -807]


# Options of sampling


def test_options_of_the_sampler_are_those_of_the_model(tiny, server, model, of_python):
    image, known = random_images(model, 4), np.arange(12).reshape(3, 4) < 6
    for options in ({"sampler": Sampler(0.8, min_p=0.6)}, {"temperature": 2, "top_k": 2}, {"top_p": 0.4}):
        drawn = tiny.sample(4, seed=7, **options)
        assert (drawn == of_python("generate", 4, seed=7, **options)).all()
        assert (drawn != tiny.sample(4, seed=7)).any()
        assert (tiny.complete(image, known, **options) == of_python("complete", image, known, **options)).all()


def test_a_model_without_signatures_with_options_takes_a_temperature(tiny, server, model, monkeypatch):
    for name in ("sample_with_options", "complete_with_options"):
        monkeypatch.delitem(server.find("tiny", 1).signatures, name)
    assert (tiny.sample(3, sampler=Sampler(0.5)) == model.generate(3, temperature=0.5)).all()
    image, known = random_images(model, 2), np.ones((3, 4), bool)
    assert (tiny.complete(image, known, temperature=0) == image).all()
    server.requests.clear()
    with pytest.raises(
        ValueError, match=r"^top_k, min_p: the served model .* no signature 'sample_with_options'; give a"
    ):
        tiny.sample(3, sampler=Sampler(top_k=2, min_p=0.1))
    with pytest.raises(ValueError, match=r"^top_p: the served model .* no signature 'complete_with_options'"):
        tiny.complete(image, known, top_p=0.5)
    assert server.requests == []


@dataclasses.dataclass(frozen=True)
class UsersSampler(Sampler):
    """A sampler whose rules no server has."""


def test_a_busy_server_is_asked_again(tiny, server):
    server.faults += [serving_server.unavailable] * 5
    assert len(tiny.sample(2)) == 2
    server.faults += [serving_server.unavailable] * 7
    with pytest.raises(ConnectionError, match="The batch scheduling queue"):
        tiny.sample(2)
    assert len(server.faults) == 1  # six times in all


def test_an_answer_that_comes_too_late_is_not_waited_for_nor_asked_for_again(server, api):
    server.faults += [serving_server.slow, serving_server.slow]
    with Client(getattr(server, api), "tiny", timeout=0.5) as impatient, pytest.raises(TimeoutError):
        impatient.sample(1)
    assert len(server.faults) == 1


def test_a_connection_that_is_cut_is_made_again(server, api, monkeypatch):
    monkeypatch.setattr(client, "_FIRST_PAUSE", 0.05)  # gRPC takes its time before it connects again
    host, _, port = getattr(server, api).rpartition(":")
    with serving_server.Cutting(int(port), cuts=2) as relay, Client(f"{host}:{relay.port}", "tiny") as patient:
        assert len(patient.sample(2)) == 2
    with (
        serving_server.Cutting(int(port), cuts=100) as relay,
        Client(f"{host}:{relay.port}", "tiny") as unlucky,
        pytest.raises(ConnectionError, match=str(relay.port)),
    ):
        unlucky.sample(2)
    with Client(f"{host}:{relay.port}", "tiny") as alone, pytest.raises(ConnectionError, match=str(relay.port)):
        alone.sample(2)


def test_what_the_server_refuses_is_said_in_its_words_and_not_asked_for_again(server, api, tiny, model):
    address = getattr(server, api)
    for name, version, said in [
        ("none", None, r"Servable not found for request: Latest\(none\)"),
        ("tiny", 9, r"Servable not found for request: Specific\(tiny, 9\)"),
        ("../../etc/passwd", None, "Servable not found"),
    ]:
        with Client(address, name, version) as lost, pytest.raises(ValueError, match=said):
            lost.sample(1)
    server.faults.clear()
    with pytest.raises(ValueError, match=r"image: values must be 0\.\.2, got\] \[0\] \[3\]$"):
        tiny.score(random_images(model, 2) % 2 * 3)
    assert server.requests == [2]


def test_the_latest_version_is_asked_unless_another_is_named(server, api):
    with Client(getattr(server, api), "tiny") as latest:
        assert latest.sample(1).shape == (1, 2, 2, 1)


def test_a_version_has_a_label(server, api):
    with Client(getattr(server, api), "tiny", "stable") as stable:
        assert stable.image_shape == (3, 4, 2) and stable.sample(1).shape == (1, 3, 4, 2)
    with (
        Client(getattr(server, api), "tiny", "canary") as canary,
        pytest.raises(ValueError, match=r"not found.*canary"),
    ):
        canary.sample(1)


# Deployments


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Paths of a certificate of this machine, signed by itself, and of its key."""
    folder = tmp_path_factory.mktemp("certificate")
    paths = folder / "localhost.pem", folder / "localhost.key"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, *names, "-out", paths[0], "-keyout", paths[1]]
    subprocess.run(command, check=True, capture_output=True)
    return paths


@pytest.fixture(scope="module")
def guarded(served, certificate):
    """A server of `tiny` with TLS, which wants a certificate and a token, and has a path."""
    path = served[2][1]
    with serving_server.Server({"tiny": [path]}, None, certificate, token="secret", path="/pixels") as server:
        yield server


def test_a_guarded_server_answers_those_it_knows(guarded, served, api, certificate):
    address, model = getattr(guarded, api), served[1][2]
    token = {"Authorization": "Bearer secret"}
    known = {"root_certificates": certificate[0], "client_certificate": certificate}
    with Client(address, "tiny", headers=token, **known) as welcome:
        assert (welcome.sample(3, seed=4) == model.generate(3, seed=4)).all()
    with (
        Client(address, "tiny", headers={"Authorization": "Bearer x"}, **known) as unknown,
        pytest.raises(RuntimeError, match=r"(401|UNAUTHENTICATED).*no token"),
    ):
        unknown.sample(1)
    for strange in ({"root_certificates": certificate[0]}, {}):  # it has no certificate; it does not trust the server's
        with (
            Client(address, "tiny", headers=token, timeout=0.5, **strange) as stranger,
            pytest.raises((ConnectionError, TimeoutError), match="localhost"),
        ):
            stranger.sample(1)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"headers": {"a b": "c"}}, ValueError, "headers: a name must be letters, .* got 'a b'"),
        ({"headers": {"token": "sec\nret"}}, ValueError, "headers: the value of 'token' must be .* ASCII characters$"),
        ({"headers": "token"}, TypeError, "headers must be a dictionary, got a str"),
        ({"version": "3"}, ValueError, "version must be an integer, or a label such as 'stable', got '3'"),
        ({"root_certificates": "none.pem"}, ValueError, "root_certificates: 'host:1' has no TLS; write grpcs://"),
        (
            {"server": "grpcs://host:1", "root_certificates": "none.pem"},
            FileNotFoundError,
            "root_.* no file 'none.pem'",
        ),
        ({"server": "https://host", "client_certificate": "a.pem"}, TypeError, "client_certificate must be a pair"),
        ({"server": "https://host", "root_certificates": __file__}, ValueError, "holds no certificate or key in PEM"),
    ],
)
def test_bad_options_of_a_connection_are_named(options, error, said):
    with pytest.raises(error, match=said):
        Client(**{"server": "host:1", "model": "tiny"} | options)


def test_the_client_of_an_event_loop_answers_many_calls_at_once(server, api, model):
    image = random_images(model, 2)

    async def ask():
        async with AsyncClient(getattr(server, api), "tiny", 1, batch_size=3, max_requests=4) as tiny:
            drawn = asyncio.gather(*(tiny.sample(1, seed=seed) for seed in range(8)))
            scores = tiny.score(image)
            with pytest.raises(ValueError, match="num_images must be an integer of at least 1, got 0"):
                await tiny.sample(0)
            facts = [await fact() for fact in (tiny.image_shape, tiny.levels, tiny.takes_labels, tiny.particles)]
            return np.concatenate(await drawn), await scores, facts

    drawn, scores, facts = asyncio.run(ask())
    assert (drawn == model.generate(8)).all() and facts == [(3, 4, 2), 3, False, (1, 3)]
    np.testing.assert_allclose(scores["log_likelihood"], model.log_likelihood(image), rtol=1e-5)
    assert AsyncClient.sample.__doc__ == Client.sample.__doc__


# What any HTTP client may send


def rest_predict(server, **request):
    answer = httpx.post(f"{server.rest}/v1/models/tiny:predict", json=request, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_rows_are_answered_as_columns_are(server):
    """TensorFlow Serving's row format: `instances` and `predictions`."""
    with Client(server.rest, "tiny") as client:
        drawn, nats = client.sample(3, seed=4, return_log_likelihood=True)
        rows = [{"seed": 4 + index, "temperature": 1.0} for index in range(3)]
        predictions = rest_predict(server, signature_name="sample", instances=rows)["predictions"]
        assert [row["image"] for row in predictions] == drawn.tolist()
        np.testing.assert_allclose([row["log_likelihood"] for row in predictions], nats, rtol=1e-5)
        for instances in (drawn.tolist(), [{"image": image} for image in drawn.tolist()]):  # the only input, or by name
            scores = rest_predict(server, instances=instances)["predictions"]
            np.testing.assert_allclose([row["log_likelihood"] for row in scores], nats, rtol=1e-5)
        expected = rest_predict(server, signature_name="log_probabilities", instances=drawn.tolist())["predictions"]
        np.testing.assert_allclose(expected, client.log_probabilities(drawn), atol=1e-5)


def test_pictures_travel_as_png_files(server):
    """In Base64, as TensorFlow Serving wants bytes in JSON, and has them where a name ends in `_bytes`."""
    with Client(server.rest, "tiny") as client:
        drawn, nats = client.sample(2, seed=4, return_log_likelihood=True)
        noise = {"seed": [4, 5], "temperature": [1.0, 1.0]}
        answer = rest_predict(server, signature_name="sample_png", inputs=noise)["outputs"]
        files = [base64.b64decode(one["b64"]) for one in answer["image_bytes"]]
        pictures = [np.asarray(Image.open(io.BytesIO(file))) for file in files]
        assert (np.stack(pictures).astype(int)[..., None] * 5 // 256 == drawn).all()
        scores = rest_predict(server, signature_name="score_png", inputs={"image_bytes": answer["image_bytes"]})
        np.testing.assert_allclose(scores["outputs"]["log_likelihood"], nats, rtol=1e-5)

        transparent = Image.fromarray(pictures[0]).convert("LA")
        transparent.putalpha(Image.fromarray(np.array([[255, 255], [255, 254]], "uint8")))
        file = io.BytesIO()
        transparent.save(file, "PNG")
        row = {"image_bytes": {"b64": base64.b64encode(file.getvalue()).decode()}, "seed": 9, "temperature": 2.0}
        (completed,) = rest_predict(server, signature_name="complete_png", instances=[row])["predictions"]
        expected = client.complete(drawn[:1], np.array([[True, True], [True, False]]), seed=9, temperature=2)
        (picture,) = [np.asarray(Image.open(io.BytesIO(base64.b64decode(completed["image_bytes"]["b64"]))))]
        assert (picture.astype(int)[..., None] * 5 // 256 == expected[0]).all()


# Answers that TensorFlow Serving does not give


GATEWAYS = [
    (403, b'{"message": "no such route"}', RuntimeError),
    (404, b'{"detail": "Not Found"}', RuntimeError),
    (401, b"[]", RuntimeError),
    (400, b'{"error": null}', RuntimeError),
    (302, b"<html>log in</html>", RuntimeError),
    (200, b"<html>log in</html>", RuntimeError),
    (200, b"{}", RuntimeError),
    (200, b"[]", RuntimeError),
    (200, b"\xff", RuntimeError),
    (200, b"[" * 100_000, RuntimeError),
    (200, b'{"metadata": {"signature_def": 3}}', RuntimeError),
    (200, b'{"metadata": {"signature_def": {"signature_def": {"score": []}}}}', RuntimeError),
    (502, b"<html>bad gateway</html>", ConnectionError),
    (504, b"<html>gateway timeout</html>", TimeoutError),
]


@pytest.mark.parametrize(("status", "body", "error"), GATEWAYS)
def test_an_answer_of_a_gateway_is_shown(server, status, body, error):
    start = re.escape(repr(body.decode(errors="replace")[:20]).rstrip("'"))
    message = f"answered {status}, which is not an answer of TensorFlow Serving: {start}"
    for asked in ("metadata", "predict"):
        with Client(server.rest, "tiny") as behind:
            if asked == "predict":
                assert behind.image_shape == (2, 2, 1)
            server.gateway += [(status, {}, body)] * 6
            with pytest.raises(error, match=message):
                behind.sample(1)
            assert len(server.gateway) == (0 if error is ConnectionError else 5)  # nothing else is sent again
            server.gateway.clear()


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({}, b'{"outputs": null}', "must be nested lists of numbers, got values of type NoneType"),
        ({}, b'{"outputs": {"image": [[[["0"]]]], "log_likelihood": [0]}}', "nested lists of numbers, got .* str"),
        ({}, b'{"outputs": {"image": [[0], [0, 1]], "log_likelihood": [0]}}', "got values of type list"),
        ({}, b'{"outputs": {"image": [0, true], "log_likelihood": [0]}}', "got values of type bool, int"),
        ({}, b'{"outputs": {"image": [1%s], "log_likelihood": [0]}}' % (b"0" * 400), "an integer that is too large"),
        ({}, b'{"outputs": {"image": [], "log_likelihood": [0]}}', "output 'image' must be of dtype uint8"),
        ({"Content-Encoding": "gzip"}, b"{}", "a damaged body"),
        ({}, b" " * 1000, "more than 7"),
    ],
)
def test_a_damaged_answer_is_an_error(server, headers, body, message, monkeypatch):
    monkeypatch.setattr(rest_transport, "_BYTES_PER_VALUE", 100)
    with Client(server.rest, "tiny") as client:
        assert client.image_shape == (2, 2, 1)
        monkeypatch.setattr(rest_transport, "_LARGEST", 200)
        server.gateway.append((200, headers, body))
        with pytest.raises(RuntimeError, match=message):
            client.sample(1)


def change(**outputs):
    return lambda answer: answer | {name: make(answer[name]) for name, make in outputs.items()}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (change(image=lambda x: x + np.int32(300)), r"output 'image' must have values 0\.\.2, got 30"),
        (change(image=lambda x: x * 0 - np.int32(1)), r"output 'image' must have values 0\.\.2, got -1\.\.-1"),
        (change(image=lambda x: x * 0 + np.uint8(3)), r"output 'image' must have values 0\.\.2, got 3\.\.3"),
        (change(image=lambda x: np.full(x.shape, np.nan, "float32")), "'image' must be of dtype uint8, got float"),
        (change(image=lambda x: x == 0), "'image' must be of dtype uint8, got bool"),
        (change(image=lambda x: x[:, 1:]), r"'image' must have shape \(2, 3, 4, 2\), got \(2, 2, 4, 2\)"),
        (change(image=lambda x: x[:1]), r"'image' must have shape \(2, 3, 4, 2\), got \(1, 3, 4, 2\)"),
        (change(image=lambda x: x.repeat(2, axis=0)), r"'image' must have shape \(2, 3, 4, 2\), got \(4, 3, 4, 2\)"),
        (change(image=np.ravel), "'image' must have shape"),
        (change(image=lambda x: 1 - x.clip(0, 1)), "'image' must hold the known pixels unchanged"),
        (change(log_likelihood=lambda x: x * np.float32(np.nan)), "'log_likelihood' must have values .*got nan"),
        (change(log_likelihood=lambda x: -x), "'log_likelihood' must have values -inf"),
        (change(log_likelihood=lambda x: x[:, None]), r"'log_likelihood' must have shape \(2,\), got \(2, 1\)"),
        (lambda answer: {"image": answer["image"], "nats": answer["image"]}, "image, log_likelihood, got image, nats"),
        (lambda answer: answer | {"more": answer["log_likelihood"]}, "image, log_likelihood, got image, log_l.*, more"),
    ],
)
def test_an_answer_that_is_not_the_signatures_is_an_error(tiny, server, model, changed, message):
    image, known = random_images(model, 2), np.arange(12).reshape(3, 4) < 6
    server.changes.append(changed)
    with pytest.raises(RuntimeError, match=f"gave a wrong answer to 'complete': .*{message}"):
        tiny.complete(image, known)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_an_answer_that_drips_does_not_outlast_the_deadline(start):
    with (
        serving_server.Dripping(start) as dripping,
        Client(dripping.rest, "tiny", timeout=0.3) as patient,
        pytest.raises(TimeoutError, match=r"did not answer within 0\.3 s"),
    ):
        patient.sample(1)


def test_a_model_that_is_none_of_ours_is_named(server):
    text = {"inputs": {"text": {"dtype": "DT_STRING", "tensor_shape": {"dim": []}}}, "outputs": {}}
    flat = {"inputs": {"image": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}]}}}}
    vague = {"inputs": {"image": {"dtype": "DT_UINT8"}}}
    for signature, message in [
        (text, "tensor 'text' is of type DT_STRING"),
        (flat, r"tensor 'image' has dtype float32 and shape \(None,\)"),
        (vague, "tensor 'image' must have a dtype and a shape, got"),
        ({"inputs": 3}, "the tensors of a signature must be an object, got '3'"),
        ({"inputs": {}}, "signature 'score' lacks image"),
    ]:
        described = {"metadata": {"signature_def": {"signature_def": {"score": signature}}}}
        server.gateway.append((200, {}, json.dumps(described).encode()))
        with (
            Client(server.rest, "tiny") as other,
            pytest.raises(ValueError, match=f"the served model is none of pixel_zoo's: .*{message}"),
        ):
            other.score(np.zeros((1, 2, 2, 1), int))


def received(name, proto):
    """What the client reads of a tensor that TensorFlow has written."""
    from tensorflow_serving.apis import predict_pb2

    response = predict_pb2.PredictResponse()
    response.outputs[name].CopyFrom(proto)
    return messages.read_tensors(messages.PredictResponse.FromString(response.SerializeToString()).outputs)[name]


def test_grpc_tensors_are_tensorflows():
    import tensorflow as tf

    for dtype in ("bool", "float32", "int32", "int64", "uint8"):
        array = np.arange(6).reshape(2, 3).astype(dtype)
        for proto in (tf.make_tensor_proto(array), serving_server._proto(array)):  # as bytes, and value by value
            assert (received("x", proto) == array).all()
        assert (received("x", tf.make_tensor_proto(array[1, 2], shape=(2, 3))) == array[1, 2]).all()  # one for all
    assert received("x", tf.make_tensor_proto(7, tf.int64)) == 7
    bad_content, bad_shape = tf.make_tensor_proto(np.arange(3)), tf.make_tensor_proto(np.arange(3))
    bad_content.tensor_content = b"123"
    bad_shape.tensor_shape.dim[0].size = -3
    for proto, message in [
        (bad_content, "'x' of dtype int64 holds 3 bytes"),
        (bad_shape, r"'x' of shape \(-3,\) holds 3 values"),
        (tf.make_tensor_proto(["text"]), "'x' is of TensorFlow's type number 7"),
    ]:
        with pytest.raises(ValueError, match=message):
            received("x", proto)


def test_the_client_imports_neither_keras_nor_tensorflow(server):
    program = f"""
import asyncio, sys
from pixel_zoo.sampler import Sampler
from pixel_zoo.serving import Client

async def sample_in_a_loop(client):
    return client.sample(2, seed=7, sampler=Sampler(min_p=0.1))

for address in ({server.grpc!r}, {server.rest!r}):
    with Client(address, "tiny") as client:
        images = asyncio.run(sample_in_a_loop(client))
        assert client.log_probabilities(client.complete(images, images[..., 0] > 1)).shape == (2, 2, 2, 1, 5)
for name in ("keras", "tensorflow", "jax", "tensorflow_serving", "pixel_zoo.layers", "pixel_zoo.sampling"):
    assert name not in sys.modules, name
Client({server.rest!r}, "tiny").levels  # never closed: must not keep the process alive
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# Requests


def test_nothing_wrong_is_sent(tiny, server, api, model):
    image, known = random_images(model, 2), np.ones((2, 3, 4), bool)
    other_shape = r"images must have shape \(batch, 3, 4, 2\), got "
    for error, said, wrong in [
        (ValueError, other_shape + r"\(2, 4, 3, 2\)", lambda: tiny.score(image.swapaxes(1, 2))),
        (TypeError, "images must be integers", lambda: tiny.score(image / 2)),
        (ValueError, r"images must have values 0\.\.255, got 0\.\.300", lambda: tiny.score(image * np.int32(150))),
        (ValueError, "the number of images must be", lambda: tiny.score(image[:0])),
        (ValueError, "num_images must be an integer of at least 1, got 0", lambda: tiny.sample(0)),
        (ValueError, "temperature must be a finite number", lambda: tiny.sample(temperature=-1)),
        (ValueError, r"top_p must lie in \(0, 1\], got 2", lambda: tiny.complete(image, known, top_p=2)),
        (TypeError, "sampler must be a .*Sampler, got 0.5", lambda: tiny.sample(sampler=0.5)),
        (ValueError, "top_k: give options .* not both", lambda: tiny.sample(sampler=Sampler(), top_k=2)),
        (ValueError, "rules of Sampler alone, got a UsersSampler", lambda: tiny.sample(sampler=UsersSampler())),
        (ValueError, "no signature 'upscale'; it has", lambda: tiny.upscale(image, top_k=2)),
        (ValueError, r"seed must be an integer or an array of shape \(3,\)", lambda: tiny.sample(3, seed=[1, 2])),
        (ValueError, r"known must have shape", lambda: tiny.complete(image, known[:, 1:])),
        (ValueError, r"known must have shape", lambda: tiny.complete(image, image > 0)),
        (ValueError, "particles: the served model takes 1, 3, got 2", lambda: tiny.complete(image, known, particles=2)),
        (ValueError, "particles must be an integer", lambda: tiny.complete(image, known, particles=0)),
        (ValueError, "temperature must be above 0 with part", lambda: tiny.complete(image, known, 0, 0, particles=3)),
        (TypeError, "known must be a mask of bool", lambda: tiny.complete(image, known * 1)),
        (ValueError, other_shape + r"\(3, 4, 2\)", lambda: tiny.complete(image[0], known[0])),
        (ValueError, "'sample' takes seed, temperature, got label, seed, temp", lambda: tiny.sample(labels=3)),
        (
            ValueError,
            "no signature 'upscale'; it has complete, .*, log_prob.*, sample, ",
            lambda: tiny.upscale(image),
        ),
    ]:
        with pytest.raises(error, match=said):
            wrong()
    small = np.zeros((2, 2, 2, 1), int)  # of another type, but no other values, than are sent
    with Client(getattr(server, api), "doubling") as doubling:
        for error, said, labels in [
            (ValueError, "takes label, seed, small, temperature, got seed, small, temperature$", None),
            (ValueError, r"'label' must have shape \(2,\) or \(\), got \(3,\)", [1, 2, 3]),
            (TypeError, "'label' must be of dtype int64, got float64", 0.5),
        ]:
            with pytest.raises(error, match=said):
                doubling.upscale(small, labels=labels)
        with pytest.raises(ValueError, match=r"'upscale_with_options' takes label, .* got label, min_p, seed"):
            doubling.upscale(small, labels=0, sampler=Sampler(min_p=0.1))  # a rule that the model does not have
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("localhost", "tiny"), "server must be 'host:port' for gRPC or 'http://host:port' for REST, got 'localhost'"),
        (("file:///etc/passwd", "tiny"), "server must be"),
        (("http://host:1/v1?a=b", "tiny"), "server must be"),
        (("http://me:hunter2@host:1", "tiny"), "server must hold no user name .* with 'http://host:1': pass them"),
        (("grpc+tls:/me:hunter2@host:1", "tiny"), "server must hold no user name or password"),
        (("me:hunter2@host:1", "tiny"), "server must hold no user name or password, got them with 'host:1'"),
        (("http://me:hunter2/a@host:1", "tiny"), "server must be .*, got 'host:1'"),
        (("grpcs://host", "tiny"), "server must be"),
        (("ftp://host:1", "tiny"), "server must be"),
        (("host:1", ""), "model must be the name"),
        (("host:1", "tiny", 0), "version must be an integer of at least 1, got 0"),
        (("host:1", "tiny", 1, 0), "timeout must be a number of seconds above 0, got 0"),
        (("host:1", "tiny", 1, "60"), "timeout must be a number of seconds above 0, got '60'"),
        (("host:1", "tiny", 1, float("nan")), "timeout must be a number of seconds above 0, got nan"),
        (("host:65536", "tiny"), "server must be"),
        (("http://host:0", "tiny"), "server must be"),
        (("http://host:eight", "tiny"), "server must be"),
        ((8500, "tiny"), "server must be"),
        (("host:1", "tiny", 1, 1, 0), "batch_size must be an integer of at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, said):
    with pytest.raises(ValueError, match=said) as error:
        Client(*arguments)
    assert "hunter2" not in str(error.value)


def test_only_a_client_needs_what_it_is_made_of(monkeypatch):
    """That the rest of the package needs none of it is tested in test_imports.py."""
    for package, address in [("httpx", "http://host:1"), ("grpc", "host:1")]:
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ImportError, match=rf"needs {package}.*pip install 'pixel-zoo-slim\[client\]'"):
            Client(address, "tiny")


def test_the_command_line_samples_from_a_server(server, api, tmp_path, capsys):
    how = ["--server", getattr(server, api), "--output", tmp_path / "a.png"]
    assert "Servable not found" in refused(capsys, "sample", "none", *how)
    rules = ["--top-k", 4, "--top-p", 0.9, "--min-p", 0.1]
    assert call("sample", "tiny", *how, "--num-images", 4, "--seed", 7, *rules) == 0
    with Client(getattr(server, api), "tiny") as client, Image.open(tmp_path / "a.png") as picture:
        from pixel_zoo import pictures

        images = client.sample(4, seed=7, sampler=Sampler(top_k=4, top_p=0.9, min_p=0.1))
        titles = pictures.titles_of_samples(range(7, 11))
        assert (np.asarray(picture) == pictures.grid(images, 2, images.max() + 1, titles)).all()
