"""A value on the line below its name: a block scalar of YAML, what a formatter wrapped."""

import re
from collections.abc import Iterable, Sequence

from scanner.batch import Data
from scanner.lazy import lazy
from scanner.rearrange import TELLING, assigned
from scanner.region import Region

_FOLDED = 700
_NAMED = 200  # bytes before the end of a line, within which its name begins
_BELOW = lazy(
    rb"([\w.-]{1,100})[\"']?[ \t]*[:=][ \t]*(?:[|>][+-]?\d?[ \t]*|\()?\r?\n"
    rb"[ \t]*(?:[\"'`]([^\"'`\s]{4,500})[\"'`]"
    rb"|([^\s\"'`,;:()\[\]{}<>|#][^\s]{3,500})[ \t]*(?:\r?\n|\Z))"
)
_KEY = lazy(rb"[\w.-]+:(?!//)")


def triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield where a line ends with a telling name, and what may be its value begins."""
    del words
    blank, name = r"[ \t]{0,20}", rf"{TELLING}[\w.-]{{0,40}}[\x22']?[ \t]{{0,20}}"
    inner = rf"{blank}\r?\n[ \t]{{1,60}}"
    yield rf"(?i){name}:{blank}[|>][+-]?\d?{inner}\S"
    yield rf"(?i)^[ \t-]{{0,60}}[\x22']?[\w.-]{{0,40}}{name}:{inner}[^\s:\x22'#-][^\s:]{{5}}"
    yield rf"(?i){name}[:=]{blank}\(?{inner}[\x22'`]"


def below(data: Data, at: int, low: int, high: int) -> Region | None:
    """Write a name and the value on the line below it as an assignment."""
    line = data.rfind(b"\n", max(low, at - _FOLDED), at)
    start = data.rfind(b"\n", max(low, line - _NAMED), line) + 1 or max(low, line - _NAMED)
    found = _BELOW.search(data, start, min(high, at + _FOLDED)) if line > low else None
    if not found or not found.start() < line < found.end():
        return None
    if not found[2] and _goes_on(found, data, high):
        return None
    return assigned(found.span(1), found.span(2 if found[2] else 3), data)


def _goes_on(found: re.Match[bytes], data: Data, high: int) -> bool:
    """Say whether a value without quotes is the first line of a text, or a key of a map."""
    if _KEY.match(found[3]) or found[3].endswith((b"(", b"{")):
        return True
    end = data.find(b"\n", found.end(), min(high, found.end() + _FOLDED))
    after = bytes(data[found.end() : high if end < 0 else end])
    begin = data.rfind(b"\n", found.start(), found.start(3)) + 1
    return bool(after.strip()) and len(after) - len(after.lstrip(b" \t")) >= found.start(3) - begin
