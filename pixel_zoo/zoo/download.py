"""Fetching a file whose size and hash are known."""

import os
import pathlib
import queue
import stat
import threading
import time

import filelock
import httpx

from pixel_zoo.addresses import without_password
from pixel_zoo.zoo.whole import is_whole

TIMEOUT = httpx.Timeout(30, connect=10)  # seconds: to wait for the next bytes, and to connect
PATIENCE = 60  # seconds that a download may take in any case,
SLOWEST = 5_000  # and bytes a second that it must receive on average after that


def download(url, path, size, sha256):
    """Fetch a file, and resume an interrupted download.

    The bytes received are kept beside `path`, as `NAME.part`; `path` itself is only ever the whole file with the right
    hash. An attempt that is interrupted is followed by another one as long as each attempt receives something. No more
    than `size` bytes are accepted. One process downloads at a time; the others wait for it (`NAME.lock`) and use its
    file.

    Args:
        url: its address, http or https. A user name and password in it are not shown in errors.
        path: where to put it; missing directories are created.
        size: int, its bytes.
        sha256: its SHA-256, in hexadecimal.

    Returns:
        `path` as a `pathlib.Path`.

    Raises:
        FileNotFoundError: the server does not have it.
        FileExistsError: `NAME.part` is a link, or belongs to somebody else.
        ConnectionError: there is no network or no server, or it does not answer or is too slow.
        ValueError: the server sends another file, of which nothing is kept; or the address is not http or https.

    Example:

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "none.keras")
    >>> download("http://127.0.0.1:9/none.keras", path, size=1, sha256="0")
    Traceback (most recent call last):
    ...
    ConnectionError: http://127.0.0.1:9/none.keras cannot be fetched (...); 0 of 1 bytes are there...
    """
    path = pathlib.Path(path)
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url must begin with http:// or https://, got {without_password(url)!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f"{path.name}.lock")):
        return path if is_whole(path, sha256) else _fetch(url, path, size, sha256)


def _fetch(url, path, size, sha256):
    """What `download` does while it holds the lock."""
    part = path.with_name(f"{path.name}.part")
    _check_own(part)
    resumed = _bytes(part) > 0
    deadline = time.monotonic() + PATIENCE + size / SLOWEST
    while (before := _bytes(part)) < size:
        error = None
        try:
            _fetch_rest(url, part, size, deadline)
        except _ConnectionFailed as caught:
            error = caught
        except _AnotherFile:
            break
        if _bytes(part) <= before or time.monotonic() > deadline:
            raise ConnectionError(
                f"{without_password(url)} cannot be fetched ({error or 'the server sent no more'}); {_bytes(part)} of "
                f"{size} bytes are there and kept for the next attempt"
            ) from None  # errors of the libraries contain the address, perhaps with a password
    if is_whole(part, sha256):
        os.replace(part, path)
        return path
    part.unlink(missing_ok=True)
    if resumed:  # the old bytes may have been the beginning of another version
        return _fetch(url, path, size, sha256)
    raise ValueError(
        f"{without_password(url)} is another file than the index knows: not {size} bytes with the SHA-256 {sha256}"
    )


class _ConnectionFailed(Exception):
    """An attempt that received less than the rest of the file."""


class _AnotherFile(Exception):
    """The server's file is longer or shorter than it should be."""


def _fetch_rest(url, part, size, deadline):
    """Append to `part` what is missing, in one attempt."""
    start = _bytes(part)
    answer = _answer(url, start, deadline)
    resumed = next(answer)
    # A link that was created after `_check_own` is not followed.
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | (os.O_APPEND if resumed else os.O_TRUNC)
    left = size - start if resumed else size
    with os.fdopen(os.open(part, flags, 0o666), "wb") as file:
        for chunk in answer:
            left -= len(chunk)
            if left < 0:
                raise _AnotherFile
            file.write(chunk)


def _answer(url, start, deadline):
    """Yield whether the server sends the range that begins at `start`, not the whole file; then its bytes.

    They are received in a thread, since no timeout of a socket ends an answer whose header arrives byte by byte.
    """
    received, over = queue.Queue(maxsize=16), threading.Event()

    def put(item):
        while not over.is_set():
            try:
                return received.put(item, timeout=1)
            except queue.Full:
                pass

    threading.Thread(target=_receive, args=(url, start, put, over), daemon=True).start()
    try:
        while True:
            try:
                item = received.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise _ConnectionFailed(f"slower than {SLOWEST:,} bytes a second") from None
            if isinstance(item, BaseException):
                raise item
            if item is None:
                return
            yield item
    finally:
        over.set()


def _receive(url, start, put, over):
    """Hand what `_answer` yields to `put`, then None, or the error that ended it."""
    # Ranges count the bytes that are sent: they must not be compressed.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with httpx.stream("GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as response:
            if response.status_code == httpx.codes.NOT_FOUND:
                raise FileNotFoundError(f"{without_password(url)} does not exist (404); see PIXEL_ZOO_URL")
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _AnotherFile
            if not response.is_success:
                raise _ConnectionFailed(f"status {response.status_code}")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise _ConnectionFailed("the server compresses it, which it was asked not to do")
            put(response.status_code == httpx.codes.PARTIAL_CONTENT)
            for chunk in response.iter_raw():
                if over.is_set():
                    return
                put(chunk)
        put(None)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        put(_ConnectionFailed("no connection to the server; is there a network?"))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        put(_ConnectionFailed(type(error).__name__))
    except Exception as error:
        put(error)


def _check_own(part):
    """Raise unless `part` is an ordinary file of this user, or does not exist: in a shared directory others write."""
    try:
        status = part.lstat()
    except FileNotFoundError:
        return
    owned = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or not owned:
        raise FileExistsError(f"{str(part)!r} is a link or not yours; delete it, or set PIXEL_ZOO_CACHE")


def _bytes(path):
    return path.stat().st_size if path.exists() else 0
