"""HTTP/1.1 (uvicorn's) with an end to what one connection may take: heads, requests, answers, time.

uvicorn and llhttp leave open how long a head is and takes, parse all requests that arrive in one
read, however many wait already, and go on writing to who does not read.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.joined import JoinedTransport

MAX_HEAD_BYTES = 128 * 1024
"""Bytes of one request's line and headers; a longer one is cut off before it fills memory."""

KEEP_ALIVE_S = 75
"""Longer than nginx (60 s) and others keep theirs: who closes first must be the proxy, or it
sends a request into a connection that has just ended."""

_PIECE = 16 * 1024
"""Bytes that are parsed before the next look at what waits: a few hundred small requests."""

_MOST_WAITING = 16
"""Requests of one connection that wait for the answer to the one before."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection; what the client sends too early stays in its own buffers."""

    head_timeout_s = 10.0
    idle_timeout_s = float(KEEP_ALIVE_S)

    _joined: JoinedTransport
    _unread = b""
    _head_bytes = 0
    _head_since: float | None = None
    _in_head = True
    _moves = 0
    _seen = (-1, 0.0)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect the first head from now on."""
        self._joined = JoinedTransport(transport, self.loop)
        super().connection_made(self._joined)  # type: ignore[arg-type]
        self._head_since = self.loop.time()
        self.loop.call_later(self.head_timeout_s, self._check)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, as far as there is room for what comes of it."""
        self._moves += 1
        if self._unread or len(data) > _PIECE or self._is_full():
            self._unread += data
            self._go_on()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Count what arrives until the head is complete."""
        if self._in_head:
            if self._head_since is None:
                self._head_since = self.loop.time()
            self._head_bytes += len(data)
            # A piece may hold the end of a body and the beginning of the next head.
            if self._head_bytes > MAX_HEAD_BYTES + _PIECE:
                self._refuse(b"431 Request Header Fields Too Large")
                return
        HttpToolsProtocol.data_received(self, data)

    def on_headers_complete(self) -> None:
        """Stop counting: bodies have their own flow control."""
        self._in_head, self._head_bytes, self._head_since = False, 0, None
        HttpToolsProtocol.on_headers_complete(self)

    def on_message_complete(self) -> None:
        """Count again: what follows is the next request's head."""
        HttpToolsProtocol.on_message_complete(self)
        self._in_head = True

    def on_response_complete(self) -> None:
        """Begin the next request that waits, and parse what had no room.

        Who asks nothing more is `_check`'s affair: a timer for each answer costs more than a look
        now and then.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self._unread:
            self._go_on()

    def resume_writing(self) -> None:
        """Go on: the client has taken its answers."""
        self._moves += 1
        super().resume_writing()
        if self._unread:
            self._go_on()

    def _is_full(self) -> bool:
        return self.flow.write_paused or len(self.pipeline) >= _MOST_WAITING

    def _go_on(self) -> None:
        """Parse piece by piece what was put aside; read nothing more while any is left."""
        while self._unread and not self._is_full() and not self.transport.is_closing():
            piece, self._unread = self._unread[:_PIECE], self._unread[_PIECE:]
            self._parse(piece)
        if self._unread:
            self._joined.hold()
        else:
            self._joined.release()

    def _check(self) -> None:
        """Cut off who sends a head byte by byte, nothing at all, or takes no answer."""
        if self.transport.is_closing():
            return
        now, since = self.loop.time(), self._head_since
        if since is not None and not self._unread and now - since >= self.head_timeout_s:
            self._refuse(b"408 Request Timeout")
        elif self._is_idle() and self._is_still(now):
            self._joined.abort()
        else:
            self.loop.call_later(self.head_timeout_s, self._check)

    def _is_idle(self) -> bool:
        """Whether it is the client's turn: to ask, or to take its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        return self.flow.write_paused or cycle is None or cycle.response_complete

    def _is_still(self, now: float) -> bool:
        """Whether nothing came or went for so long that nothing more is to be expected."""
        moves, since = self._seen
        if moves != self._moves:
            self._seen = self._moves, now
            return False
        return now - since >= self.idle_timeout_s

    def _refuse(self, status: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        self.transport.close()
