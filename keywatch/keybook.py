"""What the key store knows of the keys that pass by, kept in memory and true to the change feed."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from database.transaction import reading
from detectors.facts import KeyFacts
from keystore import feed, grants, query
from keywatch.config_keys import KeySettings
from keywatch.keystores import key_store
from vocabulary.credential import Credential, KnownKey, Lookup

if TYPE_CHECKING:
    from keystore.keys import Key

MOST = 500_000
"""Keys that are remembered; then the book starts anew."""

_MISSING = object()


def sensitivity_of(table: Mapping[str, float], key_id: str, key_class: str) -> float:
    """Return what is configured for the key, or else for its class, or else for all."""
    return table.get(key_id, table.get(key_class or "*", table.get("*", 0.0)))


class KeyBook:
    """Answers for whole batches of keys with few queries.

    A store without any key means that keywatch is used to watch alone: then every key whose
    request was accepted is watched. Else only keys of the store are.

    Args:
        engine: from `open_database`.
        settings: how keys are hashed.
        sensitivity: class, key id or * → how much sooner it is alerted about.
        elsewhere: asked for credentials in place of the store alone; see `foreign.Elsewhere`.
    """

    def __init__(
        self,
        engine: Engine,
        settings: KeySettings,
        sensitivity: Mapping[str, float] = MappingProxyType({}),
        elsewhere: Lookup | None = None,
    ) -> None:
        self._engine = engine
        self._sensitivity = sensitivity
        self._store = key_store(engine, settings)
        self._find = elsewhere or self._store.find
        self._keys: dict[str, Key | None] = {}
        self._raw: dict[str, KnownKey | None] = {}
        self._seq = -1

    def look_up(self, key_ids: Sequence[str]) -> None:
        """Bring the book up to date for these keys; call once a batch."""
        with reading(self._engine) as connection:
            self._follow(connection)
            if self._seq > 0:
                self._fetch(connection, key_ids)

    def known(self, key_ids: Sequence[str]) -> Sequence[bool]:
        """Say of each key whether its events may be learned from."""
        if self._seq <= 0:
            return [True] * len(key_ids)
        return [self._keys.get(key_id) is not None for key_id in key_ids]

    def facts(self, key_ids: Sequence[str]) -> Mapping[str, KeyFacts]:
        """Return what the detectors may know of these keys."""
        if not self._keys and not self._sensitivity:
            return {}
        rows = ((key_id, self._keys.get(key_id)) for key_id in key_ids)
        # Of a store that has keys, the others are not watched.
        return {
            key_id: self._facts(key_id, key)
            for key_id, key in rows
            if key is not None or self._seq <= 0
        }

    def _facts(self, key_id: str, key: "Key | None") -> KeyFacts:
        if key is None:
            return KeyFacts(sensitivity=sensitivity_of(self._sensitivity, key_id, ""))
        keen = sensitivity_of(self._sensitivity, key_id, key.key_class)
        said = key.declared
        return KeyFacts(
            key.key_class, key.created_at, key.tz, key.environment, keen, key.rotated_from or "",
            said.countries, said.hours, said.days, said.rate_per_h,
            float(key.tokens_per_day or 0), key.networks,
        )  # fmt: skip

    def shown(self, values: Collection[str]) -> Mapping[str, KnownKey]:
        """Return the keys of the store among values that are no ids of it: value → key."""
        self.look_up([value for value in values if value not in self._raw])
        if self._seq <= 0:
            return {}
        if len(self._raw) > MOST:
            self._raw.clear()
        strange = [v for v in values if self._keys.get(v) is None and v not in self._raw]
        if strange:
            found = self._store.find([self._store.credential(value) for value in strange])
            self._raw.update(zip(strange, found, strict=True))
        return {value: key for value in values if (key := self._raw.get(value))}

    def find(self, credentials: Sequence[Credential]) -> Sequence[KnownKey | None]:
        """Return what the store knows of each credential."""
        return self._find(credentials)

    def ours(self, key_ids: Sequence[str]) -> set[str]:
        """Return those that the store has, of keys that were looked up."""
        return {key_id for key_id in key_ids if self._keys.get(key_id) is not None}

    def known_key(self, connection: Connection, key_id: str) -> KnownKey | None:
        """Return what the store knows of a key right now, in the caller's transaction."""
        key = query.by_ids(connection, [key_id]).get(key_id)
        return key.known(time.time()) if key else None

    def _follow(self, connection: Connection) -> None:
        follows = self._seq >= 0 and len(self._keys) <= MOST
        told = feed.news(connection, self._seq if follows else None)
        if told.key_ids is None:
            self._keys.clear()
        if told.key_ids is None or told.key_ids:
            self._raw.clear()
        for key_id in told.key_ids or ():
            if key_id == feed.NEW_KEYS:
                unknown = [name for name, key in self._keys.items() if key is None]
                for name in unknown:
                    del self._keys[name]
            self._keys.pop(key_id, None)
        self._seq = told.seq

    def _fetch(self, connection: Connection, key_ids: Sequence[str]) -> None:
        missing = [key_id for key_id in key_ids if self._keys.get(key_id, _MISSING) is _MISSING]
        found = query.by_ids(connection, missing) if missing else {}
        found |= _inheriting(connection, found.values())
        self._keys.update((key_id, found.get(key_id)) for key_id in missing)


def _inheriting(connection: Connection, keys: Iterable["Key"]) -> dict[str, "Key"]:
    """Return the keys whose budget of a day is that of their plan or their account's, with it."""
    heirs = [k for k in keys if k.tokens_per_day is None and (k.plan_id or k.account_id)]
    granted = grants.grants_of(connection, heirs) if heirs else []
    return {
        one.key.id: replace(one.key, tokens_per_day=one.tokens_per_day)
        for one in granted
        if one.tokens_per_day is not None
    }
