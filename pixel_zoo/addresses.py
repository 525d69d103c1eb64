"""Addresses of servers, as they may be shown."""

import re

# What stands before a user name: "https://", also with the usual typing errors, such as one slash or three.
_USER = re.compile(r"^([^/@]*:/+|/+)?[^/]*@")


def without_password(address: str) -> str:
    """An address as it may be shown: without a user name and password.

    Example:

    >>> without_password("https://anna:secret@example.org/models")
    'https://example.org/models'
    """
    return _USER.sub(r"\1", address)
