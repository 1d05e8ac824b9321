"""Syslog (RFC 5424) with ArcSight's Common Event Format, by UDP, TCP or TLS.

ArcSight, "Implementing ArcSight Common Event Format", version 26. Over TCP and TLS messages are
counted in octets (RFC 6587, RFC 5425), so that nothing in one can end it.
"""

import socket
import ssl
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from actions.telling.escape import cef_header, cef_value
from actions.telling.facts import facts
from actions.telling.web import TIMEOUT_S
from actions.telling.words import writer_of
from vocabulary.errors import ConfigError, ServiceError
from vocabulary.moments import moment_of

_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
_SEVERITY = {"low": "3", "medium": "5", "high": "8", "critical": "10"}
_NOTICE, _WARNING, _AUTH = 5, 4, 10
_DATAGRAM = 8192


def make(options: Mapping[str, Any]) -> "Syslog":
    """Return the notifier of a `url`: udp://, tcp:// or tls:// host and port.

    Raises:
        ConfigError: when it is none of these.
    """
    return Syslog(options)


class Syslog:
    """Sends to one collector."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._address = urlsplit(options.get("url", ""))
        where = f"notify.{options.get('name', '')}"
        if self._address.scheme not in _PORTS or not self._address.hostname:
            raise ConfigError(
                "`url` names no collector", where=where, remedy="udp://, tcp:// or tls://host:port"
            )
        writer_of(options)

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Send the message.

        Raises:
            ServiceError: when it could not be sent; by UDP nobody knows.
        """
        del now
        line = record(message, idempotency_key).encode()
        try:
            self._send(line)
        except OSError as error:
            reason = type(error).__name__
            raise ServiceError(
                f"the collector was not reached: {reason}", where=self._address.netloc
            ) from None

    def _send(self, line: bytes) -> None:
        scheme = self._address.scheme
        host = self._address.hostname or ""
        port = self._address.port or _PORTS[scheme]
        if scheme == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind, protocol) as datagrams:
                datagrams.sendto(line[:_DATAGRAM], address)
            return
        with socket.create_connection((host, port), TIMEOUT_S) as plain:
            counted = b"%d %b" % (len(line), line)
            if scheme == "tcp":
                plain.sendall(counted)
                return
            context = ssl.create_default_context()
            with context.wrap_socket(plain, server_hostname=host) as secured:
                secured.sendall(counted)


def record(message: Mapping[str, Any], idempotency_key: str) -> str:
    """Return the line: a syslog header and a CEF event."""
    said = facts(message)
    urgent = said.get("severity") in {"high", "critical"}
    priority = _AUTH * 8 + (_WARNING if urgent else _NOTICE)
    header = f"<{priority}>1 {said['time'] or '-'} - keywatch - {idempotency_key[:32]} -"
    return f"{header} {cef(message, idempotency_key)}"


def cef(message: Mapping[str, Any], idempotency_key: str) -> str:
    """Return the CEF event."""
    said = facts(message)
    severity = _SEVERITY.get(said.get("severity", ""), "3")
    names = (
        "CEF:0", "keywatch", "keywatch", version("keywatch"), str(message.get("type", "")),
        said["what"], severity,
    )  # fmt: skip
    at_ms = round(moment_of(said["time"], 0.0) * 1000) if said["time"] else ""
    values = {
        "rt": str(at_ms),
        "externalId": idempotency_key,
        "suser": said.get("owner", ""),
        "duid": said.get("key", ""),
        "src": said.get("ip", ""),
        "act": said.get("action", ""),
        "outcome": said.get("done", ""),
        "reason": said.get("evidence", ""),
        "msg": said.get("summary", ""),
        "cs1Label": "incident" if said.get("incident") else "",
        "cs1": said.get("incident", ""),
        "cs2Label": "environment" if said.get("environment") else "",
        "cs2": said.get("environment", ""),
    }
    pairs = " ".join(f"{name}={cef_value(value)}" for name, value in values.items() if value)
    return "|".join([*(cef_header(name) for name in names), pairs])
