"""Answers that need no waiting are written as soon as the request is there.

A task, a scope and three messages for each request cost a server in Python several times what
the judgement does. The protocol asks a function first; what that does not answer goes the usual
way through ASGI.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from gateway.bounded import BoundedProtocol
from gateway.extract import Header

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

Instant = Callable[[str, bytes, bytes, list[Header]], bytes | None]
"""Peer's address, method, target and headers → the whole answer; None when it must be awaited."""

_FRAMING = frozenset(
    {b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"connection", b"trailer"}
)


class InstantProtocol(BoundedProtocol):
    """HTTP/1.1 that answers at once where it can; `instant` is set by `answering`."""

    instant: Instant

    _reply: bytes | None = None
    _is_framed = False

    def _parse(self, data: bytes) -> None:
        """Parse, and send what was answered at once: no later turn of the loop is needed for it."""
        super()._parse(data)
        self._joined.flush()

    def on_message_begin(self) -> None:
        """Begin a request; what only ASGI needs is made when ASGI needs it."""
        self.url, self.headers = b"", []
        self.expect_100_continue = self._is_framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        name = name.lower()
        if name in _FRAMING and not (name == b"content-length" and value == b"0"):
            self._is_framed = True
            super().on_header(name, value)
        else:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge, or leave it to ASGI: bodies, upgrades and requests that queue are not ours."""
        cycle: RequestResponseCycle | None = self.cycle
        if not self._is_framed and (cycle is None or cycle.response_complete):
            peer = self.client[0] if self.client else ""
            if self.parser.should_keep_alive():
                method = self.parser.get_method()
                self._reply = self.instant(peer, method, self.url, self.headers)
        if self._reply is None:
            self._hand_over()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Write the answer."""
        if self._reply is None:
            super().on_message_complete()
            return
        self._joined.keep(self._reply)
        self._reply = None
        self.server_state.total_requests += 1
        # The head is complete, and the next one begins.
        self._in_head, self._head_bytes, self._head_since = True, 0, None

    def _hand_over(self) -> None:
        """Give ASGI what it would have had from the beginning."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)


def answering(instant: Instant) -> type[InstantProtocol]:
    """Return the protocol that asks `instant` first."""
    return type("AnsweringProtocol", (InstantProtocol,), {"instant": staticmethod(instant)})


def written(status: int, headers: Sequence[Header], body: bytes) -> bytes:
    """Return an answer as HTTP/1.1; `headers` say how long the body is."""
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join((_STATUS_LINES[status], *lines, b"\r\n", body))


_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode("ascii"))
    for status in HTTPStatus
}
