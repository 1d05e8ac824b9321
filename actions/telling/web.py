"""One HTTP request to a configured address: bounded in time and size, and nowhere else.

No redirect is followed: it could lead anywhere, and to a machine inside.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Timer
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from vocabulary.errors import ConfigError, ServiceError

TIMEOUT_S = 10.0
"""From connecting to the end of the answer, whatever the receiver does meanwhile."""

_MOST_BYTES = 65_536
_GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; of a long body only the beginning."""

    status: int
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            return {}


class Site:
    """An address that is https, or http on this machine.

    Args:
        url: with or without a path.
        where: how the configuration calls it.
        timeout_s: for a whole attempt.

    Raises:
        ConfigError: for any other address.
    """

    def __init__(self, url: str, where: str, timeout_s: float = TIMEOUT_S) -> None:
        self._address = _checked(url, where)
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        """Return where it is, without what an address may carry beyond the host."""
        return f"{self._address.scheme}://{self._address.hostname}:{_port(self._address)}"

    def send(
        self, body: bytes, headers: Mapping[str, str], method: str = "POST", path: str = ""
    ) -> Answer:
        """Send a request and return the answer, if it was friendly.

        Args:
            body: as it is.
            headers: beside the ones that HTTP needs.
            method: of the request.
            path: put behind the path of the address.

        Raises:
            ServiceError: when it was not reached, or did not answer with 2xx.
            ConfigError: when it says that it is gone for good.
        """
        try:
            answer = self._ask(body, {"User-Agent": "keywatch", **headers}, method, path)
        except (OSError, http.client.HTTPException) as error:
            reason = type(error).__name__
            raise ServiceError(
                f"the receiver was not reached: {reason}", where=repr(self)
            ) from None
        if answer.status == _GONE:
            raise ConfigError("the receiver is gone for good (410)", where=repr(self))
        if not http.client.OK <= answer.status < http.client.MULTIPLE_CHOICES:
            raise ServiceError(f"the receiver answered {answer.status}", where=repr(self))
        return answer

    def _ask(self, body: bytes, headers: Mapping[str, str], method: str, path: str) -> Answer:
        address = self._address
        target = (address.path.rstrip("/") if path else address.path or "/") + path
        target += f"?{address.query}" if address.query else ""
        with closing(_connection(address, self._timeout_s)) as connection:
            connection.connect()
            # The timeout of a socket starts anew with every byte; the attempt's does not.
            guard = Timer(self._timeout_s, _cut, [connection.sock])
            guard.daemon = True
            guard.start()
            try:
                connection.request(method, target, body, dict(headers))
                answer = connection.getresponse()
                return Answer(answer.status, answer.read(_MOST_BYTES))
            finally:
                guard.cancel()


def _connection(address: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    host, port = address.hostname or "", _port(address)
    if address.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


def _port(address: SplitResult) -> int:
    return address.port or (80 if address.scheme == "http" else 443)


def _cut(open_socket: socket.socket) -> None:
    try:
        open_socket.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _checked(url: str, where: str) -> SplitResult:
    try:
        address = urlsplit(url)
        _port(address)
    except ValueError:
        raise ConfigError("`url` is no address", where=where, remedy="https://…") from None
    if address.scheme == "https" and address.hostname:
        return address
    if address.scheme == "http" and is_here(address.hostname or ""):
        return address
    raise ConfigError(
        "`url` must be https, or http on this machine", where=where, remedy="https://…"
    )


def is_here(host: str) -> bool:
    """Say whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
