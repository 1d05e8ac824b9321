"""A mail server that may be slow or talk without end: one time and one length for all of it.

`smtplib` begins its timeout anew with every byte, and takes lines of one reply without end.
"""

import smtplib
import socket
from contextlib import suppress
from threading import Timer
from typing import IO, Any

MOST_BYTES = 256 << 10
"""Of all that a server says; a talkative one says a few KB."""


class _Limited:
    """What a server says, up to so many bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, MOST_BYTES

    def readline(self, size: int = -1) -> bytes:
        """Return a line, or its beginning.

        Raises:
            OSError: when it has said too much.
        """
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("too long")
        return line

    def close(self) -> None:
        """Close what is read."""
        self._file.close()


class _Bounded(smtplib.SMTP):
    """Is cut off when its time is over; the argument `timeout` is that for a whole session."""

    _guard: Timer | None = None
    _is_over = False

    def connect(self, *args: Any, **options: Any) -> tuple[int, bytes]:  # noqa: ANN401  (smtplib's)
        """Connect, and let the time run."""
        self._guard = Timer(self.timeout, self._cut)
        self._guard.daemon = True
        self._guard.start()
        try:
            return super().connect(*args, **options)
        except BaseException:
            self.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply.

        Raises:
            OSError: when the time is over, or the server has said too much.
        """
        # A handshake has no socket that could be cut: it ends by its own timeout.
        if self._is_over:
            raise TimeoutError
        if self.file is None and self.sock is not None:
            self.file = _Limited(self.sock.makefile("rb"))
        return super().getreply()

    def close(self) -> None:
        """Close, and need no guard any more."""
        if self._guard is not None:
            self._guard.cancel()
        super().close()

    def _cut(self) -> None:
        self._is_over = True
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


class Server(_Bounded):
    """One that is spoken to in clear, until STARTTLS."""


class TlsServer(_Bounded, smtplib.SMTP_SSL):
    """One that is spoken to by TLS from the beginning."""
