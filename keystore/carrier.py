"""Carrying what is decided here to where a key lives: ours is the truth, the other store follows.

A key with a `store` is revoked, throttled or restored there as soon as it or its account is here,
and when a suspension or throttle ends by itself. What cannot be carried is tried again; nothing is
lost by a crash, because what was done is noted after it was done, and can be done again.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, exists, or_, select

from database.listed import among
from database.schema import accounts, keys, positions
from database.transaction import reading, transaction
from database.upsert import inserting
from keystore import feed
from keystore.adapters import Adapter
from keystore.grants import Grants, grants_of
from keystore.keys import Key, key_of
from vocabulary.errors import KeyNotFoundError, KeywatchError, UsageError

_AT_ONCE = 500
_ENDS = ("suspended_until", "throttle_until", "grace_until", "expires_at")
_ACCOUNT_ENDS = ("suspended_until", "throttle_until")
_WORKS = frozenset({"live", "test", "deprecated"})


class _Position(msgspec.Struct):
    """How far a store has followed: change number, time, and keys that are still owed."""

    seq: int | None = None
    at: float = 0.0
    owed: list[str] = []
    done: dict[str, str] = {}


@dataclass(slots=True)
class Turn:
    """What a turn did: keys that were carried, and why others could not be."""

    carried: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


class Carrier:
    """Makes one store follow; one process at a time.

    Args:
        engine: our database.
        name: of the store, as `Key.store` has it.
        adapter: reaches it.
    """

    def __init__(self, engine: Engine, name: str, adapter: Adapter) -> None:
        self._engine, self._name, self._adapter = engine, name, adapter
        self._source = f"store:{name}"

    def turn(self, now: float) -> Turn:
        """Carry what changed since the last turn, and what is still owed.

        Raises:
            DatabaseError: when our own database is away.
        """
        with reading(self._engine) as connection:
            position = _position(connection, self._source)
            told = feed.news(connection, position.seq)
            due = self._due(connection, position, told.key_ids, now)
        result, owed, done = Turn(), [], dict(position.done)
        for grants in due:
            key, wanted = grants.key, _wanted(grants, now)
            if done.get(key.id, "") == wanted:
                continue
            try:
                self._carry(key, wanted)
            except KeywatchError as error:
                result.failed.append((key.id, str(error)))
                if not isinstance(error, (UsageError, KeyNotFoundError)):
                    owed.append(key.id)
                    continue
            else:
                result.carried.append(key.id)
            done[key.id] = wanted
        after = _Position(told.seq, now, owed, {name: was for name, was in done.items() if was})
        if after != position and (due or after.seq != position.seq):
            with transaction(self._engine) as connection:
                _note(connection, self._source, after, now)
        return result

    def _due(
        self,
        connection: Connection,
        position: _Position,
        changed: tuple[str, ...] | None,
        now: float,
    ) -> list[Grants]:
        """Return keys of the store that changed, that are owed, or of which something ended."""
        query = select(keys).where(keys.c.store == self._name)
        if changed is not None:
            ended: list[ColumnElement[bool]] = [_account_changed_by_itself(position.at, now)]
            ended += [(keys.c[name] > position.at) & (keys.c[name] <= now) for name in _ENDS]
            named = [among(keys.c.id, chunk) for chunk in _chunks([*changed, *position.owed])]
            query = query.where(or_(*ended, *named))
        found = [key_of({**row}) for row in connection.execute(query).mappings()]
        return grants_of(connection, found)

    def _carry(self, key: Key, wanted: str) -> None:
        """Make the store's key as ours is; `wanted` is "", "revoked" or requests a minute."""
        if wanted == "revoked":
            self._adapter.revoke(key.external_id)
            return
        self._adapter.restore(key.external_id)
        if wanted:
            self._adapter.throttle(key.external_id, int(wanted))


def _wanted(grants: Grants, now: float) -> str:
    """Return what the other store is to do with the key: nothing, a limit a minute, or "revoked".

    A store that cannot throttle lets the key in as before: the next step is somebody's decision.
    Others count keys one by one, so each gets what all keys of a throttled account may do.
    """
    if grants.key.verdict(now) not in _WORKS or grants.is_suspended(now):
        return "revoked"
    throttled = (one for one in (grants.key, grants.account) if one and one.is_throttled(now))
    return str(min((one.throttle_per_min or 0 for one in throttled), default=""))


def _account_changed_by_itself(since: float, now: float) -> ColumnElement[bool]:
    """Return the condition that something that lies over a key's account has just ended."""
    ended = [(accounts.c[name] > since) & (accounts.c[name] <= now) for name in _ACCOUNT_ENDS]
    return exists().where(accounts.c.id == keys.c.account_id, or_(*ended))


def _chunks(values: list[str]) -> list[list[str]]:
    return [values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE)]


def _position(connection: Connection, source: str) -> _Position:
    query = select(positions.c.position).where(positions.c.source == source)
    found: dict[str, Any] | None = connection.execute(query).scalar()
    return msgspec.convert(found, _Position) if found else _Position()


def _note(connection: Connection, source: str, position: _Position, now: float) -> None:
    values = {"position": msgspec.to_builtins(position), "updated_at": now}
    statement = inserting(connection, positions).values(source=source, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=values))
