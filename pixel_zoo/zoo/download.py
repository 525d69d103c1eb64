"""Fetching a file whose size and hash are known, in as many pieces as it takes."""

import os
import pathlib

import filelock
import requests

from pixel_zoo.zoo.whole import is_whole

TIMEOUT = (10, 30)  # seconds: to connect, and without a byte
CHUNK = 8192  # bytes; what of one has come when a connection breaks is lost


def download(url, path, size, sha256):
    """Fetch a file, going on from what an earlier attempt has left.

    What has come is kept beside `path`, as `NAME.part`; `path` itself is only ever the whole file, of the right hash.
    An attempt that breaks off is followed by another as long as each brings something. One process fetches at a time;
    others wait for it (`NAME.lock`), and take what it has fetched.

    Args:
        url: its address, http or https.
        path: where to put it; missing directories are made.
        size: int, its bytes.
        sha256: its SHA-256, in hexadecimal.

    Returns:
        `path` as a `pathlib.Path`.

    Raises:
        FileNotFoundError: the server does not have it.
        ConnectionError: there is no network, no server, or it does not answer (in time).
        ValueError: what came is not that file, and nothing of it is kept; or the address is not one of http or https.

    Example:

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "none.keras")
    >>> download("http://127.0.0.1:9/none.keras", path, size=1, sha256="0")
    Traceback (most recent call last):
    ...
    ConnectionError: http://127.0.0.1:9/none.keras can't be fetched (...); 0 of 1 bytes are there...
    """
    path = pathlib.Path(path)
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url must begin with http:// or https://, got {url!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f"{path.name}.lock")):
        return path if is_whole(path, sha256) else _fetch(url, path, size, sha256)


def _fetch(url, path, size, sha256):
    """What `download` does while it alone may."""
    part = path.with_name(f"{path.name}.part")
    goes_on = part.exists()
    while (before := _bytes(part)) < size:
        error = None
        try:
            if not _fetch_rest(url, part):
                break
        except requests.RequestException as caught:
            error = caught
        if _bytes(part) <= before:
            raise ConnectionError(_message(url, part, size, error)) from error
    if is_whole(part, sha256):
        os.replace(part, path)
        return path
    part.unlink(missing_ok=True)
    if goes_on:  # what was there may have been the beginning of another version
        return _fetch(url, path, size, sha256)
    raise ValueError(f"{url} is another file than the index knows: its SHA-256 is not {sha256}")


def _fetch_rest(url, part):
    """Append to `part` what is missing, in one attempt; False if the server says that its file ends there."""
    start = _bytes(part)
    # Ranges are of the bytes that are sent: they must not be compressed.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.not_found:
            raise FileNotFoundError(f"{url} does not exist (404); see PIXEL_ZOO_URL")
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return False
        response.raise_for_status()
        goes_on = response.status_code == requests.codes.partial_content
        with open(part, "ab" if goes_on else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
    return True


def _bytes(path):
    return path.stat().st_size if path.exists() else 0


def _message(url, part, size, error):
    if error is None:
        reason = "the server sent no more"
    else:
        reason = type(error).__name__ if error.response is None else f"status {error.response.status_code}"
    return f"{url} can't be fetched ({reason}); {_bytes(part)} of {size} bytes are there and kept for the next attempt"
