"""The row that the store keeps of a key or of another identity, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec

from keystore.scheme import DAY_S
from vocabulary.credential import KnownKey

__all__ = ["DAY_S", "NAMED", "PUBLIC_ID", "SHA256", "Declared", "Key", "KeyState", "Kind", "key_of"]

SHA256 = ""
"""Origin (`pepper_id`) of a key that is known by the SHA-256 of its secret."""
PUBLIC_ID = "public-id"
"""Origin of a key whose secret we never had: its public id alone identifies it."""
NAMED = "name"
"""Origin of an identity that is known by its name: a token's subject, a certificate's name."""
ORIGINS = frozenset({SHA256, PUBLIC_ID, NAMED})
"""Names that no pepper may have."""


def public_id_hash(public_id: str) -> str:
    """Return the `hash` of a key of which only the public id is known."""
    return sha256(f"{PUBLIC_ID}\n{public_id}".encode()).hexdigest()


_HARMLESS = frozenset({"test", "sandbox", "dev", "development", "staging", "local", "ci"})


class KeyState(StrEnum):
    """Where a key stands in its life."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Kind(StrEnum):
    """What an identity is: all live the same life."""

    KEY = "key"
    OAUTH_CLIENT = "oauth-client"
    TOKEN = "token"  # noqa: S105  (no password: the subject of an issuer's tokens)
    CERTIFICATE = "certificate"


class Declared(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the owner of a key said, at its birth, that it would do; empty for nothing said.

    Attributes:
        countries: ISO 3166-1 alpha-2 codes.
        hours: hours of the day, 0 to 23, on the key's own clock (`Key.tz`).
        days: days of the week, 0 for Monday.
        rate_per_h: requests in a usual hour; 0 when not said.
    """

    countries: tuple[str, ...] = ()
    hours: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    rate_per_h: float = 0.0


UNDECLARED = Declared()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A row of the key store; fields are its columns, times are epoch seconds.

    Attributes:
        kind: see `Kind`.
        pepper_id: what `hash` is: the SHA-256 of the secret (""), its HMAC under the pepper of
            this name, or, for "public-id" and "name", nothing that says anything of a secret.
        public_id: an AWS access key id, an OAuth client id, a token's or certificate's name.
        networks: CIDR blocks, IPv4 and IPv6, from which it may be used; none for anywhere.
        endpoints: such as `GET /v1/*`: what it may call; none for all.
        models: patterns of AI models that it may ask; none for all.
        requires: "token" or "certificate", which must come with it.
        plan_id: instead of its account's.
        limits: such as `600/min:50`, instead of its plan's `key_limits`.
        tokens_per_min, tokens_per_day, tokens_per_month: budget of AI tokens; None for its
            plan's.
        store: name of the configured store in which the key lives, empty for ours.
        external_id: what it is called there.
        state: active, deprecated or revoked, as it was last written. Ends that come by
            themselves (expiry, end of grace) are in `effective_state`.
        suspended: see `is_suspended` for whether it still holds.
        change_seq: number of the key's last change in the feed.
    """

    id: str
    kind: str = Kind.KEY.value
    hash: str = field(repr=False)
    pepper_id: str = SHA256
    public_id: str = ""
    prefix: str
    environment: str
    publishable: bool = False
    name: str = ""
    owner: str = ""
    account_id: str | None = None
    key_class: str = ""
    tz: str = ""
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    plan_id: str | None = None
    limits: tuple[str, ...] = ()
    tokens_per_min: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    declared: Declared = UNDECLARED
    store: str = ""
    external_id: str = ""
    state: str = KeyState.ACTIVE.value
    previous_state: str = ""
    leak_proven: bool = False
    created_at: float
    expires_at: float | None = None
    deprecated_at: float | None = None
    grace_until: float | None = None
    rotated_from: str | None = None
    rotated_to: str | None = None
    throttle_per_min: int | None = None
    throttle_until: float | None = None
    suspended: bool = False
    suspended_until: float | None = None
    last_used_at: float | None = None
    change_seq: int = 0

    def effective_state(self, now: float) -> KeyState:
        """Return the state at `now`: a key expires, and its grace ends, without being written."""
        if self.state == KeyState.REVOKED:
            return KeyState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return KeyState.EXPIRED
        if self.state == KeyState.DEPRECATED:
            over = self.grace_until is not None and self.grace_until <= now
            return KeyState.REVOKED if over else KeyState.DEPRECATED
        return KeyState.ACTIVE

    def is_throttled(self, now: float) -> bool:
        """Whether a throttle holds at `now`."""
        return self.throttle_per_min is not None and _holds(self.throttle_until, now)

    def is_suspended(self, now: float) -> bool:
        """Whether a suspension holds at `now`."""
        return self.suspended and _holds(self.suspended_until, now)

    def verdict(self, now: float) -> str:
        """Return what the key is worth to a finder: live, test, or why it is worth less.

        An environment that is not known to be harmless by its name counts as live.
        """
        state = self.effective_state(now)
        if state in (KeyState.REVOKED, KeyState.EXPIRED):
            return state.value
        if self.is_suspended(now):
            return "suspended"
        if state == KeyState.DEPRECATED:
            return state.value
        return "test" if self.environment in _HARMLESS else "live"

    def known(self, now: float) -> KnownKey:
        """Return what other rooms are told of the key."""
        return KnownKey(
            key_id=self.id,
            state=self.effective_state(now).value,
            verdict=self.verdict(now),
            environment=self.environment,
            owner=self.owner,
            key_class=self.key_class,
            publishable=self.publishable,
            created_at=self.created_at,
            tz=self.tz,
        )


def _holds(until: float | None, now: float) -> bool:
    return until is None or now < until


_LISTS = ("scopes", "networks", "endpoints", "models", "requires", "limits")


def key_of(row: Mapping[str, Any]) -> Key:
    """Read a row of the table `keys`, JSON still as text or not."""
    columns = dict(row)
    for name in _LISTS:
        columns[name] = tuple(_json(columns[name]))
    declared = _json(columns["declared"])
    columns["declared"] = msgspec.convert(declared, Declared) if declared else UNDECLARED
    return Key(**columns)


_FIELDS = tuple(each.name for each in fields(Key))


def row_of(key: Key) -> dict[str, object]:
    """Return the key as a row of the table `keys`."""
    row = {name: getattr(key, name) for name in _FIELDS}
    return row | {"declared": msgspec.to_builtins(key.declared)}


def _json(value: Any) -> Any:  # noqa: ANN401
    return msgspec.json.decode(value) if isinstance(value, str) else value
