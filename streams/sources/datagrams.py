"""Packets that come by UDP: room for a burst of them, and a count of those that were lost.

What comes while nobody reads waits in the system's buffer; what finds no room there is dropped, and
neither side hears of it. Linux counts these for each socket (SO_RXQ_OVFL).

https://man7.org/linux/man-pages/man7/socket.7.html
"""

import contextlib
import socket
import struct
import sys

_BUFFER = 8 << 20
"""Bytes that are asked for; the system gives what it allows (net.core.rmem_max)."""

_LARGEST = 64 * 1024
_COUNT = struct.Struct("@I")
_LOST = 40 if sys.platform == "linux" else 0
"""SO_RXQ_OVFL, for which Python has no name."""


def prepare(listener: socket.socket) -> None:
    """Ask for room and for the count; a system that has neither does without."""
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    if _LOST:
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _LOST, 1)


def received(listener: socket.socket) -> tuple[bytes, int]:
    """Return a packet, and how many were dropped before it since the socket was made.

    Raises:
        OSError: when none is there.
    """
    if not _LOST:
        return listener.recv(_LARGEST), 0
    packet, notes, _, _ = listener.recvmsg(_LARGEST, socket.CMSG_SPACE(_COUNT.size))
    for level, kind, said in notes:
        if (level, kind) == (socket.SOL_SOCKET, _LOST) and len(said) == _COUNT.size:
            return packet, int(_COUNT.unpack(said)[0])
    return packet, 0
