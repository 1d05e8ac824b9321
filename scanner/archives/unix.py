"""The older formats of Unix: ar, in which Debian packages and libraries come, and cpio.

Sources: ar(5), deb(5); cpio(5), "New ASCII Format".
"""

from collections.abc import Callable, Iterator
from typing import IO

from scanner.archives.reading import DamagedError, Read, exactly, limited

Note = Callable[[str], None]
_AR_MAGIC, _AR_HEADER = 8, 60
_NAMES = 1 << 20
_CPIO_HEADER = 110
_LAST = b"TRAILER!!!"


def ar(raw: IO[bytes], note: Note) -> Iterator[tuple[str, Read]]:
    """Open an ar archive."""
    del note
    exactly(raw.read, _AR_MAGIC)
    names = b""
    while first := raw.read(1):
        header = first + exactly(raw.read, _AR_HEADER - 1)
        size = header[48:58].strip()
        if header[58:60] != b"`\n" or not size.isdigit():
            raise DamagedError("no header where one should be")
        name, length = header[:16].rstrip(), int(size)
        read = limited(raw.read, length)
        if name == b"//" and length <= _NAMES:
            names = exactly(read, length)
        else:
            yield _ar_name(name, names), read
            _drain(read)
        if length % 2:
            raw.read(1)


def _ar_name(name: bytes, names: bytes) -> str:
    if name[:1] == b"/" and name[1:].isdigit():
        at = int(name[1:])
        name = names[at : at + 4096].split(b"\n", 1)[0]
    return name.rstrip(b"/").decode("utf-8", "replace")


def cpio(raw: IO[bytes], note: Note) -> Iterator[tuple[str, Read]]:
    """Open a cpio archive of the new format."""
    del note
    while header := raw.read(_CPIO_HEADER):
        header += exactly(raw.read, _CPIO_HEADER - len(header))
        try:
            size, named = int(header[54:62], 16), int(header[94:102], 16)
        except ValueError:
            raise DamagedError("no header where one should be") from None
        if header[:5] != b"07070" or named > _NAMES:
            raise DamagedError("no header where one should be")
        name = exactly(raw.read, named).rstrip(b"\0")
        exactly(raw.read, -(_CPIO_HEADER + named) % 4)
        if name == _LAST:
            return
        if size:
            read = limited(raw.read, size)
            yield name.decode("utf-8", "replace"), read
            _drain(read)
        exactly(raw.read, -size % 4)


def _drain(read: Read) -> None:
    while read(1 << 20):
        pass
