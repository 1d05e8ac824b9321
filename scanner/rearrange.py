"""Texts in which a secret stands in clear, but not where a rule would look for it.

Colours of a terminal cling to its first letter; a name stands beside its value instead of before
it, as in HAR, Postman, Kubernetes and Hadoop. Both are written anew, and remember where they were.
"""

import re
from collections.abc import Iterable, Sequence

from scanner.batch import Data
from scanner.lazy import lazy
from scanner.region import RUN, Region

_LINE = 4096
_CODE = lazy(rb"\x1b(?:\[[0-?]{0,32}[ -/]{0,4}[@-~]|\][^\x07\x1b\n]{0,500}(?:\x07|\x1b\\))")


def ansi_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how control sequences begin (ECMA-48: CSI and OSC)."""
    del words
    yield r"\x1b[\[\]]"


def ansi(data: Data, at: int, low: int, high: int) -> Region:
    """Take the codes for colours and titles out of some lines of a terminal's output.

    Nothing is said by lines with halves of codes alone, as programs hold them that write colours.
    """
    start = max(data.rfind(b"\n", max(low, at - _LINE), at) + 1, low, at - _LINE)
    stop = min(high, start + RUN)
    stop = max(data.rfind(b"\n", at, stop), at) if stop < high else high
    # In a program a string ends with a zero; most of what looks like a code there is none.
    start = max(data.rfind(b"\0", start, at) + 1, start)
    stop = stop if (zero := data.find(b"\0", at, stop)) < 0 else zero
    parts, spots, length, last = [], [], 0, start
    for found in _CODE.finditer(data, start, stop):
        parts.append(bytes(data[last : found.start()]))
        spots.append((length, last))
        length += found.start() - last
        last = found.end()
    if not spots:
        return Region(start, stop, b"")
    parts.append(bytes(data[last:stop]))
    spots.append((length, last))
    return Region(start, stop, b"".join(parts), tuple(spots))


TELLING = (
    "(?:passw|passphrase|pwd|secret|token|credential|auth|"
    "(?:api|private|access|account|app|admin|master|search|storage|signing|encryption|license).?key)"
)
_KEYS = "name|key|variable|header|field|ParameterKey|target"
_VALUES = "value|secret|content|default|defaultValue|ParameterValue"
_PAIR = 4096
_NEAR = 600
_GAP, _NAMED = 22, 130  # between a name and its brace, of the name itself
_NAME_OF = lazy(
    rf"[\"'](?:{_KEYS})[\"'][ \t]*:[ \t\r\n]*[\"']([^\"'\\\n]{{1,100}})[\"']".encode(),
    re.IGNORECASE,
)
_VALUE_OF = lazy(
    rf"[\"'](?:{_VALUES})[\"'][ \t]*:[ \t\r\n]*\"((?:[^\"\\\n]|\\.){{1,2000}})\"".encode(),
    re.IGNORECASE,
)
_YAML = lazy(
    rb"(?:name|key)[ \t]*[:=][ \t]*[\"']?([\w.-]{1,100})[\"']?[ \t]*\r?\n"
    rb"[ \t]*value[ \t]*[:=][ \t]*[\"']?([^\s\"'#{}]{1,500})",
    re.IGNORECASE,
)
_XML = lazy(
    rb"(?:<(?:name|key)>([^<>]{1,100})</(?:name|key)>|<property[ \t]+name=[\"']([^\"'<>\n]{1,100})"
    rb"[\"'][^<>]{0,60}>)\s{0,60}<(?:value|string)>([^<>]{1,500})</(?:value|string)>",
    re.IGNORECASE,
)
_HELD = lazy(
    rb"[^{}]{0,400}?\b(?:value|default|defaultValue|string|stringValue|plaintext|S)\"?"
    rb"[ \t]*[:=][ \t]*\"((?:[^\"\\\n]|\\.){1,500})\"",
    re.IGNORECASE,
)
"""What stands in braces: in them a value."""


_BY_ENDING = {b">": _XML, b":": _YAML, b"=": _YAML}
"""What a trigger that ends that way is of; the others are of JSON."""


def pair_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield where a thing says its name, and its value beside it rather than behind it."""
    del words
    told = rf"[^\x22\x27\\\n<>]{{0,60}}{TELLING}[^\x22\x27\\\n<>]{{0,60}}"
    quote, blank = r"[\x22\x27]", r"[ \t]{0,60}"
    sets = f"{blank}[:=]"
    yield rf"(?i){quote}(?:{_KEYS}){quote}\s{{0,9}}:\s{{0,9}}{quote}{told}{quote}"
    yield rf"(?i)(?:name|key){sets}{blank}{quote}?{told}{quote}?{blank}\r?\n{blank}value{sets}"
    yield rf"(?i)<(?:name|key)>{told}</(?:name|key)>\s{{0,60}}<(?:value|string)>"
    yield rf"(?i)<property[ \t]{{1,9}}name={quote}{told}{quote}[^<>]{{0,60}}>\s{{0,60}}<value>"
    held = told.replace("auth|", r"auth(?:[_.\x22-]|ent|ori[sz])|")  # no authors
    yield rf"(?i)\x22{held}\x22?[ \t]{{0,9}}:\s{{0,9}}\{{"
    yield rf"(?i)variable[ \t]{{1,9}}\x22{told}\x22[ \t]{{0,9}}\{{"


def pair(data: Data, at: int, low: int, high: int) -> Region | None:
    """Write a name and its value as an assignment: `{"name": "X", "value": "Y"}` as `X = "Y"`."""
    before = bytes(data[at - 1 : at])
    if before == b"{":
        return _held(data, at, low, high)
    if other := _BY_ENDING.get(before):
        return _beside(other, data, at, low, high)
    start = data.rfind(b"{", max(low, at - _PAIR), at)
    stop = data.find(b"}", at, min(high, at + _PAIR))
    if start < 0 or stop < 0:
        return None
    name, value = _NAME_OF.search(data, start, stop), _VALUE_OF.search(data, start, stop)
    if not name or not value:
        return None
    between = sorted((*name.span(1), *value.span(1)))[1:3]
    if b"{" in data[slice(*between)]:
        return None  # the value is of a thing within
    return assigned(name.span(1), value.span(1), data)


def _beside(pattern: re.Pattern[bytes], data: Data, at: int, low: int, high: int) -> Region | None:
    for found in pattern.finditer(data, max(low, at - _NEAR), min(high, at + _NEAR)):
        if found.start() < at <= found.end():
            first, *others = (group for group in range(1, len(found.groups()) + 1) if found[group])
            return assigned(found.span(first), found.span(others[-1]), data)
    return None


def _held(data: Data, at: int, low: int, high: int) -> Region | None:
    """Take a variable of Terraform, a parameter of Azure: a name, and in its braces a value."""
    stop = data.rfind(b'"', max(low, at - _GAP), at)
    start = data.rfind(b'"', max(low, stop - _NAMED), stop) + 1 if stop > low else 0
    value = _HELD.match(data, at, min(high, at + _NEAR)) if start else None
    return assigned((start, stop), value.span(1), data) if value else None


def assigned(name: tuple[int, int], value: tuple[int, int], data: Data) -> Region:
    """Write a name and a value, by where they stand, as `name = "value"`."""
    first, second = bytes(data[slice(*name)]), bytes(data[slice(*value)])
    text = first + b' = "' + second + b'"'
    spots = ((0, name[0]), (len(first) + 4, value[0]), (len(text) - 1, value[1]))
    return Region(min(name[0], value[0]), max(name[1], value[1]), text, spots)
