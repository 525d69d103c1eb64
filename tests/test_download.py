"""Downloads of pretrained models: whole or not at all, resumed, bounded in size and time."""

import concurrent.futures
import gzip
import hashlib
import http.server
import os
import pathlib
import re
import secrets
import shutil
import socket
import sys
import threading
import time
import traceback

import httpx
import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import errors

import pixel_zoo as pz
from pixel_zoo.zoo import download, pretrained
from pixel_zoo.zoo.hub import fetch_from_hub

EXPORTED = pathlib.Path(__file__).parents[1] / "exported"
CONTENT = np.random.default_rng(0).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SOME = 9 * 8192
NAME = "digits_pixel_cnn"


class Server:
    """A web server on loopback; `behave` are functions of a request's handler, for one request each, the last for all.

    Attributes:
        url: its address.
        ranges: list, the header Range of each request, or None.
    """

    def __init__(self, *behave):
        self.behave, self.ranges = list(behave), []

    def __enter__(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.ranges.append(self.headers["Range"])
                (server.behave.pop(0) if len(server.behave) > 1 else server.behave[0])(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()


def sends(content, ranges=True, until=None):
    """Send `content`, or the range asked for, but break off after `until` bytes."""

    def respond(handler):
        wanted = handler.headers["Range"] if ranges else None
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:][:until])

    return respond


