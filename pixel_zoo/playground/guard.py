"""Requests that the playground's server refuses before Gradio sees them, and sessions without a listener."""

import collections
import json
import math
import time
import urllib.parse

# Paths that Gradio offers to pages with files; this page has none.
CLOSED = ("/file=", "/file/", "/proxy=", "/stream/")
POSTED = ("/queue/join", "/cancel", "/reset")  # the ends of the paths that the page posts to
LARGEST = 2**20  # bytes of a request
DEEPEST = 16  # nested lists and objects in a request; the page sends five
GRACE = 2.0  # seconds within which a page starts to listen for an answer
SESSIONS = 1000  # remembered at most


class Listeners:
    """Which sessions listen for the answers to their requests.

    A page posts a request and opens a stream on which the answer comes. A session without a stream has gone away, or
    never listened.
    """

    def __init__(self):
        self._streams = collections.Counter()
        self._joined = collections.OrderedDict()

    def joined(self, session: str) -> None:
        """Note that a session has posted a request."""
        self._joined[session] = time.monotonic()
        self._joined.move_to_end(session)
        if len(self._joined) > SESSIONS:
            self._joined.popitem(last=False)

    def opened(self, session: str) -> None:
        """Note that a session has opened a stream."""
        self._streams[session] += 1

    def closed(self, session: str) -> None:
        """Note that a session's stream has ended."""
        self._streams[session] -= 1
        self._streams += collections.Counter()  # drops those at zero

    def has_left(self, session: str) -> bool:
        """Whether the session does not wait for answers to its requests."""
        waited = time.monotonic() - self._joined.get(session, -math.inf)
        return session not in self._streams and waited > GRACE


class Guard:
    """ASGI middleware that refuses requests that the page does not send.

    These are requests for files, to other parts of Gradio's API, that name files, or whose body is too large. Gradio
    would fetch a file from any path or address that a request names. Also refused is what Gradio answers with status
    500: JSON that can be read but not written, such as NaN and lone surrogates, deeply nested JSON, unknown events.

    Args:
        app: the ASGI application that answers all other requests.
        listeners: the `Listeners` that are told of requests and streams.
    """

    def __init__(self, app, listeners: Listeners):
        self.app, self.listeners = app, listeners

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif any(part in scope["path"] for part in CLOSED):
            await _refuse(send, 403)
        elif scope["method"] == "POST":
            allowed = scope["path"].endswith(POSTED)
            await (self._post(scope, receive, send) if allowed else _refuse(send, 403))
        elif scope["path"].endswith("/queue/data"):
            await self._stream(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _post(self, scope, receive, send):
        body = await _body(receive)
        if len(body) > LARGEST:
            await _refuse(send, 413)
            return
        try:
            content = _parse(body or b"{}")
        except (ValueError, RecursionError):
            await _refuse(send, 400)
            return
        if "FileData" in json.dumps(content):
            await _refuse(send, 403)
            return
        if scope["path"].endswith("/queue/join") and isinstance(content, dict):
            self.listeners.joined(str(content.get("session_hash")))
        try:
            await self.app(scope, _replayed(body, receive), send)
        except KeyError:  # Gradio has no such event
            await _refuse(send, 400)

    async def _stream(self, scope, receive, send):
        query = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"))
        session = query.get("session_hash", [""])[-1]
        self.listeners.opened(session)
        try:
            await self.app(scope, receive, send)
        finally:
            self.listeners.closed(session)


async def _body(receive):
    """The body of a request, or its beginning if it is too large."""
    body, more = b"", True
    while more and len(body) <= LARGEST:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _parse(body):
    """JSON of finite numbers, of text that can be encoded, and of a limited depth; else a ValueError."""
    content = json.loads(body, parse_constant=_finite, parse_float=_finite)
    json.dumps(content, ensure_ascii=False).encode()  # raises at a lone surrogate
    level = [content]
    for _ in range(DEEPEST):
        level = [child for parent in level for child in _children(parent)]
    if level:
        raise ValueError(f"JSON must be nested {DEEPEST} levels deep at most")
    return content


def _finite(text):
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"numbers must be finite, got {text}")
    return number


def _children(value):
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _replayed(body, receive):
    """A `receive` that returns a body that has been read already, and then what follows it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay():
        return messages.pop() if messages else await receive()

    return replay


async def _refuse(send, status):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})
