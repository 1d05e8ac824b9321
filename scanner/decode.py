"""Encodings under which secrets travel: base64, hex, percent, escapes, entities, UTF-16.

Looking for every run of base64 in a stream costs more than all rules together. So each encoding
has *triggers*: what the spelled-out part of the rules (`ghp_`, `password`) looks like once
encoded. hyperscan looks for them along with the rules, and only what stands around a trigger is
decoded, to a bounded depth.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from scanner import arrays, below, columnless, der, dumps, pkcs12, rearrange, tables
from scanner.batch import Data
from scanner.lazy import lazy
from scanner.parsetree import literals
from scanner.region import RUN, Region, beginning
from scanner.rules import Rule

MAX_DEPTH = 4
"""Encodings within encodings are followed this far."""
_LINE = 4096  # likewise for what is decoded by the line
_SHORTEST = 5  # encoded characters: a shorter literal stands in any base64 text by chance
_WRAPPED = 48  # a line of wrapped base64 has at least so many characters

_WORDS = (
    b"password", b"passwd", b"secret", b"token", b"api_key", b"apikey", b"api-key", b"private_key",
    b"access_key", b"PRIVATE KEY-----", b"-----BEGIN ", b"Bearer ", b"auth_",
)  # fmt: skip
_SCHEMES = (b"postgres", b"mysql://", b"mongodb", b"redis://", b"amqp://", b"https://", b"ftp://")
_NAMES = r"(?:passw|pwd|secret|token|api.?key|auth)[\w.-]{0,20}"


class Encoding(msgspec.Struct, frozen=True):
    """One way to write bytes as text.

    Attributes:
        triggers: spelled-out parts of rules → patterns for hyperscan.
        decode: buffer, end of the trigger, and bounds → the region, or None.
    """

    name: str
    triggers: Callable[[Sequence[bytes]], Iterable[str]]
    decode: Callable[[Data, int, int, int], Region | None]


def spelled(rules: Iterable[Rule]) -> tuple[bytes, ...]:
    """Return what the rules spell out, and the words that announce a secret, each once."""
    found = dict.fromkeys(run.encode() for rule in rules for run in literals(rule.pattern))
    return tuple(dict.fromkeys([*found, *_announced(), *_SCHEMES]))


def _literal(text: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text)


def base64_forms(text: bytes) -> Iterable[bytes]:
    """Yield how `text` looks inside base64, at each of the three alignments.

    Only characters that do not depend on the neighbours are kept.
    """
    for shift in range(3):
        first = -(-shift * 8 // 6)
        last = (shift + len(text)) * 8 // 6
        yield b64encode(b"\0" * shift + text + b"\0\0")[first:last]


def _base64_triggers(words: Sequence[bytes]) -> Iterable[str]:
    once = {form for word in words for form in base64_forms(word) if len(form) >= _SHORTEST}
    twice = {inner for form in once for inner in base64_forms(form) if len(inner) > _SHORTEST}
    announced = {form for word in _announced() for form in _nested(word, 3)}
    wide = {
        form for word in _announced() for form in base64_forms(word.decode().encode("utf-16-le"))
    }
    yield from map(_literal, sorted(once | twice | announced | wide))
    # what PowerShell is told in UTF-16, whatever it says
    blank, begun = r"[ \t:=,]{1,9}[\x22\x27]?", "[A-Za-z0-9+/]{16}"
    yield rf"(?i)(?:powershell|pwsh)[^\n]*[ \t][-/]e(?:c|nc?|nco\w*)?{blank}{begun}"
    yield rf"(?i)encodedcommand[\x22\x27]?{blank}{begun}"


def _announced() -> Iterable[bytes]:
    return (form for word in _WORDS for form in (word, word.upper(), word.capitalize()))


def _nested(text: bytes, times: int) -> set[bytes]:
    """Return how a text looks inside base64 of base64, so many times."""
    forms = {text}
    for _ in range(times):
        forms = {inner for form in forms for inner in base64_forms(form)}
    return {form for form in forms if len(form) > _SHORTEST}


_ONE_LINE = lazy(rb"[A-Za-z0-9+/_-]*={0,2}")
_WRAPPED_ON = lazy(
    rb"[A-Za-z0-9+/_-]*(?:\r?\n[ \t]{0,32}[A-Za-z0-9+/_-]{48,})*"
    rb"(?:\r?\n[ \t]{0,32}[A-Za-z0-9+/_-]+)?={0,2}"
)
_BACKWARDS = lazy(rb"[A-Za-z0-9+/_-]*(?:[ \t]{0,32}\n\r?[A-Za-z0-9+/_-]{48,})*")
_SPACE = lazy(rb"\s+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def _base64(data: Data, at: int, low: int, high: int, run: int = RUN) -> Region | None:
    start = beginning(_BACKWARDS, data, at, low)
    found = _ONE_LINE.match(data, at, min(high, at + run))
    assert found is not None
    if at - start + len(found[0]) >= _WRAPPED and not found[0].endswith(b"="):
        found = _WRAPPED_ON.match(data, at, min(high, at + run)) or found
    text = _SPACE.sub(b"", bytes(data[start : found.end()])).rstrip(b"=").translate(_URL_SAFE)
    text = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return Region(start, found.end(), b64decode(text + b"=" * (-len(text) % 4)))
    except (Base64Error, ValueError):
        return None


def _bare(data: Data, at: int, low: int, high: int) -> Region | None:
    """Decode base64 that is a key, but not where lines around it say so."""
    region = _base64(data, at, low, high)
    if region is None or b"-----" in data[max(low, region.start - _FRAME) : region.start]:
        return None
    return region


_FRAME = 60
"""Bytes before a key in which the line that frames it ends."""


def _hex_triggers(words: Sequence[bytes]) -> Iterable[str]:
    yield from (f"(?i){word.hex()}" for word in words)
    nested = {form for word in _announced() for form in base64_forms(word)}
    yield from (f"(?i){form.hex()}" for form in sorted(nested))
    # RFC 5208: a key of RSA
    yield r"(?i)3082[0-9a-f]{4}020100300d06092a864886f70d010101"


_HEX = lazy(
    rb"[0-9a-fA-F]*(?:\r?\n[ \t]{0,32}[0-9a-fA-F]{48,})*(?:\r?\n[ \t]{0,32}[0-9a-fA-F]+\b)?"
)
_HEX_BACKWARDS = lazy(rb"[0-9a-fA-F]*(?:[ \t]{0,32}\n\r?[0-9a-fA-F]{48,})*")


def _hex(data: Data, at: int, low: int, high: int) -> Region:
    """Decode a run of hex, which may be wrapped; the trigger ends on a byte."""
    start = beginning(_HEX_BACKWARDS, data, at, low)
    found = _HEX.match(data, at, min(high, at + RUN))
    assert found is not None
    before, after = (_SPACE.sub(b"", bytes(part)) for part in (data[start:at], found[0]))
    text = before[len(before) % 2 :] + after[: len(after) - len(after) % 2]
    return Region(start, found.end(), bytes.fromhex(text.decode("ascii")))


def _utf16_triggers(words: Sequence[bytes]) -> Iterable[str]:
    yield from (_literal(b"\0".join(bytes([byte]) for byte in word)) for word in words)


_PAIRS = lazy(rb"(?:\x00[^\x00])*")
_PAIRS_BACKWARDS = lazy(rb"(?:[^\x00]\x00)*[^\x00]")


def _utf16(data: Data, at: int, low: int, high: int) -> Region:
    """Take every other byte of the stretch in which the others are zero."""
    start = beginning(_PAIRS_BACKWARDS, data, at, low)
    found = _PAIRS.match(data, at, min(high, at + RUN))
    assert found is not None
    return Region(start, found.end(), bytes(data[start : found.end() : 2]))


def _percent_triggers(words: Sequence[bytes]) -> Iterable[str]:
    del words
    yield rf"(?i){_NAMES}(?:%5D)?%(?:3d|3a|22)"
    yield r"(?i)%3a%2f%2f[\w.~%-]{1,64}%3a[\w.~%-]{1,64}%40"
    yield r"(?i)(?:%(?:3\d|[46][1-9a-f]|[57][0-9a])){4}"
    # base64 in a form: its `+`, `/` and `=` alone; of paths in addresses there are many
    yield r"[A-Za-z0-9]{6}%(?:2[Bb]|3[AaDd])"
    yield r"[A-Za-z0-9]{14}%2[Ff]"
    yield r"-----BEGIN(?:%20|\+)"


def _escape_triggers(words: Sequence[bytes]) -> Iterable[str]:
    del words
    yield r"(?i)(?:\\u00(?:3\d|[46][1-9a-f]|[57][0-9a]|2d|5f)){4}"
    yield r"(?i)(?:\\x(?:3\d|[46][1-9a-f]|[57][0-9a]|2d|5f)){4}"
    yield rf"(?i){_NAMES}(?:\\u0022|\\u003d|\\u003a)"
    yield r"[A-Za-z0-9_.=%:-]{6}\\u00(?:2[BbFf6]|3[AaDd])"  # as JSON of .NET and Go has it
    # as JSON of PHP has it: addresses with a password or a token, and base64
    yield r":\\/\\/[^\s\x22\x27<>]{0,200}(?::[^\s\x22\x27<>]{3,100}@|[A-Za-z0-9_-]{16})"
    yield r"[A-Za-z0-9+]{12}\\/[A-Za-z0-9+=]{2}"


def _octal_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield eight characters of a token as C and shells write them."""
    del words
    yield r"(?:\\{1,2}0?(?:5[5-7]|6[0-7]|7[01]|1(?:0[1-7]|[1-6][0-7]|7[0-2]))){8}"


