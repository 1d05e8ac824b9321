"""What stays as it is when a backup takes the database's place: a step back lets nobody in again.

Keys that were revoked, suspended, forgotten or seen by strangers since, secrets that were replaced,
what deny lists say, and who of the people and programs may do what.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, delete, or_, select, update

from database.schema import api_tokens, keys, sessions, users
from keystore import denials, lifecycle, query
from keystore.denials import Denial
from keystore.forgetting import forget, forgotten
from keystore.keys import Key, KeyState, Kind

_PEOPLE = ("role", "hash", "origin", "disabled")


class Staying(msgspec.Struct, frozen=True):
    """What a database says that outlives it.

    Attributes:
        keys: id → columns, of keys that may not do what they once might.
        gone: ids of keys that were forgotten.
        denied: what is refused.
        people: name → columns.
        programs: ids of API tokens that were ended → when.
    """

    keys: Mapping[str, Mapping[str, Any]]
    gone: tuple[str, ...]
    denied: tuple[Denial, ...]
    people: Mapping[str, Mapping[str, Any]]
    programs: Mapping[str, float]


NOTHING = Staying({}, (), (), {}, {})


def of(connection: Connection, now: float) -> Staying:
    """Read it from the database that is to be replaced, of the newest schema."""
    columns = ("hash", "state", "leak_proven", "suspended", "suspended_until")
    held = or_(
        keys.c.state == KeyState.REVOKED.value,
        keys.c.leak_proven,
        keys.c.suspended,
        keys.c.kind == Kind.OAUTH_CLIENT.value,
    )
    ended = api_tokens.c.revoked_at.is_not(None)
    programs = select(api_tokens.c.id, api_tokens.c.revoked_at).where(ended)
    return Staying(
        keys=_rows(connection, keys, "id", columns, held),
        gone=tuple(forgotten(connection)),
        denied=tuple(denials.snapshot(connection, now)),
        people=_rows(connection, users, "name", _PEOPLE),
        programs={row.id: row.revoked_at for row in connection.execute(programs)},
    )


def put(connection: Connection, staying: Staying, *, actor: str, reason: str, now: float) -> int:
    """Have a backup say it, too; return to how many keys that made a difference.

    Args:
        connection: a write transaction in the backup's copy.
        staying: from `of`.
        actor: who goes back.
        reason: why.
        now: epoch seconds.
    """
    act: dict[str, Any] = {"actor": actor, "reason": reason, "now": now}
    changed = 0
    for key in query.by_ids(connection, {*staying.keys, *staying.gone}).values():
        told = staying.keys.get(key.id)
        changed += _hold(connection, key, told, **act) if told else _forget(connection, key, **act)
    for denied in staying.denied:
        denials.deny(connection, denied, **act)
    _people(connection, staying)
    return changed


def _hold(connection: Connection, key: Key, told: Mapping[str, Any], **act: Any) -> int:  # noqa: ANN401
    """Make a key no better than it was."""
    values: dict[str, Any] = {"leak_proven": key.leak_proven or told["leak_proven"]}
    if told["suspended"]:
        values |= {name: told[name] for name in ("suspended", "suspended_until")}
    if key.kind == Kind.OAUTH_CLIENT:
        values["hash"] = told["hash"]
    if told["state"] == KeyState.REVOKED and key.state != KeyState.REVOKED:
        values |= {"state": told["state"], "previous_state": key.state}
    who = (act["actor"], act["reason"], act["now"])
    return int(lifecycle.write(connection, key, values, "stay_ended", who) is not key)


def _forget(connection: Connection, key: Key, **act: Any) -> int:  # noqa: ANN401
    end: Callable[..., object] = lifecycle.revoke
    if not key.store:
        end = forget
        act["force"] = True
    end(connection, key.id, **act)
    return 1


def _people(connection: Connection, staying: Staying) -> None:
    """Leave people and programs what they may do, and nobody logged in."""
    connection.execute(delete(sessions))
    for name, columns in staying.people.items():
        connection.execute(update(users).where(users.c.name == name).values(**columns))
    for token_id, at in staying.programs.items():
        ended = update(api_tokens).where(api_tokens.c.id == token_id)
        connection.execute(ended.where(api_tokens.c.revoked_at.is_(None)).values(revoked_at=at))


def _rows(
    connection: Connection,
    table: Table,
    name: str,
    columns: Iterable[str],
    *conditions: Any,  # noqa: ANN401
) -> dict[str, Mapping[str, Any]]:
    query = select(table.c[name], *(table.c[column] for column in columns)).where(*conditions)
    found = (dict(row) for row in connection.execute(query).mappings())
    return {row.pop(name): row for row in found}
