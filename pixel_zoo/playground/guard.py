"""What the playground's server refuses before Gradio sees it."""

import json

NAMES = (b"127.0.0.1", b"localhost")
# What Gradio offers to pages with files; this page has none.
CLOSED = ("/upload", "/file=", "/file/", "/proxy=", "/stream/", "/process_recording")
LARGEST = 2**20  # bytes of a request


class Guard:
    """ASGI middleware: requests of other names, for files, of files, or too large are refused.

    A page of another site may send requests to a loopback address, under a name of its own; so the name is looked at.
    What a request calls a file Gradio would fetch from wherever it is said to lie.

    Args:
        app: the ASGI application that answers all other requests.
    """

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        host = dict(scope["headers"]).get(b"host", b"").rpartition(b":")
        if (host[0] or host[2]) not in NAMES or any(part in scope["path"] for part in CLOSED):
            await _refuse(send, 403)
            return
        body = await _body(receive) if scope["method"] == "POST" else b""
        if len(body) > LARGEST:
            await _refuse(send, 413)
        elif scope["method"] == "POST" and not _is_plain(body):
            await _refuse(send, 403)
        else:
            await self.app(scope, _replayed(body, receive) if scope["method"] == "POST" else receive, send)


async def _body(receive):
    """The body of a request, read no further than it is too large."""
    body, more = b"", True
    while more and len(body) <= LARGEST:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _is_plain(body):
    """Whether a body is JSON, as the page sends it, in which nothing is called a file."""
    try:
        return "FileData" not in json.dumps(json.loads(body or b"{}"))
    except ValueError:
        return False


def _replayed(body, receive):
    """A `receive` that yields a body that has been read already, and after it what comes."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay():
        return messages.pop() if messages else await receive()

    return replay


async def _refuse(send, status):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})
