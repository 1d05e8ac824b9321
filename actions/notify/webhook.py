"""A signed POST to an address, as Standard Webhooks 1.0 asks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import ip_address
from threading import Timer
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec
from standardwebhooks import Webhook as Signer

from vocabulary.errors import ConfigError, ServiceError

TIMEOUT_S = 10.0
"""From connecting to the answer's status line, whatever the receiver does meanwhile."""

_GONE = 410
_SHORTEST_SECRET = 24


def make(options: Mapping[str, Any]) -> "Webhook":
    """Return the notifier of a configured `url` and `secret`."""
    return Webhook(options["url"], options["secret"], where=f"notify.{options['name']}")


class Webhook:
    """Posts messages to one receiver.

    Args:
        url: https, or http on this machine.
        secret: `whsec_` and base64 of 24 bytes or more.
        where: how the configuration calls it.
        timeout_s: for a whole attempt.
    """

    def __init__(
        self, url: str, secret: str, where: str = "webhook", timeout_s: float = TIMEOUT_S
    ) -> None:
        self._address = _checked(url, where)
        self._signer = _signer(secret, where)
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        """Return where it posts to, without what an address may carry beyond the host."""
        return f"Webhook({self._place})"

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Post the message.

        Raises:
            ServiceError: when the receiver did not take it.
            ConfigError: when it says that it is gone for good.
        """
        body = msgspec.json.encode(message)
        moment = datetime.fromtimestamp(int(now), UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "keywatch",
            "webhook-id": idempotency_key,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": self._signer.sign(idempotency_key, moment, body.decode()),
        }
        try:
            status = self._post(body, headers)
        except (OSError, http.client.HTTPException) as error:
            reason = type(error).__name__
            raise ServiceError(
                f"the receiver was not reached: {reason}", where=self._place
            ) from None
        if status == _GONE:
            raise ConfigError("the receiver is gone for good (410)", where=self._place)
        # No redirect is followed: it could lead anywhere, and to a machine inside.
        if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
            raise ServiceError(f"the receiver answered {status}", where=self._place)

    @property
    def _place(self) -> str:
        return f"{self._address.scheme}://{self._address.hostname}:{_port(self._address)}"

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        address = self._address
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        with closing(_connection(address, self._timeout_s)) as connection:
            connection.connect()
            # The timeout of a socket starts anew with every byte; the attempt's does not.
            guard = Timer(self._timeout_s, _cut, [connection.sock])
            guard.daemon = True
            guard.start()
            try:
                connection.request("POST", target, body, dict(headers))
                return connection.getresponse().status
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
    if address.scheme == "http" and _is_here(address.hostname or ""):
        return address
    raise ConfigError(
        "a webhook is posted by https, or by http to this machine alone",
        where=where,
        remedy="write `url` as https://…",
    )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _signer(secret: str, where: str) -> Signer:
    problem = ConfigError(
        "`secret` is no signing secret of 24 bytes or more",
        where=where,
        remedy="make one: whsec_ and the output of `openssl rand -base64 32`",
    )
    try:
        raw = binascii.a2b_base64(secret.removeprefix("whsec_"))
    except (binascii.Error, ValueError):
        raise problem from None
    if len(raw) < _SHORTEST_SECRET:
        raise problem
    return Signer(raw)
