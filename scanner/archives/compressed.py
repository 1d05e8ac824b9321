"""What is compressed as one stream: gzip, bzip2, xz and Zstandard."""

import bz2
import gzip as gz
import io
import lzma
from collections.abc import Callable, Iterator
from typing import IO, Any

from scanner.archives.reading import Read

Note = Callable[[str], None]
_MEMORY = 256 << 20  # for xz, whose header may ask for gigabytes


def gzip(raw: IO[bytes], note: Note) -> Iterator[tuple[str, Read]]:
    """Open gzip (RFC 1952)."""
    del note
    with gz.GzipFile(fileobj=raw) as stream:
        yield "", stream.read1


def bzip2(raw: IO[bytes], note: Note) -> Iterator[tuple[str, Read]]:
    """Open bzip2."""
    del note
    yield "", _by_parts(raw, bz2.BZ2Decompressor)


def xz(raw: IO[bytes], note: Note) -> Iterator[tuple[str, Read]]:
    """Open xz, or LZMA as it was before."""
    del note
    yield "", _by_parts(raw, lambda: lzma.LZMADecompressor(memlimit=_MEMORY))


def _by_parts(raw: IO[bytes], begin: Callable[[], Any]) -> Read:
    """Decompress streams that follow one another, giving what is there before one breaks."""
    decompressor = begin()

    def some(size: int) -> bytes:
        nonlocal decompressor
        while True:
            if decompressor.eof:
                rest = decompressor.unused_data.lstrip(b"\0") or raw.read(_PART).lstrip(b"\0")
                if not rest:
                    return b""
                decompressor = begin()
            else:
                rest = raw.read(_PART) if decompressor.needs_input else b""
                if not rest and decompressor.needs_input:
                    raise EOFError
            if got := decompressor.decompress(rest, size):
                return bytes(got)

    return some


_PART = 64 << 10


def zstd(raw: IO[bytes], note: Note) -> Iterator[tuple[str, Read]]:
    """Open Zstandard (RFC 8878)."""
    import zstandard  # noqa: PLC0415  (only where such an archive is met)

    del note
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
        raw, read_across_frames=True
    )
    yield "", io.BufferedReader(reader).read1