def _entity_triggers(words: Sequence[bytes]) -> Iterable[str]:
    del words
    yield rf"(?i){_NAMES}&(?:quot|#34|#39|#x22|#x27|#61|#x3d);"
    yield r"(?:&#x?[0-9a-fA-F]{2,3};){4}"
    yield r"[A-Za-z0-9:]{6}&#(?:43|47|58|61|x2[BbFf]|x3[AaDd]);"


_PERCENT, _FORM = lazy(rb"%([0-9a-fA-F]{2})"), lazy(rb"%([0-9a-fA-F]{2})|\+")
_ESCAPE = lazy(rb"\\{1,8}(?:(?:u00|x)([0-9a-fA-F]{2})|/)")
_OCTAL = lazy(rb"\\{1,8}(0[0-3][0-7]{2}|[0-3][0-7]{2}|[0-7]{1,2})")
_ENTITY = lazy(rb"&(?:#[xX]?[0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});?")


def _of_hex(found: re.Match[bytes]) -> bytes:
    """Return a byte of its number; what has none is a plus or a slash."""
    if found[1]:
        return bytes.fromhex(found[1].decode())
    return b" " if found[0] == b"+" else b"/"


def _of_octal(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)])


def _of_entity(found: re.Match[bytes]) -> bytes:
    from html import unescape  # noqa: PLC0415  (slow to import)

    return unescape(found[0].decode()).encode("utf-8", "replace")


