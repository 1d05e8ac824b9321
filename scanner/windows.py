"""A long text in overlapping windows, so that memory stays bounded whatever its size.

Every match of up to `WIDTH` bytes lies, with `MARGIN` bytes around it, in at least one window.
The margins say which of two overlapping windows reports it.
"""

from collections.abc import Callable, Iterator

import msgspec

WINDOW = 8 << 20
WIDTH = 16 << 10
MARGIN = 8 << 10
OVERLAP = WIDTH + 2 * MARGIN


class Window(msgspec.Struct, frozen=True):
    """A part of a text.

    Attributes:
        offset: bytes of the text before this window.
        line: line breaks before this window.
        opened: where the text is an archive, somebody opens it.
    """

    data: bytes
    offset: int
    line: int
    first: bool
    last: bool
    opened: bool = False


def windows(
    read: Callable[[int], bytes], size: int = WINDOW, *, opened: bool = False
) -> Iterator[Window]:
    """Cut what `read` gives into windows of `size` bytes.

    Args:
        read: number of bytes → at most as many; empty at the end. It may raise midway: what
            came before has been yielded only when a window was full, so pass a `read` that
            ends early instead.
        size: bytes of a window, more than twice `OVERLAP`.
        opened: see `Window`.
    """
    kept, offset, line = b"", 0, 0
    ahead = read(size)
    while True:
        data = _filled(kept + ahead, read, size)
        ahead = read(size - OVERLAP) if len(data) >= size else b""
        last = not ahead
        yield Window(data, offset, line, offset == 0, last, opened)
        if last:
            return
        step = len(data) - OVERLAP
        line += data.count(b"\n", 0, step)
        offset += step
        kept = data[step:]


def _filled(begun: bytes, read: Callable[[int], bytes], size: int) -> bytes:
    """Read on until there are `size` bytes, or no more."""
    if len(begun) >= size:
        return begun
    data = bytearray(begun)
    while len(data) < size and (more := read(size - len(data))):
        data += more
    return bytes(data)
