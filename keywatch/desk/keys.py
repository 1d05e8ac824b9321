"""Keys as they are looked at: the list, one key, its use, its profile."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from database.schema import keys, usage
from keystore import lifecycle, spending
from keystore import query as keystore_query
from keystore.audit import storable
from keystore.grants import grants_of
from keystore.keys import Key, KeyState, key_of
from keystore.scheme import KeyScheme
from keywatch.desk import contract
from keywatch.desk.doing import Act
from keywatch.desk.looking import MissingError
from keywatch.desk.paging import paged
from keywatch.keystores import key_json
from vocabulary.errors import KeyNotFoundError, UsageError
from vocabulary.moments import rfc3339

_HOUR_S = 3600
_DAY_S = 86_400
_LONGEST_GRACE_S = 366 * _DAY_S
_WINDOWS = dict(zip(spending.WINDOWS_S, ("minute", "day", "month"), strict=True))
_LAST = "\U0010ffff"
_STORED = {
    KeyState.REVOKED.value: (KeyState.REVOKED.value, KeyState.DEPRECATED.value),
    KeyState.DEPRECATED.value: (KeyState.DEPRECATED.value,),
}
"""Effective state → states as they are written, of which there may be few among very many."""
_FEW = 2000
_MATCHES = 1000


def list_keys(
    connection: Connection,
    now: float,
    wanted: keystore_query.Filter,
    *,
    find: str = "",
    after: str = "",
    limit: int = 50,
) -> contract.Page[contract.Key]:
    """Return keys and other identities, the newest first; expired ones by when they expired.

    Args:
        connection: any.
        now: epoch seconds.
        wanted: which of them.
        find: beginning of an id, or a whole owner.
        after: `next` of the page before.
        limit: rows.
    """
    listed: Select[Any] = select(keys).where(*keystore_query.conditions(wanted, now))
    if find:
        listed = listed.where(_found(storable(find)))
    order: tuple[ColumnElement[Any], ColumnElement[str]] = (keys.c.created_at, keys.c.id)
    if wanted.state == KeyState.EXPIRED and not find:
        order = (keys.c.expires_at, keys.c.id)
        listed = listed.where(keys.c.expires_at <= now)
    elif stored := _STORED.get(wanted.state):
        some = select(keys.c.state).where(keys.c.state.in_(stored)).limit(_FEW + 1).subquery()
        if int(connection.scalar(select(func.count()).select_from(some)) or 0) <= _FEW:
            listed = listed.where(
                keys.c.id.in_(select(keys.c.id).where(keys.c.state.in_(stored)).limit(_FEW))
            )

    def shown(row: Row[Any]) -> contract.Key:
        return _key({**row._mapping}, now)  # noqa: SLF001  (its public name)

    return paged(connection, listed, order, shown, after=after, limit=limit)


def show_key(connection: Connection, key_id: str, now: float) -> contract.Key:
    """Return a key.

    Raises:
        MissingError: when there is none.
    """
    try:
        return _convert(keystore_query.get(connection, key_id), now)
    except KeyNotFoundError as error:
        raise MissingError(error.what) from None


def _found(find: str) -> ColumnElement[bool]:
    """Return the condition for what somebody looks for; each way of looking has its index."""
    if not find.startswith("key_"):
        return keys.c.owner == find
    begins = select(keys.c.id).where(keys.c.id.between(find, find + _LAST))
    return keys.c.id.in_(begins.order_by(keys.c.id).limit(_MATCHES))


def use_of(connection: Connection, key_id: str, since: float) -> contract.Page[contract.Use]:
    """Return how much a key was used in each hour since, the oldest first."""
    total = func.sum(usage.c.requests)
    refused = func.sum(usage.c.requests).filter(usage.c.status_class >= 4)  # noqa: PLR2004
    rows = connection.execute(
        select(usage.c.hour, total, refused, func.sum(usage.c.tokens))
        .where(usage.c.key_id == storable(key_id), usage.c.hour > since - _HOUR_S)
        .group_by(usage.c.hour)
        .order_by(usage.c.hour)
    ).all()
    items = tuple(
        contract.Use(hour=rfc3339(at), requests=int(n), refused=int(bad or 0), tokens=int(tokens))
        for at, n, bad, tokens in rows
    )
    return contract.Page(items=items)


def budgets_of(connection: Connection, key_id: str, now: float) -> contract.Page[contract.Budget]:
    """Return what AI tokens a key may spend, by itself or by its plan, and has spent.

    Raises:
        MissingError: when there is no such key.
    """
    try:
        found = keystore_query.get(connection, key_id)
    except KeyNotFoundError as error:
        raise MissingError(error.what) from None
    (granted,) = grants_of(connection, [found])
    spent = {one.window_s: one for one in spending.of_keys(connection, [key_id])}
    items = tuple(
        contract.Budget(
            window=_WINDOWS[window_s],
            tokens=tokens,
            used=round(spent[window_s].left(tokens, now)) if window_s in spent else 0,
        )
        for window_s, tokens in granted.budgets
    )
    return contract.Page(items=items)


def rotate(
    connection: Connection, key_id: str, wanted: contract.Rotation, act: Act, scheme: KeyScheme
) -> contract.Rotated:
    """Replace a key with a new one of the same grants; its secret is in what is returned alone."""
    if wanted.grace_s is not None and not 0 <= wanted.grace_s <= _LONGEST_GRACE_S:
        raise UsageError("a grace is 0 to 366 days long")
    show_key(connection, key_id, act.now)
    issued = lifecycle.rotate(
        connection,
        key_id,
        actor=act.actor,
        reason=wanted.reason.strip(),
        now=act.now,
        grace_s=wanted.grace_s,
        scheme=scheme,
    )
    old = show_key(connection, key_id, act.now)
    until = old.grace_until if old.state == KeyState.DEPRECATED else None
    return contract.Rotated(
        id=key_id, replaced_by=issued.key.id, secret=issued.secret, grace_until=until
    )


def counted(connection: Connection, now: float, days: float) -> tuple[int, int]:
    """Return the number of keys, and of those that end by themselves within `days`."""
    everything = int(connection.scalar(select(func.count()).select_from(keys)) or 0)
    ending = keys.c.expires_at.between(now, now + days * 86_400)
    found = select(keys.c.expires_at).where(ending, keys.c.state != KeyState.REVOKED.value)
    soon = select(func.count()).select_from(found.subquery())
    return everything, int(connection.scalar(soon) or 0)


def _key(row: dict[str, Any], now: float) -> contract.Key:
    return _convert(key_of(row), now)


def _convert(key: Key, now: float) -> contract.Key:
    return msgspec.convert(key_json(key, now), contract.Key)