def status(code):
    def respond(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return respond


@pytest.fixture(autouse=True)
def loopback_without_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def fetch(server, path):
    return download.download(f"{server.url}/file", path, len(CONTENT), SHA256)


def test_a_file_is_fetched_whole(tmp_path):
    with Server(sends(CONTENT)) as server:
        assert fetch(server, tmp_path / "new" / "file").read_bytes() == CONTENT
    assert server.ranges == [None]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["file", "file.lock"]


def test_a_download_that_breaks_off_goes_on_where_it_was(tmp_path):
    with Server(sends(CONTENT, until=SOME), sends(CONTENT, until=SOME), sends(CONTENT)) as server:
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={SOME}-", f"bytes={2 * SOME}-"]


def test_the_next_process_goes_on_where_one_has_ended(tmp_path):
    refusal = rf"cannot be fetched \(status 503\); {SOME} of {len(CONTENT)} bytes are there"
    with Server(sends(CONTENT, until=SOME), status(503)) as server, pytest.raises(ConnectionError, match=refusal):
        fetch(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    with Server(sends(CONTENT)) as server:
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [f"bytes={SOME}-"]


def test_a_server_without_ranges_sends_all_again(tmp_path):
    with Server(sends(CONTENT, until=SOME), sends(CONTENT, ranges=False)) as server:
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_server_whose_file_is_shorter_has_another_one(tmp_path):
    def shorter(handler):
        if handler.headers["Range"] == f"bytes={SOME}-":
            status(416)(handler)
        else:
            sends(CONTENT[:SOME])(handler)

    with Server(shorter) as server, pytest.raises(ValueError, match="another file than the index knows"):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


def test_a_server_that_always_ends_too_early_is_given_up(tmp_path):
    refusal = f"{SOME} of {len(CONTENT)} bytes"
    with Server(sends(CONTENT, ranges=False, until=SOME)) as server, pytest.raises(ConnectionError, match=refusal):
        fetch(server, tmp_path / "file")
    short = sends(CONTENT[:SOME], ranges=False)  # a whole answer, of too few bytes
    with Server(short) as server, pytest.raises(ConnectionError, match="the server sent no more"):
        fetch(server, tmp_path / "file")


def test_another_file_is_refused_and_not_kept(tmp_path):
    refusal = "another file than the index knows"
    with Server(sends(CONTENT[::-1])) as server, pytest.raises(ValueError, match=refusal):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


@pytest.mark.parametrize("left", [CONTENT[:1000:-1][:500], CONTENT[::-1], CONTENT + b"more"])
def test_the_beginning_of_another_version_is_thrown_away(left, tmp_path):
    (tmp_path / "file.part").write_bytes(left)
    with Server(sends(CONTENT)) as server:
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with Server(status(404)) as server, pytest.raises(FileNotFoundError, match=r"/file does not exist \(404\)"):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


def test_of_several_that_fetch_a_file_one_does(tmp_path):
    asked, go_on = threading.Event(), threading.Event()

    def wait(handler):
        asked.set()
        assert go_on.wait(60)
        sends(CONTENT)(handler)

    with Server(wait) as server, concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(fetch, server, tmp_path / "file")
        assert asked.wait(60)
        second = pool.submit(fetch, server, tmp_path / "file")
        concurrent.futures.wait([second], timeout=0.2)  # so long that it would have asked too
        go_on.set()
        assert first.result().read_bytes() == second.result().read_bytes() == CONTENT
    assert server.ranges == [None]


def test_an_address_of_no_web_server_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"url must begin with http:// or https://, got '127.0.0.1:80/file'"):
        download.download("127.0.0.1:80/file", tmp_path / "file", 1, SHA256)


def test_a_server_that_is_silent_is_given_up(tmp_path, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(download, "TIMEOUT", httpx.Timeout(0.2, connect=5))

    def stall(handler):
        sends(CONTENT, until=SOME)(handler)
        over.wait()

    with Server(stall, lambda handler: over.wait()) as server:
        with pytest.raises(ConnectionError, match=rf"\(\w*\); {SOME} of {len(CONTENT)} bytes"):
            fetch(server, tmp_path / "file")
        over.set()


def test_offline_is_said_so(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
        with pytest.raises(ConnectionError, match=r"cannot be fetched \(no connection .*\); 0 of 1 bytes are there"):
            download.download(url, tmp_path / "file", 1, SHA256)


def endless(handler, content=bytes(2**16), header=("X-None", "")):
    """Send without end, until the client disconnects."""
    handler.send_response(200)
    handler.send_header(*header)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(content)
    except OSError:
        pass


def dripping(header):
    """Send a byte every hundredth of a second: a header that never ends, or what comes after one."""

    def respond(handler):
        if not header:
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.flush()
        try:
            while True:
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.01)
        except OSError:
            pass

    return respond


def test_no_more_is_taken_than_the_file_has(tmp_path):
    refusal = f"another file than the index knows: not {len(CONTENT)} bytes"
    with Server(endless) as server, pytest.raises(ValueError, match=refusal):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


def test_what_is_compressed_unasked_is_not_expanded(tmp_path):
    def bomb(handler):
        endless(handler, gzip.compress(bytes(2**20)), header=("Content-Encoding", "gzip"))

    with Server(bomb) as server, pytest.raises(ConnectionError, match="the server compresses it"):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


@pytest.mark.parametrize("header", [True, False])
def test_a_server_that_drips_does_not_hold_the_lock(header, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    monkeypatch.setattr(download, "SLOWEST", 10**9)
    with Server(dripping(header)) as server:
        with pytest.raises(ConnectionError, match=r"slower than 1,000,000,000 bytes a second\); \d+ of"):
            fetch(server, tmp_path / "file")
        monkeypatch.undo()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        server.behave = [sends(CONTENT)]
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_password_in_an_address_is_not_shown(tmp_path, monkeypatch):
    password = secrets.token_hex()
    login = f"anna:{password}@"
    with Server(status(503)) as server:
        url = server.url.replace("//", f"//{login}") + "/file"
        with pytest.raises(ConnectionError, match=r"//127.0.0.1:\d+/file cannot be fetched") as error:
            download.download(url, tmp_path / "file", 1, SHA256)
    with pytest.raises(ValueError, match=r"got '127.0.0.1/file'") as no_scheme:
        download.download(f"{login}127.0.0.1/file", tmp_path / "file", 1, SHA256)
    monkeypatch.setattr(pretrained, "shipped", lambda kind: tmp_path / "nothing")
    monkeypatch.setenv("PIXEL_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIXEL_ZOO_URL", f"ftp://{login}127.0.0.1")
    with pytest.raises(ValueError, match=r"PIXEL_ZOO_URL must begin .*, got 'ftp://127.0.0.1'") as setting:
        pz.load(NAME)
    for one in (error, no_scheme, setting):
        assert password not in "".join(traceback.format_exception(one.value))


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_a_link_is_not_written_through(plant, tmp_path):
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    plant(target, tmp_path / "file.part")
    with Server(sends(CONTENT)) as server, pytest.raises(FileExistsError, match=r"file.part' is a link or not yours"):
        fetch(server, tmp_path / "file")
    assert target.read_bytes() == b"precious"


def test_an_installed_package_fetches_a_model_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(pretrained, "shipped", lambda kind: tmp_path / "nothing")
    monkeypatch.setenv("PIXEL_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PIXEL_ZOO_URL", raising=False)
    how = r"digits_pixel_cnn.keras \(0.3 MB\) is neither in .*; copy it there, or set PIXEL_ZOO_URL to an address"
    with pytest.raises(FileNotFoundError, match=how) as absent:
        pz.load(NAME)
    assert "another file" not in str(absent.value)
    with Server(sends((EXPORTED / f"{NAME}.keras").read_bytes())) as server:
        monkeypatch.setenv("PIXEL_ZOO_URL", f"{server.url}/")
        assert pz.load(NAME).levels == 17
        pz.load(NAME)
        assert len(server.ranges) == 1
        assert caplog.messages == [f"Fetching {NAME}.keras (0.3 MB) from {server.url}/"]
        (tmp_path / "cache" / f"{NAME}.keras").write_bytes(b"damaged")
        assert pz.load(NAME).levels == 17
        assert len(server.ranges) == 2
    monkeypatch.delenv("PIXEL_ZOO_URL")
    (tmp_path / "cache" / f"{NAME}.keras").write_bytes(b"damaged")
    with pytest.raises(FileNotFoundError, match=rf"cache/{NAME}.keras' is another file: its SHA-256 differs"):
        pz.load(NAME)


def test_wrong_settings_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "shipped", lambda kind: tmp_path / "nothing")
    monkeypatch.setenv("PIXEL_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIXEL_ZOO_URL", "127.0.0.1:9106")
    with pytest.raises(
        ValueError, match=r"PIXEL_ZOO_URL must begin with http://, https:// or hf://, got '127.0.0.1:9106'"
    ):
        pz.load(NAME)
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIXEL_ZOO_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("PIXEL_ZOO_URL", "http://127.0.0.1:9")
    with pytest.raises(PermissionError, match=r"PIXEL_ZOO_CACHE must name a directory that can be written, got .*file"):
        pz.load(NAME)


def test_the_cache_may_be_in_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "shipped", lambda kind: tmp_path / "nothing")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIXEL_ZOO_CACHE", "~/models")
    (tmp_path / "models").mkdir()
    shutil.copy(EXPORTED / f"{NAME}.keras", tmp_path / "models")
    assert pz.path(NAME) == tmp_path / "models" / f"{NAME}.keras"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The Hub stands behind one function of its client: what that is asked for, and what it does."""
    asked = []

    def hf_hub_download(repository, file, *, revision):
        asked.append((repository, file, revision))
        return answers[0]()

    answers = [lambda: str(EXPORTED / f"{NAME}.keras")]
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hf_hub_download)
    monkeypatch.setattr(pretrained, "shipped", lambda kind: tmp_path / "nothing")
    monkeypatch.setenv("PIXEL_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIXEL_ZOO_URL", "hf://owner/repository@v1")
    return asked, answers


def test_a_model_is_fetched_from_the_hub(hub, monkeypatch):
    asked, _ = hub
    assert pz.path(NAME) == EXPORTED / f"{NAME}.keras"
    monkeypatch.setenv("PIXEL_ZOO_URL", "hf://owner/repository/")
    pz.path(NAME)
    assert asked == [("owner/repository", f"{NAME}.keras", revision) for revision in ("v1", None)]


@pytest.mark.parametrize(
    "failure, kind, said",
    [
        (errors.LocalEntryNotFoundError("offline\nSee ..."), ConnectionError, "fetched from hf://owner.*: offline$"),
        (errors.EntryNotFoundError("404"), FileNotFoundError, f"has no {NAME}.keras that you may read: 404"),
        (httpx.ReadTimeout("slow"), ConnectionError, "cannot be fetched from hf://owner/repository@v1: slow"),
        (errors.OfflineModeIsEnabled("HF_HUB_OFFLINE=1"), ConnectionError, "HF_HUB_OFFLINE=1"),
    ],
)
def test_what_the_hub_lacks_is_said_in_one_line(failure, kind, said, hub):
    def fail():
        raise failure

    _, answers = hub
    answers[0] = fail
    with pytest.raises(kind, match=said):
        pz.path(NAME)


def test_another_file_of_the_hub_is_refused(hub):
    _, answers = hub
    answers[0] = lambda: str(EXPORTED / "digits_gated.keras")
    with pytest.raises(ValueError, match=f"has another {NAME}.keras than the index knows"):
        pz.path(NAME)


def test_the_hub_needs_its_client_and_a_whole_address(hub, monkeypatch):
    monkeypatch.setenv("PIXEL_ZOO_URL", "hf://owner")
    with pytest.raises(ValueError, match=r"must read hf://OWNER/REPOSITORY or .*, got 'hf://owner'"):
        pz.path(NAME)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"hf:// needs huggingface_hub: pip install 'pixel-zoo\[hub\]'"):
        pz.path(NAME)


def test_the_hub_itself_says_when_there_is_no_network(tmp_path, monkeypatch):
    """Its real client, in its offline mode and with an empty cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError, match=r"a.keras cannot be fetched from hf://owner/repository: "):
        fetch_from_hub("hf://owner/repository", "a.keras", SHA256)


