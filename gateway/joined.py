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

    __slots__ = ("_held", "_is_held", "_is_reading", "_loop", "_size", "_transport", "_wanted")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []
        self._size = 0
        self._wanted = self._is_reading = True
        self._is_held = False

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`."""
        self._wanted = False
        self._read_on()

    def resume_reading(self) -> None:
        """Read on, unless it is held."""
        self._wanted = True
        self._read_on()

    def hold(self) -> None:
        """Read no more until `release`, whatever `resume_reading` says meanwhile."""
        self._is_held = True
        self._read_on()

    def release(self) -> None:
        """End what `hold` began."""
        self._is_held = False
        self._read_on()

    def _read_on(self) -> None:
        wanted = self._wanted and not self._is_held
        if wanted == self._is_reading:
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def write(self, data: bytes) -> None:
        """Send it at the end of this turn, or at once when it is much."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > _ENOUGH:
            self.flush()

    def keep(self, data: bytes) -> None:
        """Hold it for a `flush` that whoever calls this makes in this turn."""
        self._held.append(data)
        self._size += len(data)
        if self._size > _ENOUGH:
            self.flush()

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
