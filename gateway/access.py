"""One request and its answer, and how it is written: a line of nginx-json, or an `AccessEvent`."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from vocabulary.access import AccessEvent


class Access(msgspec.Struct, frozen=True, gc=False):
    """One request and its answer.

    Attributes:
        at: epoch seconds at which it came.
        ip: the client's address.
        target: path and query, keys in the query already replaced.
        version: HTTP version such as 1.1.
        size: bytes of the answer's body.
        agent: the User-Agent header.
        key_id: of the key that was shown, whether it was let in or not; empty when unknown.
        token: the name under which an unknown key is followed; empty for a known one.
        refusal: the code of the refusal; empty when it was let through.
        counted: whether it is counted already how much the key is used.
        is_given: whether a proxy told the request's id; else it is the gateway's own.
        credential: what logs call the key or JWT of somebody who was not identified: a hash, for
            nothing that a refused token claims is proven.
        tokens: AI tokens that the answer cost.
    """

    at: float
    ip: str
    method: str
    target: bytes
    version: str
    status: int
    size: int
    agent: bytes
    request_id: str
    key_id: str
    token: str = ""
    refusal: str = ""
    credential: str = ""
    counted: bool = False
    is_given: bool = False
    tokens: int = 0


Sink = Callable[[Access], None]
"""Where accesses go; must neither wait nor fail."""


class _Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    time_iso8601: str
    remote_addr: str
    request: str
    status: int
    body_bytes_sent: int
    http_user_agent: str
    request_id: str
    api_key_id: str
    refusal: str = ""
    credential: str = ""
    counted: bool = False
    tokens: int = 0


class _CountedEvent(AccessEvent, frozen=True):
    counted: bool = True


Form = Callable[[Access], msgspec.Struct]
"""What is written of an access, as JSON."""

_encode = msgspec.json.encode


@lru_cache(maxsize=16)
def _time(millis: int) -> str:
    """Return epoch milliseconds as RFC 3339."""
    return f"{_second(millis // 1000)}.{millis % 1000:03d}+00:00"


@lru_cache(maxsize=16)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def as_line(access: Access) -> msgspec.Struct:
    """Return the access as a line of nginx-json holds it."""
    target = access.target.decode("latin-1")
    return _Line(
        _time(int(access.at * 1000)),
        access.ip,
        f"{access.method} {target} HTTP/{access.version}",
        access.status,
        access.size,
        access.agent.decode("latin-1"),
        access.request_id,
        access.key_id,
        access.refusal,
        access.credential,
        access.counted,
        access.tokens,
    )


def as_event(access: Access) -> msgspec.Struct:
    """Return the access as an `AccessEvent`, which `keywatch watch` takes as it is."""
    path = access.target.partition(b"?")[0].decode("latin-1")
    kind = _CountedEvent if access.counted else AccessEvent
    return kind(
        ts_ms=int(access.at * 1000),
        key=access.key_id or access.token,
        ip=access.ip,
        method=access.method,
        path=path,
        status=access.status,
        size=access.size,
        agent=access.agent.decode("latin-1"),
        request_id=access.request_id,
        tokens=access.tokens,
    )


def line_of(access: Access) -> bytes:
    """Return the access as one JSON object, without a line feed; see `as_line`."""
    return _encode(as_line(access))


def event_of(access: Access) -> bytes:
    """Return the access as one JSON object, without a line feed; see `as_event`."""
    return _encode(as_event(access))


def both(one: Sink, other: Sink) -> Sink:
    """Return the sink that tells two others."""

    def sink(access: Access) -> None:
        one(access)
        other(access)

    return sink