Plain = Callable[[re.Match[bytes]], bytes]
"""What one escape stands for."""


def _line(
    escape: re.Pattern[bytes], plain: Plain, data: Data, at: int, low: int, high: int
) -> Region:
    """Decode the line around the trigger, up to `_LINE` bytes either way."""
    return _undone(escape, plain, data, *_around(data, at, low, high))


def _undone(escape: re.Pattern[bytes], plain: Plain, data: Data, start: int, stop: int) -> Region:
    """Write plainly what is escaped in a stretch."""
    parts, spots, length, last = [], [(0, start)], 0, start
    for found in escape.finditer(data, start, stop):
        before, said = bytes(data[last : found.start()]), plain(found)
        parts += [before, said]
        length += len(before)
        spots.append((length, found.start()))
        length += len(said)
        last = found.end()
        spots.append((length, last))
    parts.append(bytes(data[last:stop]))
    return Region(start, stop, b"".join(parts), tuple(spots))


def _percent(data: Data, at: int, low: int, high: int) -> Region:
    """Decode percent signs, and plus signs where the spaces of a PEM block became such."""
    escape = _FORM if data[at - 1 : at] == b"+" else _PERCENT
    return _line(escape, _of_hex, data, at, low, high)


def _around(data: Data, at: int, low: int, high: int) -> tuple[int, int]:
    """Return where a line begins and ends, or a word near: half a word may look like a secret."""
    start = max(data.rfind(b"\n", low, at) + 1, at - _LINE, low)
    stop = data.find(b"\n", at, high)
    stop = min(high if stop < 0 else stop, at + _LINE)
    if start == at - _LINE and (found := _BREAK.search(data, start, at)):
        start = found.end()
    if stop == at + _LINE and (found := _BREAK.search(data, stop, min(stop + _LINE, high))):
        stop = found.start()
    return start, stop