class Hub:
    """Answers as the Hub does: `hf_hub_download` asks for the headers of a file, then for the file.

    Attributes:
        files: file by its path in the repository, such as {"NAME.keras": bytes}.
        asked: list of (method, path, the header Range) of each request for a file.
        ends: list of where the next answers with a file end too early.
    """

    def __init__(self, **files):
        self.files, self.asked, self.ends = files, [], []

    def respond(self, handler):
        place, _, file = handler.path.removeprefix("/owner/repository/resolve/").partition("/")
        if "/resolve/" in handler.path:
            self.asked.append((handler.command, handler.path, handler.headers["Range"]))
        content = self.files.get(file) if place in ("main", "v1") else None
        if content is None:
            handler.send_response(404)
            handler.send_header("X-Error-Code", "EntryNotFound" if place in ("main", "v1") else "RevisionNotFound")
            handler.send_header("Content-Length", "0")
            return handler.end_headers()
        start = int(re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "bytes=0-")[1])
        handler.send_response(206 if start else 200)
        handler.send_header("X-Repo-Commit", "0" * 40)
        handler.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content[start:][: self.ends.pop() if self.ends else None])


@pytest.fixture
def real_hub(tmp_path, monkeypatch):
    """The Hub's own client, and a server that speaks its protocol; `HF_ENDPOINT` names the server."""
    hub = Hub(**{"model.keras": CONTENT})
    with Server(hub.respond) as server:
        constants = huggingface_hub.constants  # what `HF_ENDPOINT` and `HF_HUB_CACHE` set when the client is imported
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 8192)  # less is not kept of an answer that ends too early
        monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)  # before the next try
        yield hub


