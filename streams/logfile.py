"""One log file, plain or gzip, read from any offset of its uncompressed bytes."""

import io
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from streams.members import Members
from vocabulary.errors import TargetError

BLOCK = 256 * 1024
BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
_UNREADABLE = {
    GZIP: "zcat",
    b"BZh": "bzcat",
    b"\xfd7zXZ": "xzcat",
    b"\x28\xb5\x2f\xfd": "zstdcat",
    b"PK\x03\x04": "unzip -p",
    b"\xff\xfe": "iconv -f UTF-16",
    b"\xfe\xff": "iconv -f UTF-16",
}
_LOOKED_AT = 8192
_CONTROL = bytes({*range(32), 127} - set(b"\t\n\r\x1b"))
_FEW = 4
"""Control bytes that any log may hold, where a client or a crash put them."""
_BINARY_SHARE = 0.05
_ZEROED = re.compile(rb"\0{64,}")
"""What a crash leaves of a block that was never written."""


class LogFile(Protocol):
    """An open file; `inode`, `size` and `mtime_ns` are those of the file as it is stored."""

    path: Path
    compressed: bool

    def status(self) -> os.stat_result:
        """Return what the file system says of the open file."""
        ...

    def seek(self, offset: int) -> None:
        """Go on reading at this offset of the uncompressed bytes."""
        ...

    def read(self) -> bytes:
        """Return some bytes, none at the end for now: more may be appended.

        Raises:
            TargetError: when a compressed file is damaged.
        """
        ...

    def check_end(self) -> None:
        """Say that nothing more will come.

        Raises:
            TargetError: when a compressed file is cut off there.
        """
        ...

    def shrunk(self, offset: int) -> bool:
        """Say whether the file is shorter than it was when it was read up to this offset."""
        ...

    def head(self, length: int) -> bytes:
        """Return the first bytes as they are now, wherever the reading is."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def open_log(path: Path) -> LogFile:
    """Open a log file.

    Raises:
        TargetError: when it cannot be read, or holds no lines of text.
    """
    file = _opened(path)
    try:
        _refuse_special(path, file)
        log: LogFile = GzipLog(path, file) if _is_gzip(path, file) else PlainLog(path, file)
        refuse_binary(path, log.head(_LOOKED_AT))
    except BaseException:
        file.close()
        raise
    return log


def refuse_binary(path: Path | str, head: bytes) -> None:
    """Refuse what holds no lines of text.

    A run of zero bytes at the start is let pass: it is what is left of a file that was truncated
    under a writer that did not append. A zero byte here and there makes dead letters of its lines;
    a file is binary when it is full of them and of other control bytes.

    Raises:
        TargetError: and what to do about it.
    """
    for magic, command in _UNREADABLE.items():
        if head.startswith(magic):
            remedy = f"pipe it through {command}, and name -"
            raise TargetError("not plain text", where=str(path), remedy=remedy)
    text = _ZEROED.sub(b"\0", head.lstrip(b"\0"))
    controls = len(text) - len(text.translate(None, _CONTROL))
    if b"\0" in text and controls > max(_FEW, _BINARY_SHARE * len(text)):
        raise TargetError("a binary file, no log", where=str(path), remedy="name a text log")


class PlainLog:
    """A file of text, which may grow while it is read."""

    compressed = False

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file

    def status(self) -> os.stat_result:
        """Return what the file system says of the open file."""
        return os.fstat(self._file.fileno())

    def seek(self, offset: int) -> None:
        """Go on reading at this offset."""
        self._file.seek(offset)

    def read(self) -> bytes:
        """Return some bytes, none at the end."""
        with _told(self.path):
            return self._file.read(BLOCK)

    def check_end(self) -> None:
        """Do nothing: it may end anywhere."""

    def shrunk(self, offset: int) -> bool:
        """Say whether it ends before the offset."""
        return self.status().st_size < offset

    def head(self, length: int) -> bytes:
        """Return the first bytes as they are now."""
        with _told(self.path):
            return _beginning(self._file, length)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class GzipLog:
    """A gzip file (RFC 1952) of one or more members; memory is bounded whatever it unpacks to.

    Members may be appended while it is read, as nginx does, and one that is not whole yet gives
    what can be unpacked of it.
    """

    compressed = True

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._restart()

    def status(self) -> os.stat_result:
        """Return what the file system says of the open file."""
        return os.fstat(self._file.fileno())

    def seek(self, offset: int) -> None:
        """Unpack from the start up to this offset."""
        self._restart()
        self._skip = offset

    def read(self) -> bytes:
        """Return some bytes, none at the end.

        Raises:
            TargetError: when the file is damaged; what was readable came before.
        """
        while True:
            block = self._members.read(BLOCK)
            if not block or self._skip < len(block):
                block, self._skip = block[self._skip :], 0 if block else self._skip
                return block
            self._skip -= len(block)

    def check_end(self) -> None:
        """Say that nothing more will come.

        Raises:
            TargetError: when its last member is cut off.
        """
        if not self._members.whole:
            raise self._members.broken("gzip data ends too early")

    def shrunk(self, offset: int) -> bool:
        """Say whether it is shorter than what was read of it."""
        del offset
        return self.status().st_size < self._members.at

    def head(self, length: int) -> bytes:
        """Return the first bytes, unpacked, of as many members as it takes."""
        if not length:
            return b""  # to zlib, none is no limit
        with _told(self.path):
            packed = io.BytesIO(_beginning(self._file, BLOCK))
        members, found = Members(self.path, packed.read), b""
        with suppress(TargetError):
            while len(found) < length and (block := members.read(length - len(found))):
                found += block
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _restart(self) -> None:
        self._file.seek(0)
        self._members = Members(self.path, self._more)
        self._skip = 0

    def _more(self) -> bytes:
        with _told(self.path):
            return self._file.read(BLOCK)


class _told:  # noqa: N801  (reads as a word of the `with` statement)
    """Turns an error of the operating system into one for the user."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate the error, if there is one of the operating system."""
        if isinstance(error, OSError):
            raise TargetError(
                error.strerror or "unreadable", where=str(self._path), remedy="check the disk"
            ) from error


def _refuse_special(path: Path, file: BinaryIO) -> None:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise TargetError("not a regular file", where=str(path), remedy="pipe it in, and name -")


def _is_gzip(path: Path, file: BinaryIO) -> bool:
    """Say whether the file is packed; of one that was only just begun its name tells it."""
    begins = _beginning(file, len(GZIP))
    return begins == GZIP or (path.suffix == ".gz" and GZIP.startswith(begins))


def _beginning(file: BinaryIO, length: int) -> bytes:
    """Return the first bytes; what is read next stays what it was."""
    at = file.tell()
    try:
        file.seek(0)
        return file.read(length)
    finally:
        file.seek(at)


# Not blocking: a named pipe without a writer would hold us up for ever. Windows has no such flags,
# and without its own one it takes bytes for text.
_READING = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _READING |= getattr(os, _flag, 0)


def _opened(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, _READING)
    except FileNotFoundError as error:
        raise TargetError("no such file", where=str(path), remedy="check the path") from error
    except OSError as error:
        remedy = "give read access to it" if isinstance(error, PermissionError) else ""
        what = (error.strerror or "unreadable").lower()
        raise TargetError(what, where=str(path), remedy=remedy) from error
    try:
        return os.fdopen(descriptor, "rb", buffering=0)
    except OSError as error:  # a folder
        os.close(descriptor)
        what = (error.strerror or "unreadable").lower()
        raise TargetError(what, where=str(path), remedy="name a file") from error
