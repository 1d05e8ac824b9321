"""Private keys in DER, as files hold them: read as the PEM block that says the same.

So they are found by the rules for PEM, checked as these are, and have the fingerprint of the same
key in a PEM file.

References:
    https://www.rfc-editor.org/rfc/rfc5208 (PKCS #8), https://www.rfc-editor.org/rfc/rfc8017
    (PKCS #1), https://www.rfc-editor.org/rfc/rfc5915 (SEC 1)
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence

from scanner.batch import Data
from scanner.region import Region

_BACK = 20
"""Bytes between the beginning of a key and the end of its trigger, at most."""
_LONGEST = 16 << 10
SEQUENCE, _INTEGER, _OCTETS = 0x30, 2, 4
_LONG_FORM = 0x80
_RSA, _DSA = 9, 6
"""How many numbers their keys are made of."""


def triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how keys begin: a sequence, a version, and what must follow."""
    del words
    begun = r"\x30(?:\x81[\x00-\xff]|\x82[\x00-\xff][\x00-\xff]|[\x20-\x7f])"
    yield rf"{begun}\x02\x01[\x00\x01]\x30[\x05-\x20]\x06[\x03-\x0b]"
    yield rf"{begun}\x02\x01\x00\x02[\x81\x82]"
    yield rf"{begun}\x02\x01\x01\x04[\x14-\x42]"


def bare_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how keys begin in base64, which nothing frames."""
    del words
    edge, any_ = "(?:^|[^A-Za-z0-9+/])", "[A-Za-z0-9+/]"
    yield rf"{edge}MII{any_}{{3}}IBA(?:DANBgkqhkiG9w0BAQ|AK[BC])"  # RSA: PKCS #8, PKCS #1
    yield rf"{edge}MI[GH]{any_}AgE(?:AMB[AM]GByqGSM49AgEG|BB[DE])"  # curves: PKCS #8, SEC 1
    yield rf"{edge}M[GH]{any_}CAQ(?:AwEAYHKoZIzj0CAQ|EE[GHI])"  # likewise, short ones
    yield rf"{edge}M[CE][4c]CAQAwBQYDK2V[u-x]"  # RFC 8410


def key(data: Data, at: int, low: int, high: int) -> Region | None:
    """Write a private key in PEM."""
    for start in range(max(low, at - _BACK), at):
        whole = first(bytes(data[start : min(high, start + _LONGEST)]), SEQUENCE)
        if start + len(whole) >= at and (kind := _kind(elements(whole)[0][1])):
            return Region(start, start + len(whole), armored(kind, whole))
    return None


Element = tuple[int, bytes]
"""Tag and content."""


def first(raw: bytes, tag: int) -> bytes:
    """Return the element that `raw` begins with; nothing where it is of another kind, or cut."""
    if raw[:1] != bytes([tag]) or not (size := _size(raw)) or len(raw) < sum(size):
        return b""
    return raw[: sum(size)]


def _size(raw: bytes) -> tuple[int, int] | None:
    """Return how long an element's head is, and its content (X.690, definite form)."""
    if len(raw) < 2:  # noqa: PLR2004  (a tag and a length)
        return None
    first = raw[1]
    if first < _LONG_FORM:
        return 2, first
    width = first - _LONG_FORM
    return (2 + width, int.from_bytes(raw[2 : 2 + width])) if 1 <= width <= _WIDEST else None


_WIDEST = 3


def elements(raw: bytes) -> list[Element]:
    """Take elements apart; none where they do not fill the bytes."""
    found: list[Element] = []
    while raw:
        size = _size(raw)
        if size is None or len(raw) < sum(size):
            return []
        head, length = size
        found.append((raw[0], raw[head : head + length]))
        raw = raw[head + length :]
    return found


def _kind(content: bytes) -> str:
    """Return what PEM calls a key with such content; empty for what is none."""
    parts = elements(content)
    tags = [tag for tag, _ in parts]
    if tags[:3] == [_INTEGER, SEQUENCE, _OCTETS]:
        return "PRIVATE KEY" if elements(parts[1][1]) else ""
    if tags[:2] == [_INTEGER, _OCTETS] and parts[0][1] == b"\1":
        return "EC PRIVATE KEY"
    if set(tags) == {_INTEGER} and parts[0][1] == b"\0":
        return {_RSA: "RSA PRIVATE KEY", _DSA: "DSA PRIVATE KEY"}.get(len(tags), "")
    return ""


def armored(kind: str, whole: bytes) -> bytes:
    """Write an element in PEM."""
    text = b64encode(whole)
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (kind.encode(), lines, kind.encode())
