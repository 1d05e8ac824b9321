"""Keys that a log holds where it should hold their ids: known by their hash, and never stored.

A store of imported keys knows them by SHA-256 or HMAC alone, so no rule finds them in a line. What
stands in the column of the key and is no id of the store is therefore looked up as a key itself.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from streams.parsed import Parsed
from vocabulary.credential import STAND_IN, Credential, Exposure, KnownKey, credential_of

OF_STORE, OF_ANYONE = "key-column", "context-key-column"
"""Rules by which such keys are told of: those of the store, and what looks like a secret."""

_LONG, _LEAST = 32, 24
_MIXED = 0.22
_MOST_WORDS = 32
_SCHEME = re.compile(r"(?i)(?:bearer|basic|apikey|token)[ +]+(\S+)\Z")
_TOKEN = re.compile(STAND_IN)
_UUID = re.compile(
    r"(?i)(?<![0-9a-f])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9a-f]{12}[1-8][0-9a-f]{3}[89ab][0-9a-f]{15})(?![0-9a-f])"
)
_JOINTS = re.compile(r"[^0-9A-Za-z]+")
_TURN = re.compile(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]")
_WORD = re.compile(r"[0-9A-Za-z_.~+/=-]{8,256}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_DIGEST = re.compile(r"[0-9a-f]{32}")


class Book(Protocol):
    """What is asked about values of the column."""

    def shown(self, values: Collection[str]) -> Mapping[str, KnownKey]:
        """Return the keys among values that are no ids: value → key."""

    def ours(self, key_ids: Sequence[str]) -> set[str]:
        """Return the ids among them that are known."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was found in a column: keys of the store by their token, and every place."""

    parsed: Parsed
    exposures: Sequence[Exposure] = ()
    known: Mapping[str, KnownKey] = field(default_factory=dict)


def looks_secret(value: str) -> bool:
    """Say whether a value is more likely a secret than an id.

    That is one with a scheme in front, a JSON Web Token, or 32 characters and more that change
    between letters, capitals and digits as words and numbers never do. A UUID is an id.
    """
    if _SCHEME.match(value) or (value.startswith("eyJ") and value.count(".") >= 2):  # noqa: PLR2004
        return True
    if len(value) < _LONG or " " in value or "@" in value:
        return False
    signs = _JOINTS.sub("", _UUID.sub("", value))
    if len(signs) >= _LONG and _HEX.fullmatch(signs) and not signs.isdecimal():
        return True
    return len(signs) >= _LEAST and len(_TURN.findall(signs)) >= _MIXED * len(signs)


def cleaned(parsed: Parsed, book: Book) -> Shown:
    """Put ids and tokens in the place of keys in the column of a chunk.

    Args:
        parsed: events of lines that were cleaned before.
        book: what knows keys.
    """
    distinct = set(parsed.key)
    distinct.discard("")
    bare = {value: found[1] for value in distinct if (found := _SCHEME.match(value))}
    asked = (distinct - bare.keys()) | set(bare.values())
    known = book.shown(asked)
    doubtful = [
        value
        for value in distinct
        if len(value) >= _LONG or value in bare or value.startswith("eyJ")
    ]
    if not known and not doubtful:
        return Shown(parsed)
    ids = book.ours([bare.get(value, value) for value in doubtful]) if doubtful else set()
    stands: dict[str, str] = {}
    credentials: dict[str, tuple[str, Credential]] = {}
    for value in distinct:
        raw = bare.get(value, value)
        if key := known.get(raw):
            stands[value] = key.key_id
            credentials[value] = (OF_STORE, credential_of(raw))
    for value in doubtful:
        raw = bare.get(value, value)
        if value in stands:
            continue
        if raw in ids or _TOKEN.fullmatch(raw):
            stands[value] = raw
        elif looks_secret(value):
            credential = credential_of(raw)
            stands[value] = credential.token
            credentials[value] = (OF_ANYONE, credential)
    exposures = [
        Exposure(line, *credentials[value])
        for line, value in zip(parsed.line, parsed.key, strict=True)
        if value in credentials
    ]
    of_store = {
        credential.token: known[bare.get(value, value)]
        for value, (rule, credential) in credentials.items()
        if rule == OF_STORE
    }
    return Shown(
        replace(parsed, key=[stands.get(value, value) for value in parsed.key]), exposures, of_store
    )


def without_keys(lines: Sequence[bytes], book: Book) -> list[bytes]:
    """Return lines that are no events without what may be a key, wherever it stands.

    Args:
        lines: cleaned before; nobody knows which part of them is the key.
        book: what knows keys.
    """
    texts = [line.decode("utf-8", "surrogateescape") for line in lines]
    words = {word for text in texts for word in _WORD.findall(text)[:_MOST_WORDS]}
    known = book.shown(words) if words else {}
    gone = {
        word: credential_of(
            word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        ).token
        for word in words
        # Digests of TLS hellos are of this size, and belong to an event that is read again.
        if word in known or (looks_secret(word) and not _DIGEST.fullmatch(word))
    }
    if not gone:
        return list(lines)
    return [
        _WORD.sub(lambda found: gone.get(found[0], found[0]), text).encode(
            "utf-8", "surrogateescape"
        )
        for text in texts
    ]
