"""Where a served model is, and how it is reached."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping

from pixel_zoo.addresses import without_password
from pixel_zoo.checks import positive_integer

_GRPC = re.compile(r"(?:grpcs?://)?([^\s/@?#]+:(\d+))")
_REST = re.compile(r"https?://(?:\[[^\s/@?#\]]+\]|[^\s/@?#:]+)(?::(\d+))?(?:/[^\s?#]*)?")  # "[...]" is an IPv6 address
_HEADER_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclasses.dataclass(frozen=True)
class Connection:
    """The address of a served model, and what a server wants to see before it answers.

    Args:
        server: "host:port" or "grpc://host:port" for gRPC, "grpcs://host:port" for gRPC with TLS, "http://host:port" or
            "https://host:port/path" for REST.
        model: str, the name that the model is served by.
        version: int, or str for a label such as "stable", or None for the latest.
        headers: HTTP headers, and the same as gRPC metadata, which every request carries.
        root_certificates: path of a PEM file of the authorities that a server's certificate is checked against, or
            None for the usual ones.
        client_certificate: paths of PEM files of the client's certificate chain and its private key, or None.

    Raises:
        ValueError, TypeError, FileNotFoundError: if an argument is wrong, naming it.

    Example:
    >>> Connection("grpcs://pixels.example:443", "digits", "stable").target
    'pixels.example:443'
    """

    server: str
    model: str
    version: int | str | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)  # they may hold passwords
    root_certificates: str | os.PathLike[str] | None = None
    client_certificate: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None

    def __post_init__(self) -> None:
        _check_address(self.server)
        if not isinstance(self.model, str) or not self.model:
            raise ValueError(f"model must be the name that a model is served by, got {self.model!r}")
        _check_version(self.version)
        _check_headers(self.headers)
        if self.root_certificates is not None:
            self._check_file("root_certificates", self.root_certificates)
        if self.client_certificate is not None:
            if not isinstance(self.client_certificate, tuple) or len(self.client_certificate) != 2:
                raise TypeError(
                    "client_certificate must be a pair of paths, of the certificate chain and of the private key, got "
                    f"{self.client_certificate!r}"
                )
            for path in self.client_certificate:
                self._check_file("client_certificate", path)

    @property
    def is_rest(self) -> bool:
        """Whether the server is asked by REST, else by gRPC."""
        return self.server.startswith("http")

    @property
    def has_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.server.startswith(("https://", "grpcs://"))

    @property
    def target(self) -> str:
        """The "host:port" of a gRPC server."""
        return self.server.rpartition("/")[2]

    def _check_file(self, argument: str, path: str | os.PathLike[str]) -> None:
        if not self.has_tls:
            raise ValueError(f"{argument}: {self.server!r} has no TLS; write grpcs:// or https:// before its name")
        if not pathlib.Path(path).is_file():
            raise FileNotFoundError(f"{argument}: there is no file {str(path)!r}")


def _check_address(server: object) -> None:
    """Raise unless `server` has the form of an address, and its port can exist; no message shows a password."""
    if isinstance(server, str) and without_password(server) != server:
        raise ValueError(
            f"server must hold no user name or password, got them with {without_password(server)!r}: pass them in "
            "headers, as {'Authorization': 'Basic ...'}"
        )
    match = isinstance(server, str) and (_GRPC.fullmatch(server) or _REST.fullmatch(server))
    port = match and match[match.re.groups]
    if not match or (port and not 0 < int(port) < 2**16):
        shown = server.rpartition("@")[2] if isinstance(server, str) else server  # a password may hold a slash
        raise ValueError(
            f"server must be 'host:port' for gRPC or 'http://host:port' for REST, got {shown!r}; with TLS, "
            "'grpcs://host:port' or 'https://host:port'"
        )


def _check_version(version: object) -> None:
    if isinstance(version, str):
        if not version or version.isdecimal():
            raise ValueError(f"version must be an integer, or a label such as 'stable', got {version!r}")
    elif version is not None:
        positive_integer("version", version)


def _check_headers(headers: object) -> None:
    """Raise unless the headers can be sent; no message shows a value."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a dictionary, got a {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"headers: a name must be letters, digits, '-', '_' and '.', got {name!r}")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"headers: the value of {name!r} must be a string of printable ASCII characters")
