"""An HTTPS client that can do little: listed hosts, public addresses, one request, no redirect.

What is found may have been planted to make a scanner send it somewhere, or to reach services that
only this machine can reach (server-side request forgery). So the host is never taken from what was
scanned; a name that leads to an address within a network is refused, and the connection goes
to the very address that was looked at.

Source: OWASP, "Server-Side Request Forgery Prevention Cheat Sheet".
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer

TIMEOUT_S = 10.0
WHOLE_S = 30.0
_BODY = 64 << 10
_TRANSLATED = [
    ipaddress.ip_network(name)
    for name in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]
Resolve = Callable[[str], list[str]]


class RefusedError(Exception):
    """A request that this client does not make; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said: a status and the beginning of the body."""

    status: int
    body: bytes


def resolved(host: str) -> list[str]:
    """Return the addresses of a host.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet, in no translation of another."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast


class Client:
    """Asks listed hosts.

    Args:
        hosts: that may be asked.
        resolve: host → addresses.
        context: for TLS; the certificate must be one for the host.
        timeout_s: for connecting, and for each wait for bytes.
        whole_s: for all of a request, however busily its answer comes, byte for byte.
        port: 443, but in tests.
        permitted: says whether an address may be connected to.
    """

    def __init__(
        self,
        hosts: frozenset[str],
        *,
        resolve: Resolve = resolved,
        context: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
        whole_s: float = WHOLE_S,
        port: int = 443,
        permitted: Callable[[str], bool] = is_public,
    ) -> None:
        self._hosts, self._resolve, self._port = hosts, resolve, port
        self._context = context or ssl.create_default_context()
        self._timeout_s, self._whole_s, self._permitted = timeout_s, whole_s, permitted

    def ask(self, method: str, host: str, path: str, headers: Mapping[str, str]) -> Answer:
        """Make one request without a body; a redirect is an answer like any other.

        Raises:
            RefusedError: the host is not listed, or leads into a network that is not public.
            OSError: it cannot be reached, or shows no valid certificate.
            http.client.HTTPException: it speaks no HTTP.
        """
        if host not in self._hosts:
            raise RefusedError(f"{host} is not on the list of providers")
        addresses = self._resolve(host)
        if not addresses or not all(map(self._permitted, addresses)):
            raise RefusedError(f"{host} leads to an address that is not public")
        connection = _Pinned(host, addresses[0], self._port, self._context, self._timeout_s)
        limit = Timer(self._whole_s, connection.cut)
        limit.daemon = True
        limit.start()
        try:
            connection.request(method, path, headers={"User-Agent": "keywatch", **headers})
            answer = connection.getresponse()
            body = answer.read(_BODY)
        finally:
            limit.cancel()
            connection.end()
        if connection.is_cut:
            raise TimeoutError
        return Answer(answer.status, body)


class _Pinned(http.client.HTTPSConnection):
    """A connection to an address that was looked at, with the certificate of the host's name.

    The environment's proxies are not asked: they would resolve the name anew.
    """

    def __init__(
        self, host: str, address: str, port: int, context: ssl.SSLContext, timeout_s: float
    ) -> None:
        super().__init__(host, port, timeout=timeout_s, context=context)
        self._address, self._tls = address, context
        self._line: socket.socket | None = None
        self.is_cut = False

    def connect(self) -> None:
        """Connect."""
        raw = socket.create_connection((self._address, self.port), self.timeout)
        self._line = raw.dup()  # what is wrapped for TLS lets go of its own
        try:
            self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise

    def cut(self) -> None:
        """End whatever is still sent or awaited."""
        self.is_cut = True
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Close the connection."""
        self.close()
        if self._line is not None:
            self._line.close()
