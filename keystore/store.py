"""The key store as one object: each verb in a transaction of its own."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Engine

from database.transaction import reading, transaction
from keystore import alter, lifecycle, overlays, paying, query
from keystore.alter import Changes
from keystore.issue import Issued, KeyOrder, Origin
from keystore.keys import ORIGINS, Key
from keystore.scheme import DEFAULT_SCHEME, KeyScheme
from keystore.verbs import Accounts, Denials, Identities, Plans
from vocabulary.credential import Credential, KnownKey, credential_of
from vocabulary.errors import ConfigError

T = TypeVar("T")


class KeyStore:
    """Keys in the database behind `engine`.

    Args:
        engine: from `open_database`.
        clock: epoch seconds.
        scheme: what new keys look like and how long they live.
        peppers: pepper id → pepper, for imported low-entropy keys.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float] = time.time,
        scheme: KeyScheme = DEFAULT_SCHEME,
        peppers: Mapping[str, bytes] | None = None,
    ) -> None:
        self.engine, self.clock, self.scheme = engine, clock, scheme
        self.peppers = dict(peppers or {})
        for reserved in ORIGINS & self.peppers.keys():
            raise ConfigError(f"no pepper may be called {reserved!r}", where="keys.peppers")

    @property
    def accounts(self) -> Accounts:
        """The accounts that keys belong to."""
        return Accounts(self.engine, self.clock)

    @property
    def plans(self) -> Plans:
        """The plans that accounts and keys are on."""
        return Plans(self.engine, self.clock)

    @property
    def identities(self) -> Identities:
        """Clients, tokens' subjects and certificates; once there, they are keys to every verb."""
        return Identities(self.engine, self.clock, self.scheme)

    @property
    def denials(self) -> Denials:
        """Tokens and certificates that are refused though they are genuine."""
        return Denials(self.engine, self.clock)

    def create(self, order: KeyOrder, *, actor: str, reason: str = "") -> Issued:
        """Make a key; its secret is in what is returned and nowhere else."""
        return self._write(lifecycle.create, order, actor=actor, reason=reason, scheme=self.scheme)

    def create_many(
        self, orders: Sequence[KeyOrder], *, actor: str, reason: str = ""
    ) -> list[Issued]:
        """Make many keys in one transaction."""
        return self._write(
            lifecycle.create_many, orders, actor=actor, reason=reason, scheme=self.scheme
        )

    def adopt(self, order: KeyOrder, origin: Origin, *, actor: str, reason: str = "") -> Key:
        """Take over a key that was made elsewhere."""
        return self._write(
            lifecycle.adopt, order, origin, actor=actor, reason=reason, scheme=self.scheme
        )

    def change(self, key_id: str, wanted: Changes, *, actor: str, reason: str = "") -> Key:
        """Change what a key may do and who it belongs to; see `alter.change`."""
        return self._write(
            alter.change, key_id, wanted, actor=actor, reason=reason, scheme=self.scheme
        )

    def rotate(
        self, key_id: str, *, actor: str, reason: str = "", grace_s: float | None = None
    ) -> Issued:
        """Replace a key; see `lifecycle.rotate`."""
        return self._write(
            lifecycle.rotate,
            key_id,
            actor=actor,
            reason=reason,
            grace_s=grace_s,
            scheme=self.scheme,
        )

    def unrotate(self, before: Key, *, actor: str, reason: str = "") -> Key:
        """Take a rotation back; see `lifecycle.unrotate`."""
        return self._write(lifecycle.unrotate, before, actor=actor, reason=reason)

    def deprecate(self, key_id: str, *, grace_s: float, actor: str, reason: str = "") -> Key:
        """Let a key work for a grace only, without making the next one."""
        return self._write(lifecycle.deprecate, key_id, grace_s=grace_s, actor=actor, reason=reason)

    def undeprecate(self, key_id: str, *, actor: str, reason: str = "") -> Key:
        """Let a deprecated key work on."""
        return self._write(lifecycle.undeprecate, key_id, actor=actor, reason=reason)

    def throttle(
        self, key_id: str, *, per_min: int, until: float | None = None, actor: str, reason: str = ""
    ) -> Key:
        """Slow a key down."""
        return self._write(
            overlays.throttle, key_id, per_min=per_min, until=until, actor=actor, reason=reason
        )

    def unthrottle(self, key_id: str, *, actor: str, reason: str = "") -> Key:
        """Lift the throttle."""
        return self._write(overlays.unthrottle, key_id, actor=actor, reason=reason)

    def suspend(
        self, key_id: str, *, until: float | None = None, actor: str, reason: str = ""
    ) -> Key:
        """Stop a key for a while."""
        return self._write(overlays.suspend, key_id, until=until, actor=actor, reason=reason)

    def resume(self, key_id: str, *, actor: str, reason: str = "") -> Key:
        """Lift the suspension."""
        return self._write(overlays.resume, key_id, actor=actor, reason=reason)

    def revoke(self, key_id: str, *, actor: str, reason: str = "") -> Key:
        """End a key."""
        return self._write(lifecycle.revoke, key_id, actor=actor, reason=reason)

    def restore(self, key_id: str, *, actor: str, reason: str = "", force: bool = False) -> Key:
        """Bring a key back; see `lifecycle.restore`."""
        return self._write(lifecycle.restore, key_id, actor=actor, reason=reason, force=force)

    def mark_leak_proven(self, key_id: str, *, actor: str, reason: str = "") -> Key:
        """Note that strangers know the key."""
        return self._write(lifecycle.mark_leak_proven, key_id, actor=actor, reason=reason)

    def pay(self, key_id: str, tokens: int) -> int:
        """Have a key pay AI tokens from its budgets, where no gateway sees what an answer cost.

        Behind forward authentication the application calls this; every gateway knows within a
        second.

        Args:
            key_id: as the gateway tells it in X-Api-Key-Id.
            tokens: 0 or more.

        Returns:
            Number of budgets that the key has.

        Raises:
            KeyNotFoundError: when there is no such key.
            UsageError: for less than 0 tokens.
        """
        return self._write(paying.pay, key_id, tokens)

    def get(self, key_id: str) -> Key:
        """Return a key.

        Raises:
            KeyNotFoundError: when there is none of this id.
        """
        with reading(self.engine) as connection:
            return query.get(connection, key_id)

    def get_many(self, key_ids: Iterable[str]) -> dict[str, Key]:
        """Return those of the keys that exist, by id."""
        with reading(self.engine) as connection:
            return query.by_ids(connection, key_ids)

    def list(
        self,
        wanted: query.Filter = query.Filter(),  # noqa: B008  (frozen)
        limit: int | None = 100,
    ) -> list[Key]:
        """Return keys, the newest first."""
        with reading(self.engine) as connection:
            return query.newest(connection, self.clock(), wanted, limit)

    def find(self, credentials: Sequence[Credential]) -> Sequence[KnownKey | None]:
        """Return what is known of each credential; a `vocabulary.credential.Lookup`."""
        with reading(self.engine) as connection:
            found = query.find(connection, credentials)
        now = self.clock()
        return [key.known(now) if key else None for key in found]

    def credential(self, secret: str) -> Credential:
        """Hash a secret in every way by which this store may know it."""
        return credential_of(secret, peppers=self.peppers)

    def _write(self, verb: Callable[..., T], *args: Any, **kwargs: Any) -> T:  # noqa: ANN401
        """Call `verb` in a transaction; each caller's own signature is the checked one."""
        with transaction(self.engine) as connection:
            return verb(connection, *args, now=self.clock(), **kwargs)
