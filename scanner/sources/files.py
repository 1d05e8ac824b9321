# ruff: noqa: PTH118  (paths are bytes here, which pathlib does not take)
"""Files on disk: small ones many to a buffer, long ones in windows, archives opened.

No symbolic link is followed, and only regular files are read: a tree may be hostile.
"""

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from scanner.archives.kinds import HEAD, Container, kind_of
from scanner.batch import Batch, window_batch
from scanner.windows import windows

_BUFFER = 4 << 20
_SMALL = 1 << 20


class ReadFiles(msgspec.Struct):
    """What came of reading files.

    Attributes:
        files: read whole.
        size: their bytes.
        links: symbolic links, sockets and devices that were passed over.
        repositories: git's own directories, passed over likewise.
        problems: what could not be read, a sentence each.
    """

    files: int = 0
    size: int = 0
    links: int = 0
    repositories: int = 0
    problems: list[str] = msgspec.field(default_factory=list)
    tick: Callable[[int], None] = lambda _: None

    @property
    def counts(self) -> tuple[int, int, int, list[str]]:
        """What another process is told."""
        return self.files, self.size, self.links, self.problems

    def add(self, counts: tuple[int, int, int, list[str]]) -> None:
        """Take over what another process read."""
        count, size, links, problems = counts
        self.files += count
        self.size += size
        self.links += links
        self.problems += problems


class Packed(msgspec.Struct, frozen=True):
    """A long archive, to be opened where it lies; whoever gets it closes it."""

    kind: Container
    path: bytes
    raw: IO[bytes]


def walk(root: Path, read: ReadFiles) -> Iterator[bytes]:
    """Yield the files under a directory, relative to it, without git's own directories."""
    pending = [b""]
    base = os.fsencode(root)
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(os.path.join(base, folder)), key=lambda entry: entry.name)
        except OSError as error:
            read.problems.append(f"{os.fsdecode(folder) or root}: {error.strerror}")
            continue
        for entry in entries:
            path = folder + b"/" + entry.name if folder else entry.name  # on Windows as well
            if not entry.is_dir(follow_symlinks=False):
                yield path
            elif entry.name != b".git":
                pending.append(path)
            else:
                read.repositories += 1


def batches(root: Path, paths: Iterable[bytes], read: ReadFiles) -> Iterator[Batch | Packed]:
    """Read files.

    Args:
        root: what the paths are relative to.
        paths: names of the texts, and where they are.
        read: is filled in as files come.
    """
    buffer = bytearray(_BUFFER)
    used = 1
    starts: list[int] = []
    ends: list[int] = []
    names: list[bytes] = []
    buffer[0:1] = b"\n"
    base = os.fsencode(root)
    for path in paths:
        handle, size = _opened(os.path.join(base, path), path, read)
        if handle < 0:
            continue
        if size >= _SMALL:
            yield from _long(handle, path, read)
            continue
        if used + size + 2 > len(buffer):
            yield Batch(buffer, used, starts, ends, names)
            used, starts, ends, names = 1, [], [], []
        end = _read_into(buffer, used, handle, path, read)
        starts.append(used)
        ends.append(end)
        names.append(path)
        buffer[end : end + 1] = b"\n"
        used = end + 1
    if names:
        yield Batch(buffer, used, starts, ends, names)


def _opened(file: bytes, path: bytes, read: ReadFiles) -> tuple[int, int]:
    """Open a regular file; (-1, 0) for anything else."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_BINARY", 0)
    try:
        status = os.lstat(file)
        if not stat.S_ISREG(status.st_mode):
            read.links += 1
            return -1, 0
        handle = os.open(file, flags)
        status = os.fstat(handle)
    except OSError as error:
        read.problems.append(f"{os.fsdecode(path)}: {error.strerror}")
        return -1, 0
    if stat.S_ISREG(status.st_mode):
        return handle, status.st_size
    os.close(handle)
    return -1, 0


def _read_into(buffer: bytearray, at: int, handle: int, path: bytes, read: ReadFiles) -> int:
    """Read a small file to its end, or as far as the buffer goes; return where it ends."""
    end = at
    with memoryview(buffer) as view, open(handle, "rb", buffering=0) as stream:
        try:
            while end < len(buffer) - 1 and (got := stream.readinto(view[end:-1])):
                end += got
            read.files += 1
        except OSError as error:
            read.problems.append(f"{os.fsdecode(path)}: {error.strerror}")
    read.size += end - at
    read.tick(1)
    return end


def _long(handle: int, path: bytes, read: ReadFiles) -> Iterator[Batch | Packed]:
    with open(handle, "rb", buffering=0) as stream:
        reader = _Counting(stream, path, read)
        head = reader.read(HEAD)
        kind = kind_of(head)
        reader.forget()
        if kind:
            yield Packed(kind, path, io.BufferedReader(reader))  # type: ignore[type-var]
        else:
            for window in windows(reader.read):
                yield window_batch(window, path)
        read.files += 1
    read.tick(1)


class _Counting(io.RawIOBase):
    """A file that counts what is read of it for the first time, and ends where it breaks."""

    def __init__(self, stream: io.FileIO, path: bytes, read: ReadFiles) -> None:
        super().__init__()
        self._stream, self._path, self._read = stream, path, read
        self._counted = 0

    def forget(self) -> None:
        """Go back to the beginning, as if nothing had been read."""
        self._stream.seek(0)
        self._read.size -= self._counted
        self._counted = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be gone to and fro in."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._stream.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes."""
        try:
            got = self._stream.read(size) or b""
        except OSError as error:
            self._read.problems.append(f"{os.fsdecode(self._path)}: {error.strerror}")
            return b""
        at = self._stream.tell()
        self._read.size += max(0, at - max(self._counted, at - len(got)))
        self._counted = max(self._counted, at)
        return got

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Read into a buffer."""
        got = self.read(len(buffer))
        buffer[: len(got)] = got
        return len(got)
