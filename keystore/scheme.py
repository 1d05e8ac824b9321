"""What key strings look like: generating, parsing and hashing them."""

import re
import secrets
import string
import zlib
from base64 import b32encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec

from vocabulary.errors import ConfigError

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHECKSUM_WIDTH = 6
DAY_S = 86_400.0

_SECRET_BYTES, _SECRET_WIDTH = 32, 43
_PUBLISHABLE_BYTES, _PUBLISHABLE_WIDTH = 24, 33
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class Shape(msgspec.Struct, frozen=True):
    """What can be told from a key's string alone; `checksum` is valid, invalid or none."""

    prefix: str
    environment: str
    publishable: bool
    checksum: str


@dataclass(frozen=True, slots=True)
class KeyScheme:
    """What issued keys look like and how long they live.

    Attributes:
        prefix: of secret keys; lower-case words joined by `_`.
        publishable_prefix: of keys that may stand in public code.
        environments: names that may follow the prefix.
        checksum: whether six digits prove offline that a string is one of ours.
        life_s: seconds that a new key lives unless it is said; 0 for no end.
        max_life_s: the longest life in seconds that may be asked for; 0 for no end.
        client_life_s: seconds that OAuth clients live unless it is said, and at most; 0 for no
            end, None for as long as keys.
        grace_s: seconds that a rotated key goes on working.

    Raises:
        ConfigError: when a prefix or an environment could not be told apart in a key, or `life_s`
            is beyond `max_life_s`.
    """

    prefix: str = "sk"
    publishable_prefix: str = "pk"
    environments: tuple[str, ...] = ("live", "test")
    checksum: bool = True
    life_s: float = 90 * DAY_S
    max_life_s: float = 90 * DAY_S
    grace_s: float = 30 * DAY_S
    client_life_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse names that would make keys ambiguous, and a default that may not be asked for."""
        if self.max_life_s and not 0 < self.life_s <= self.max_life_s:
            raise ConfigError(
                "new keys would live longer than any key may",
                where="keys.expiry_days",
                remedy="lower it, or raise keys.max_expiry_days",
            )
        for name in (self.prefix, self.publishable_prefix, *self.environments):
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"`{name}` cannot stand in a key",
                    where="keys",
                    remedy="take lower-case letters and digits, beginning with a letter",
                )
        starts = [start for start, _ in self._starts()]
        if len(set(starts)) != len(starts) or not starts:
            raise ConfigError("prefixes and environments must differ", where="keys")

    @property
    def of_clients(self) -> "KeyScheme":
        """The scheme by which OAuth clients live."""
        life_s = self.client_life_s
        return self if life_s is None else replace(self, life_s=life_s, max_life_s=life_s)

    def generate(
        self,
        environment: str,
        *,
        publishable: bool = False,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> str:
        """Return a new key in full: `prefix_environment_body`, and its checksum."""
        prefix = self.prefix_of(publishable=publishable)
        size, width = _size(publishable=publishable)
        body = base62(int.from_bytes(random(size), "big"), width)
        text = f"{prefix}_{environment}_{body}"
        return text + checksum(text) if self.checksum else text

    def prefix_of(self, *, publishable: bool) -> str:
        """Return what such keys begin with."""
        return self.publishable_prefix if publishable else self.prefix

    def parse(self, text: str) -> Shape | None:
        """Tell what `text` claims to be; None when it has not the form of one of our keys."""
        for start, shape in self._starts():
            if text.startswith(start):
                width = _size(publishable=shape.publishable)[1]
                rest = text[len(start) :]
                if len(rest) in (width, width + CHECKSUM_WIDTH) and set(rest) <= _DIGITS:
                    return msgspec.structs.replace(shape, checksum=_proof(text, len(rest) > width))
        return None

    def _starts(self) -> Iterator[tuple[str, Shape]]:
        for prefix, publishable in ((self.prefix, False), (self.publishable_prefix, True)):
            for environment in self.environments:
                yield f"{prefix}_{environment}_", Shape(prefix, environment, publishable, "none")


DEFAULT_SCHEME = KeyScheme()
_DIGITS = frozenset(BASE62)
_PAIRS = [high + low for high in BASE62 for low in BASE62]


def _size(*, publishable: bool) -> tuple[int, int]:
    if publishable:
        return _PUBLISHABLE_BYTES, _PUBLISHABLE_WIDTH
    return _SECRET_BYTES, _SECRET_WIDTH


def _proof(text: str, has_checksum: bool) -> str:  # noqa: FBT001  (private, one caller)
    if not has_checksum:
        return "none"
    proven = checksum(text[:-CHECKSUM_WIDTH]) == text[-CHECKSUM_WIDTH:]
    return "valid" if proven else "invalid"


def base62(number: int, width: int) -> str:
    """Write `number` in base 62 (0-9A-Za-z), big-endian, padded with zeros to `width`."""
    pairs = []
    for _ in range(0, width, 2):
        number, pair = divmod(number, 62 * 62)
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))[-width:]


def checksum(text: str) -> str:
    """Return six base-62 digits of the CRC-32 of `text`: a typing error shows without a store."""
    return base62(zlib.crc32(text.encode()), CHECKSUM_WIDTH)


def hash_of(secret: str) -> str:
    """Return the SHA-256 of the full key, hex: all that is stored of it."""
    return sha256(secret.encode()).hexdigest()


def new_key_id(random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a key id: 80 random bits in base 32 (RFC 4648), unrelated to the secret."""
    return "key_" + b32encode(random(10)).decode().lower()


def new_key_ids(count: int) -> list[str]:
    """Return many key ids; drawing their bits at once is several times quicker."""
    drawn = secrets.token_bytes(10 * count)
    return [
        "key_" + b32encode(drawn[place : place + 10]).decode().lower()
        for place in range(0, 10 * count, 10)
    ]
