"""Bytes that are shown in hex with something between them: `67 68 70`, `67:68:70`, and dumps.

A dump has on each line where it is, some bytes, and often the same as text (xxd, hexdump -C, od,
tcpdump -X). A secret may begin on one line and end on the next.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from scanner.batch import Data
from scanner.lazy import lazy
from scanner.region import RUN, Region, beginning

_LONGEST = 200
"""Bytes of a line of a dump."""
_BEFORE = 64
"""Lines of a dump before the first that is met in it."""
_SHOWN = lazy(
    rb"[ \t]{0,8}(?:0x)?[0-9a-fA-F]{4,16}:?[ \t]{1,3}"
    rb"((?:[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2}){0,3} {1,2}){0,15}[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2}){0,3})"
    rb"(?![0-9a-fA-F])"
)
_BYTE = lazy(rb"[0-9a-fA-F]{2}")
_MOST = 16
"""Bytes that a line shows; behind them is the text."""
_APART = lazy(rb"(?:[0-9a-fA-F]{2}(?:[ :]|[ :]?\r?\n[ \t]{0,40}))*[0-9a-fA-F]{2}(?![0-9a-fA-F])")
_APART_BACKWARDS = lazy(rb"(?:(?:[ :]|[ \t]{0,40}\n\r?[ :]?)[0-9a-fA-F]{2})*")


def triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how a line of a dump begins."""
    del words
    # places end in a zero but for those of short lines: the pattern begins with what is rare
    yield r"(?i)[0-9a-f]{3}0:?[ \t]{1,3}(?:[0-9a-f]{2}(?:[0-9a-f]{2})? ){4}"


def apart_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield ten characters of a token in hex, each by itself."""
    del words
    yield r"(?i)(?:(?:2d|3\d|[46][1-9a-f]|[57][0-9a]|5f)[ :]){10}"


def dump(data: Data, at: int, low: int, high: int) -> Region | None:
    """Read the bytes of a dump; each remembers where it was shown."""
    begin = _begun(data, at, low)
    said, spots, end = bytearray(), [], begin
    for shown in _lines(data, begin, min(high, at + RUN)):
        for byte in list(_BYTE.finditer(data, *shown.span(1)))[:_MOST]:
            spots.append((len(said), byte.start()))
            said += bytes.fromhex(byte[0].decode())
        end = shown.end(1)
    return Region(begin, end, bytes(said), tuple(spots)) if said else None


def _begun(data: Data, at: int, low: int) -> int:
    """Return where the dump begins, or a line some way before the trigger."""
    begin = max(data.rfind(b"\n", max(low, at - _LONGEST), at) + 1, low)
    for _ in range(_BEFORE):
        line = max(data.rfind(b"\n", max(low, begin - _LONGEST), max(begin - 1, low)) + 1, low)
        if line >= begin or not _SHOWN.match(data, line, begin):
            break
        begin = line
    return begin


def _lines(data: Data, begin: int, stop: int) -> Iterator[re.Match[bytes]]:
    while begin < stop and (shown := _SHOWN.match(data, begin, min(stop, begin + _LONGEST))):
        yield shown
        begin = data.find(b"\n", shown.end(), min(stop, begin + _LONGEST)) + 1
        if not begin:
            return


def apart(data: Data, at: int, low: int, high: int) -> Region | None:
    """Read bytes in hex with blanks or colons between them, but not those of a dump."""
    start = beginning(_APART_BACKWARDS, data, at, low)
    start += data[start : start + 1] in (b" ", b":")
    line = max(data.rfind(b"\n", max(low, start - _LONGEST), start) + 1, low)
    found = _APART.match(data, start, min(high, at + RUN))
    if not found or _SHOWN.match(data, line, high):
        return None
    return Region(start, found.end(), bytes(int(byte, 16) for byte in _BYTE.findall(found[0])))
