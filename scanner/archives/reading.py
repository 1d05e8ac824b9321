"""Reading from archives: streams that only go on, and what is wrong with them."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

_SPOOLED = 16 << 20

Read = Callable[[int], bytes]


class LimitError(Exception):
    """An archive asks for more than is given to one."""


class DamagedError(Exception):
    """An archive is not what its kind's format says; the message says how."""


class Stream(io.RawIOBase):
    """A stream that can only be read on, with what was read of it put back."""

    def __init__(self, head: bytes, read: Read) -> None:
        super().__init__()
        self._head, self._read = head, read

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes; nothing at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        if not self._head:
            return self._read(size)
        got, self._head = self._head[:size], self._head[size:]
        return got

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Read into a buffer."""
        got = self.read(len(buffer))
        buffer[: len(got)] = got
        return len(got)


@contextmanager
def gone_to_and_fro(raw: IO[bytes] | Stream) -> Iterator[IO[bytes]]:
    """Copy what is only a stream to where one can seek: memory, or a temporary file."""
    if raw.seekable():
        yield cast("IO[bytes]", raw)
        return
    import tempfile  # noqa: PLC0415  (slow to import, and most scans open no archive)

    with tempfile.SpooledTemporaryFile(_SPOOLED) as kept:
        while part := raw.read(1 << 20):
            kept.write(part)
        kept.seek(0)
        yield kept


def filled(read: Read, size: int) -> bytes:
    """Read so many bytes, or all there are."""
    parts, left = [], size
    while left and (part := read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def exactly(read: Read, size: int) -> bytes:
    """Read so many bytes.

    Raises:
        DamagedError: there are fewer.
    """
    got = filled(read, size)
    if len(got) < size:
        raise DamagedError("it ends too early")
    return got


def limited(read: Read, size: int) -> Read:
    """Return a read that ends after `size` bytes; it raises DamagedError where there are fewer."""
    left = size

    def some(wanted: int) -> bytes:
        nonlocal left
        if not left:
            return b""
        got = read(min(wanted, left))
        if not got:
            raise DamagedError("it ends too early")
        left -= len(got)
        return got

    return some


def broken() -> tuple[type[Exception], ...]:
    """Return what libraries raise over an archive that is not as it should be."""
    import lzma  # noqa: PLC0415  (loaded once an archive is met)
    import struct  # noqa: PLC0415
    import zipfile  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    from scanner import inflate  # noqa: PLC0415

    return (
        OSError, EOFError, ValueError, NotImplementedError, RuntimeError, MemoryError,
        OverflowError, LookupError, struct.error, DamagedError, zipfile.BadZipFile, zlib.error,
        lzma.LZMAError, *inflate.BROKEN, *_foreign(),
    )  # fmt: skip


def _foreign() -> tuple[type[Exception], ...]:
    """Return the errors of libraries that are loaded, and so could have raised one."""
    import sys  # noqa: PLC0415  (see above)

    found = [getattr(sys.modules.get("zstandard"), "ZstdError", None)]
    found.append(getattr(sys.modules.get("sqlite3"), "Error", None))
    return tuple(error for error in found if error is not None)