def test_the_real_client_fetches_from_a_hub_once(real_hub):
    path = fetch_from_hub("hf://owner/repository@v1", "model.keras", SHA256)
    assert path.read_bytes() == CONTENT
    assert [(method, range_) for method, _, range_ in real_hub.asked] == [("HEAD", None), ("GET", None)]
    assert real_hub.asked[0][1] == "/owner/repository/resolve/v1/model.keras"
    assert fetch_from_hub("hf://owner/repository", "model.keras", SHA256).read_bytes() == CONTENT  # main: same commit
    assert [method for method, *_ in real_hub.asked].count("GET") == 1


def test_the_real_client_resumes_a_download(real_hub):
    real_hub.ends = [SOME]
    assert fetch_from_hub("hf://owner/repository", "model.keras", SHA256).read_bytes() == CONTENT
    assert [range_ for method, _, range_ in real_hub.asked if method == "GET"] == [None, f"bytes={SOME}-"]


def test_the_real_client_gives_up_a_hub_that_always_ends_too_early(real_hub):
    real_hub.ends = [0] * 100
    with pytest.raises(ConnectionError, match=r"model.keras cannot be fetched from hf://owner/repository: "):
        fetch_from_hub("hf://owner/repository", "model.keras", SHA256)
    assert 1 < 100 - len(real_hub.ends) < 20


def test_what_a_hub_answers_to_the_real_client_is_said(real_hub):
    with pytest.raises(FileNotFoundError, match=r"hf://owner/repository has no other.keras that you may read: 404"):
        fetch_from_hub("hf://owner/repository", "other.keras", SHA256)
    with pytest.raises(FileNotFoundError, match=r"hf://owner/repository@v9 has no model.keras that you may read"):
        fetch_from_hub("hf://owner/repository@v9", "model.keras", SHA256)
    with pytest.raises(ValueError, match=r"has another model.keras than the index knows"):
        fetch_from_hub("hf://owner/repository", "model.keras", "0" * 64)
