"""Key containers (PKCS #12, `.p12` and `.pfx`): whether they hold a key, and a password opens them.

Nothing is decrypted: a container's own MAC says whether a password is right. A key that lies open
in one is found as any key in DER is.

References:
    https://www.rfc-editor.org/rfc/rfc7292
"""

from collections.abc import Iterable, Sequence
from hashlib import new
from hmac import compare_digest, digest

from scanner.batch import Data
from scanner.der import SEQUENCE, armored, elements, first
from scanner.region import RUN, Region

_LONGEST, _SHORTEST = 14_000, 900
_BACK = 22  # bytes of the trigger
_SHROUDED = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02"
"""The object id of a bag that holds an encrypted key."""
_HASHES = {
    b"\x2b\x0e\x03\x02\x1a": ("sha1", 64),
    b"\x60\x86\x48\x01\x65\x03\x04\x02\x01": ("sha256", 64),
    b"\x60\x86\x48\x01\x65\x03\x04\x02\x02": ("sha384", 128),
    b"\x60\x86\x48\x01\x65\x03\x04\x02\x03": ("sha512", 128),
}
"""Object ids of hashes: the name, and the bytes of a block."""
_FOR_MAC = 3
_NO_PASSWORD = b""
_KNOWN = (
    _NO_PASSWORD,
    *(f"{word}\0".encode("utf-16-be") for word in ("", "changeit", "notasecret")),
)
"""No password, an empty one, the one that Java's manuals use, and that of Google's key files."""
_ROUNDS = 10_240
"""What is hashed more often is not tried: a container may be made to take long."""
_HEAD, _CROWD = b"\x02\x01\x03\x30\x82", 8
"""How containers begin, and how many before one are too many to try that one as well."""


def triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how containers begin: version 3, and what they hold."""
    del words
    begun, data = r"\x30\x82[\x00-\xff]{2}", r"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
    yield rf"{begun}\x02\x01\x03{begun}{data}"


def bare_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how they begin in base64."""
    del words
    yield r"(?:^|[^A-Za-z0-9+/])MII[A-Za-z0-9+/]{3}IBAzCC[A-Za-z0-9+/]{3}GCSqGSIb3"


def container(data: Data, at: int, low: int, high: int) -> Region | None:
    """Write a container with an encrypted key as PEM, which says whether it is as good as open."""
    start = at - _BACK
    if start < low:
        return None
    whole = first(bytes(data[start : min(high, start + _LONGEST)]), SEQUENCE)
    if len(whole) < _SHORTEST or _SHROUDED not in whole:
        return None
    crowded = bytes(data[max(low, start - RUN) : start]).count(_HEAD) >= _CROWD
    kind = "OPENPKCS12" if not crowded and _is_open(whole) else "PKCS12"
    return Region(start, start + len(whole), armored(f"{kind} PRIVATE KEY", whole))


def _is_open(whole: bytes) -> bool:
    """Say whether there is no password, or one that everybody knows."""
    try:
        _, (_, safe), (_, mac) = elements(elements(whole)[0][1])
        (_, told), (_, salt), (_, rounds) = elements(mac)
        (_, algorithm), (_, expected) = elements(told)
        name, block = _HASHES[elements(algorithm)[0][1]]
        (_, content) = elements(elements(safe)[1][1])[0]
    except (ValueError, KeyError, IndexError):
        return False
    times = int.from_bytes(rounds)
    if not 0 < times <= _ROUNDS or not 0 < len(salt) <= block:
        return False
    keys = (_key(name, block, password, salt, times) for password in _KNOWN)
    return any(compare_digest(digest(key, content, name), expected) for key in keys)


def _key(name: str, block: int, password: bytes, salt: bytes, times: int) -> bytes:
    """Return the key of a MAC (RFC 7292, B.2), which is never longer than one hash."""
    filled = (_filled(part, block) for part in (salt, password))
    value = bytes([_FOR_MAC]) * block + b"".join(filled)
    for _ in range(times):
        value = new(name, value, usedforsecurity=False).digest()
    return value


def _filled(part: bytes, block: int) -> bytes:
    """Repeat a part until it fills whole blocks."""
    length = -(-len(part) // block) * block
    return (part * block)[:length] if part else b""
