"""Containers: what is compressed or packed is opened in memory, within limits.

A tar archive needs no opening: its members lie in it as they are, and are found by reading it
like any text. Only the name of the member that holds a finding is looked up.
"""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

from scanner.windows import Window, windows

MAX_DEPTH = 5
MAX_MEMBERS = 100_000
MAX_BYTES = 1 << 30
MAX_RATIO = 200
_FREE = 16 << 20  # no ratio is too high for so few bytes
TAR_MAGIC = 257
_BLOCK = 512


class LimitError(Exception):
    """An archive asks for more than is given to one."""


@dataclass(slots=True)
class Budget:
    """What one outermost archive may still unfold to.

    Attributes:
        packed: bytes of the outermost archive.
        used: bytes that it has unfolded to.
        notes: what was left out, and why.
    """

    packed: int
    used: int = 0
    members: int = MAX_MEMBERS
    notes: list[str] = field(default_factory=list)

    def take(self, size: int) -> None:
        """Count unfolded bytes.

        Raises:
            LimitError: there is too much of it.
        """
        self.used += size
        if self.used > MAX_BYTES:
            raise LimitError(f"unfolds to more than {MAX_BYTES >> 20} MiB")
        if self.used > max(_FREE, self.packed * MAX_RATIO):
            raise LimitError(f"unfolds more than {MAX_RATIO}-fold")

    def member(self) -> None:
        """Count a member.

        Raises:
            LimitError: there are too many.
        """
        self.members -= 1
        if self.members < 0:
            raise LimitError(f"holds more than {MAX_MEMBERS} members")


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of archive.

    Attributes:
        magic: pattern for hyperscan.
        at: where in the archive the magic ends.
        open: the archive, what may be used → names of members and streams of them.
    """

    name: str
    magic: str
    at: int
    open: Callable[[IO[bytes], Budget], Iterator[tuple[str, IO[bytes]]]]


def members(container: Container, raw: IO[bytes], budget: Budget) -> Iterator[tuple[str, Window]]:
    """Yield every member of an archive in windows.

    What cannot be read, and what goes beyond the limits, is said in `budget.notes`.
    """
    try:
        for name, stream in container.open(raw, budget):
            for window in windows(_counted(stream, name, budget)):
                yield name, window
    except LimitError as error:
        budget.notes.append(f"{container.name} archive {error}")
    except _BROKEN as error:
        budget.notes.append(f"{container.name} archive is damaged: {_said(error)}")


_BROKEN = (
    OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


def _said(error: Exception) -> str:
    """Name a library's error without repeating what it read."""
    return {"EOFError": "it ends too early", "BadZipFile": "not a whole zip archive"}.get(
        type(error).__name__, type(error).__name__
    )


def _counted(stream: IO[bytes], name: str, budget: Budget) -> Callable[[int], bytes]:
    """Read within the budget; a stream that breaks ends there, and is noted."""
    ended = False
    some = getattr(stream, "read1", stream.read)  # gives what is there before it breaks

    def read(size: int) -> bytes:
        nonlocal ended
        if ended:
            return b""
        try:
            got: bytes = some(min(size, 1 << 20))
            budget.take(len(got))
        except LimitError as error:
            got, ended = b"", True
            budget.notes.append(f"{name or 'archive'} {error}")
            budget.members = 0  # nothing more of this archive
        except _BROKEN as error:
            got, ended = b"", True
            budget.notes.append(f"{name or 'archive'} is damaged: {_said(error)}")
        return got

    return read


def _zip(raw: IO[bytes], budget: Budget) -> Iterator[tuple[str, IO[bytes]]]:
    if _central_entries(raw) > MAX_MEMBERS:
        raise LimitError(f"holds more than {MAX_MEMBERS} members")
    with zipfile.ZipFile(raw) as archive:
        for entry in archive.infolist():
            budget.member()
            if entry.is_dir():
                continue
            if entry.flag_bits & 1:
                budget.notes.append(f"{entry.filename} is encrypted")
                continue
            try:
                stream = archive.open(entry)
            except _BROKEN as error:
                budget.notes.append(f"{entry.filename} is damaged: {_said(error)}")
                continue
            with stream:
                yield entry.filename, stream


def _central_entries(raw: IO[bytes]) -> int:
    """Count the entries of a zip archive before a library makes an object of each."""
    raw.seek(0)
    count, before = 0, b""
    while part := raw.read(1 << 20):
        count += (before + part).count(b"PK\x01\x02")
        before = part[-3:]
    raw.seek(0)
    return count


def _compressed(
    opened: Callable[[IO[bytes]], IO[bytes]],
) -> Callable[[IO[bytes], Budget], Iterator[tuple[str, IO[bytes]]]]:
    def one(raw: IO[bytes], budget: Budget) -> Iterator[tuple[str, IO[bytes]]]:
        budget.member()
        with opened(raw) as stream:
            yield "", stream

    return one


def _zstd(raw: IO[bytes]) -> IO[bytes]:
    import zstandard  # noqa: PLC0415  (only where such an archive is met)

    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
        raw, read_across_frames=True
    )
    return io.BufferedReader(reader)


CONTAINERS = (
    Container("zip", r"PK\x03\x04", 4, _zip),
    Container("gzip", r"\x1f\x8b\x08", 3, _compressed(lambda raw: gzip.GzipFile(fileobj=raw))),  # type: ignore[arg-type,return-value]
    Container("bzip2", r"BZh[1-9]1AY&SY", 10, _compressed(bz2.BZ2File)),
    Container("xz", r"\xfd7zXZ\x00", 6, _compressed(lzma.LZMAFile)),
    Container("zstd", r"\x28\xb5\x2f\xfd", 4, _compressed(_zstd)),
    Container("tar", r"ustar[\x00 ]", TAR_MAGIC + 6, lambda raw, budget: iter(())),  # noqa: ARG005
)


def tar_member(data: bytes | bytearray, start: int, header: int) -> tuple[str, int]:
    """Return name and size of the member whose tar header is at `header`.

    References:
        POSIX.1-1988 ustar: name 100 bytes, size at 124 in octal, prefix at 345.
    """
    block = bytes(data[header : header + _BLOCK])
    name = block[:100].split(b"\0", 1)[0]
    prefix = block[345:500].split(b"\0", 1)[0] if block[262:263] == b"\0" else b""
    if header - 2 * _BLOCK >= start and data[header - 2 * _BLOCK + 156] == ord("L"):
        name, prefix = bytes(data[header - _BLOCK : header]).split(b"\0", 1)[0], b""  # GNU
    digits = block[124:136].strip(b"\0 ")
    size = int(digits, 8) if digits.isdigit() and not set(digits) & set(b"89") else 0
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "replace"), size
