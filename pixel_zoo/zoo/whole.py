"""The check of a file against its hash in the index."""

import hashlib


def is_whole(path, sha256):
    """Whether there is a file at `path`, a `pathlib.Path`, with this SHA-256 in hexadecimal.

    Example:

    >>> import pathlib
    >>> is_whole(pathlib.Path("no_such_file"), "0")
    False
    """
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
