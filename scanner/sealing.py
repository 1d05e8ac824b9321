"""A match kept so that only the object in which it stood opens it again.

A secret that was decoded, or lay in an archive, cannot be cut out of its object: it would have to
be looked for anew. So the match is kept whole, enciphered with a key that is made of the object's
bytes. Whoever has the object has the secret anyway; whoever has the cache alone has nothing.

The stream of bytes is SHAKE-256 of that key and a salt of sixteen random bytes, and the seal
BLAKE2b under the same key: no two matches are enciphered alike, and what was changed does not open.

References:
    FIPS 202 (SHAKE256), RFC 7693 (BLAKE2, keyed)
"""

import hmac
import os
from collections.abc import Mapping
from hashlib import blake2b, shake_256
from typing import Any

import msgspec
from msgspec.structs import fields

from scanner.match import Match
from scanner.rules import Rule

_SALT = _SEAL = 16
MOST = 4 << 10
"""Bytes of a match that is kept so; what is longer is looked for anew."""


_PLAIN = tuple(field for field in fields(Match) if field.name not in {"rule", "item"})
_Whole: Any = msgspec.defstruct(
    "_Whole", [("rule", str), *((field.name, field.type) for field in _PLAIN)], array_like=True
)
"""All of a match but the object's id; the rule is told by its own."""


def key_of(text: bytes | memoryview) -> bytes:
    """Return the key that an object's own bytes make."""
    return blake2b(text, digest_size=32, person=b"keywatch-kept").digest()


def sealed(match: Match, key: bytes) -> bytes | None:
    """Encipher a match; None where it is too long, or names something that is no UTF-8."""
    whole = _Whole(match.rule.id, *(getattr(match, field.name) for field in _PLAIN))
    try:
        plain = msgspec.msgpack.encode(whole)
    except UnicodeEncodeError:
        return None
    if len(plain) > MOST:
        return None
    salt = os.urandom(_SALT)
    closed = salt + _streamed(plain, key, salt)
    return _seal(closed, key) + closed


def opened(closed: bytes, name: str, key: bytes, rules: Mapping[str, Rule]) -> Match | None:
    """Decipher a match; None where the key is not its own, or its rule is gone.

    Args:
        closed: what `sealed` returned.
        name: id of the object.
        key: of the object's bytes.
        rules: by their ids.
    """
    seal, rest = closed[:_SEAL], closed[_SEAL:]
    if not hmac.compare_digest(seal, _seal(rest, key)):
        return None
    plain = _streamed(rest[_SALT:], key, rest[:_SALT])
    try:
        whole = msgspec.msgpack.decode(plain, type=_Whole)
    except msgspec.MsgspecError:
        return None
    if whole.rule not in rules:
        return None
    plain_fields = {field.name: getattr(whole, field.name) for field in _PLAIN}
    return Match(rule=rules[whole.rule], item=name, **plain_fields)


def _streamed(text: bytes, key: bytes, salt: bytes) -> bytes:
    size = len(text)
    stream = shake_256(key + salt).digest(size)
    mixed = int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")
    return mixed.to_bytes(size, "big")


def _seal(closed: bytes, key: bytes) -> bytes:
    return blake2b(closed, key=key, digest_size=_SEAL).digest()
