"""RPM packages: the header, in which scripts stand, and the files.

Source: RPM documentation, "RPM V4 Package format".
"""

import io
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO

from scanner.archives import compressed
from scanner.archives.reading import DamagedError, Read, exactly

_LEAD = 96
_MAGIC = b"\x8e\xad\xe8\x01"
_HEADER = 64 << 20
_LZMA = b"]\0\0"


def members(raw: IO[bytes], note: Callable[[str], None]) -> Iterator[tuple[str, Read]]:
    """Open an RPM package."""
    exactly(raw.read, _LEAD)
    signature = _header(raw)
    exactly(raw.read, -len(signature) % 8)
    yield "(header)", io.BytesIO(_header(raw)).read
    head = exactly(raw.read, 16)
    rest = chain((head,), iter(lambda: raw.read(1 << 16), b""))
    payload: Read = lambda _: next(rest, b"")  # noqa: E731
    if head.startswith(_LZMA):  # as a format of its own it has no magic
        for _, read in compressed.xz(_Reader(payload), note):  # type: ignore[arg-type]
            yield "", read
    else:
        yield "", _measured(payload)


def _header(raw: IO[bytes]) -> bytes:
    intro = exactly(raw.read, 16)
    count, size = int.from_bytes(intro[8:12]), int.from_bytes(intro[12:16])
    if intro[:4] != _MAGIC or count * 16 + size > _HEADER:
        raise DamagedError("no header where one should be")
    return intro + exactly(raw.read, count * 16 + size)


def _measured(read: Read) -> Read:
    """Return a read that gives no more than is asked for."""
    kept = b""

    def some(size: int) -> bytes:
        nonlocal kept
        kept = kept or read(size)
        got, kept = kept[:size], kept[size:]
        return got

    return some


class _Reader:
    """A read as a stream."""

    def __init__(self, read: Read) -> None:
        self.read = read
