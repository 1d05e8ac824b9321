"""Writes of one turn of the event loop leave together: a system call costs more than an answer.

uvicorn writes an answer's head and its body one after the other, and the event loop sends each at
once. Held back until the turn ends, they are one segment.
"""

import asyncio
from typing import Any

_ENOUGH = 64 * 1024
"""Bytes that do not wait: more would only fill memory, past the transport's flow control."""


class JoinedTransport:
    """A transport whose writes are joined; all else is the real one's.

    Args:
        transport: the real one.
        loop: on which it lives.
    """

    __slots__ = ("_held", "_loop", "_size", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send it at the end of this turn, or at once when it is much."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > _ENOUGH:
            self.flush()

    def write_now(self, data: bytes) -> None:
        """Send it behind what is held, without waiting: an answer that is whole."""
        self.flush()
        self._transport.write(data)

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
            self._held.clear()
            self._size = 0
            self._transport.write(data)

    def close(self) -> None:
        """Send what is held, and close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (whatever the real one has)
        return getattr(self._transport, name)