_BREAK = lazy(rb"[\s\x22\x27<>]")
_QUOTED = lazy(rb"=(?:([0-9A-F]{2})|[ \t]{0,9}\r?\n)")


def _mail_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how a part of a mail says that it is quoted-printable (RFC 2045, 6.7)."""
    del words
    yield r"(?i)content-transfer-encoding:[ \t]{0,9}quoted-printable"


def _mail(data: Data, at: int, low: int, high: int) -> Region:
    """Join the lines that the encoding has cut, up to where the part of the mail ends."""
    del low
    stop = data.find(b"\n--", at, min(high, at + RUN))
    return _undone(_QUOTED, _of_quoted, data, at, stop if stop >= 0 else min(high, at + RUN))


def _of_quoted(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode()) if found[1] else b""


_PACKED_RUN = 8 << 20


def _packed_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how gzip and zip begin in base64, once and twice: as Helm keeps its releases."""
    del words
    forms = set()
    for magic in (b"\x1f\x8b\x08\x00", b"\x1f\x8b\x08\x08", b"PK\x03\x04"):
        once = b64encode(magic)[: len(magic) * 8 // 6]
        forms |= {once, b64encode(once)[: len(once) * 8 // 6]}
    yield from (rf"(?:^|[^A-Za-z0-9+/]){form.decode()}" for form in sorted(forms))


ENCODINGS = (
    Encoding("base64", _base64_triggers, _base64),
    Encoding("hex", _hex_triggers, _hex),
    Encoding("utf-16", _utf16_triggers, _utf16),
    Encoding("percent", _percent_triggers, _percent),
    Encoding("escape", _escape_triggers, partial(_line, _ESCAPE, _of_hex)),
    Encoding("html", _entity_triggers, partial(_line, _ENTITY, _of_entity)),
    Encoding("base64", _packed_triggers, partial(_base64, run=_PACKED_RUN)),
    Encoding("ansi", rearrange.ansi_triggers, rearrange.ansi),
    Encoding("pair", rearrange.pair_triggers, rearrange.pair),
    Encoding("pair", below.triggers, below.below),
    Encoding("table", tables.triggers, tables.table),
    Encoding("table", columnless.triggers, columnless.inserts),
    Encoding("array", arrays.byte_triggers, arrays.in_bytes),
    Encoding("array", arrays.letter_triggers, arrays.in_letters),
    Encoding("array", arrays.number_triggers, arrays.in_numbers),
    Encoding("array", arrays.call_triggers, arrays.in_calls),
    Encoding("der", der.triggers, der.key),
    Encoding("escape", _octal_triggers, partial(_line, _OCTAL, _of_octal)),
    Encoding("hex", dumps.apart_triggers, dumps.apart),
    Encoding("dump", dumps.triggers, dumps.dump),
    Encoding("base64", der.bare_triggers, _bare),
    Encoding("base64", pkcs12.bare_triggers, _bare),
    Encoding("pkcs12", pkcs12.triggers, pkcs12.container),
    Encoding("quoted-printable", _mail_triggers, _mail),
)


def announcing() -> Iterable[str]:
    """Yield what triggers are made of beside the rules: what is compiled depends on it."""
    yield from map(_literal, (*_WORDS, *_SCHEMES))
    for encoding in ENCODINGS:
        yield from encoding.triggers(())
