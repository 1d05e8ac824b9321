"""One HTTP request to a service that an operator named: bounded, and never redirected."""

import http.client
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing, suppress
from ipaddress import ip_address
from threading import Timer
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from vocabulary.errors import ConfigError, ServiceError

TIMEOUT_S = 10.0
MOST_BYTES = 1 << 20


class Answer(msgspec.Struct, frozen=True):
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return http.client.OK <= self.status < http.client.MULTIPLE_CHOICES


class Site:
    """A service at a URL.

    Args:
        url: https, or http to this machine; what is asked for is put behind it.
        where: how the configuration calls it.
        plain_http: whether http may leave this machine.
        headers: sent with every request; they may be secret and are never shown.
        timeout_s: for a whole request.
        most_bytes: longest answer that is read.
        cut: of a longer answer the beginning is enough; else it is none.
    """

    def __init__(
        self,
        url: str,
        where: str,
        *,
        plain_http: bool = False,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        most_bytes: int = MOST_BYTES,
        cut: bool = False,
    ) -> None:
        self._address = checked_url(url, where, plain_http=plain_http)
        self._headers = {"User-Agent": "keywatch", **(headers or {})}
        self._timeout_s, self._most_bytes, self._cut = timeout_s, most_bytes, cut
        for name, value in self._headers.items():
            if not f"{name}{value}".isprintable():
                raise ConfigError(f"the header {name!r} cannot be sent", where=where)

    def __repr__(self) -> str:
        """Return where it is, without path, query and headers."""
        return f"Site({self.place})"

    @property
    def place(self) -> str:
        """Scheme, host and port: what may be shown."""
        return f"{self._address.scheme}://{self._address.hostname}:{_port(self._address)}"

    def ask(
        self,
        method: str,
        path: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        Args:
            method: such as POST.
            path: goes behind the URL's own; see `segment`.
            body: what is sent.
            headers: beside those of the site.

        Raises:
            ServiceError: when there was no answer, or it was too long.
        """
        try:
            with closing(self._connection()) as connection:
                return self._asked(connection, method, path, body, headers or {})
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServiceError(
                f"no answer: {type(error).__name__}",
                where=self.place,
                remedy="see that it runs and can be reached",
            ) from None

    def _asked(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        connection.connect()
        # A socket's timeout begins anew with every byte; this one does not.
        guard = Timer(self._timeout_s, _cut, [connection.sock])
        guard.daemon = True
        guard.start()
        try:
            address = self._address
            query = f"?{address.query}" if address.query else ""
            target = f"{address.path.rstrip('/') if path else address.path or '/'}{path}{query}"
            connection.request(method, target, body or None, {**self._headers, **headers})
            response = connection.getresponse()
            read = response.read(self._most_bytes + 1)
        finally:
            guard.cancel()
        if len(read) > self._most_bytes and not self._cut:
            raise ServiceError(
                f"the answer is longer than {self._most_bytes:,} bytes", where=self.place
            )
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, read[: self._most_bytes])

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", _port(self._address)
        if self._address.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        trusted = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=trusted)


def segment(text: str) -> str:
    """Return the text as one segment of a path."""
    return "/" + quote(text, safe="")


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of HTTP Basic as RFC 6749, 2.3.1 wants it: both form-encoded."""
    pair = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}


def checked_url(url: str, where: str, *, plain_http: bool = False) -> SplitResult:
    """Return the parts of a URL that may be asked.

    Raises:
        ConfigError: when it is none, has a password in it, or would send secrets in clear.
    """
    try:
        address = urlsplit(url)
        _port(address)
    except ValueError:
        raise ConfigError("this is no address", where=where, remedy="https://…") from None
    if address.username or address.password or not address.hostname or not url.isprintable():
        raise ConfigError("this address cannot be used", where=where, remedy="https://host/…")
    if address.scheme == "https":
        return address
    if address.scheme == "http" and (plain_http or is_here(address.hostname)):
        return address
    raise ConfigError(
        "credentials are sent by https, or by http to this machine alone",
        where=where,
        remedy="write it as https://…",
    )


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _port(address: SplitResult) -> int:
    return address.port or (80 if address.scheme == "http" else 443)


def _cut(open_socket: socket.socket) -> None:
    with suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
