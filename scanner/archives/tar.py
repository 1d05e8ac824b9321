"""Tar archives, read as they stream by and to their end: what follows an end mark is read too.

Source: POSIX pax and ustar interchange formats; GNU tar's long names.
"""

from collections.abc import Callable, Iterator
from typing import IO

from scanner.archives.reading import DamagedError, Read, exactly, limited

_BLOCK = 512
_NAMES = 1 << 20  # a longer extended header is scanned as if it were a file
_ZERO = bytes(_BLOCK)


def members(raw: IO[bytes], note: Callable[[str], None]) -> Iterator[tuple[str, Read]]:
    """Open a tar archive.

    Raises:
        DamagedError: what stands where a header should be is none.
    """
    del note
    named: dict[str, str] = {}
    for block in _headers(raw.read):
        kind, size = block[156:157], _number(block[124:136])
        if kind in {b"L", b"x"} and size <= _NAMES:
            said = exactly(raw.read, size)
            exactly(raw.read, -size % _BLOCK)
            named |= {"path": _text(said)} if kind == b"L" else _pax(said)
            continue
        if (stated := named.get("size", "")).isdecimal():
            size = int(stated)
        name, named = named.get("path") or _name(block), {}
        read = limited(raw.read, size)
        if size:
            yield name, read
            while read(1 << 20):
                pass
        exactly(raw.read, -size % _BLOCK)


def _headers(read: Read) -> Iterator[bytes]:
    while block := read(_BLOCK):
        while len(block) < _BLOCK and (more := read(_BLOCK - len(block))):
            block += more
        if block == _ZERO or not block.strip(b"\0"):
            continue
        if len(block) < _BLOCK or not _summed(block):
            raise DamagedError("no header where one should be")
        yield block


def _summed(block: bytes) -> bool:
    """Check a header's sum, in which its own field counts as blanks."""
    return _number(block[148:156]) == sum(block) - sum(block[148:156]) + 8 * 32


def _number(field: bytes) -> int:
    """Read a number in octal, or in GNU's base 256."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:])
    digits = field.strip(b"\0 ").split(b"\0")[0]
    if not digits:
        return 0
    if not digits.isdigit() or set(digits) & set(b"89"):
        raise DamagedError("a number is none")
    return int(digits, 8)


def _name(block: bytes) -> str:
    name, prefix = block[:100].split(b"\0", 1)[0], block[345:500].split(b"\0", 1)[0]
    if prefix and block[262:263] == b"\0":
        name = prefix + b"/" + name
    return _text(name)


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def _pax(said: bytes) -> dict[str, str]:
    """Read the records `length key=value` of a pax header."""
    found: dict[str, str] = {}
    at = 0
    while (blank := said.find(b" ", at, at + 20)) > 0 and said[at:blank].isdigit():
        length = int(said[at:blank])
        key, _, value = said[blank + 1 : at + length - 1].partition(b"=")
        found[key.decode("utf-8", "replace")] = _text(value)
        if length <= 0:
            break
        at += length
    return {key: value for key, value in found.items() if key in {"path", "size"}}
