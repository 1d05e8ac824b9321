"""The change feed: which keys changed, numbered in the order in which that was committed."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from database.schema import changes
from database.transaction import in_commit_order
from keystore.bells import announce

EVERYTHING = ""
"""Key id of a change after which any key may be another: the database came from a backup, or a
plan or account of very many keys changed."""
NEW_KEYS = "*new"
"""Key id of a change that only added keys: what is held of known ones stays true."""
DENIALS = "*denials"
"""Key id of a change of the deny lists alone."""
TOO_MANY = 500
"""So many keys that change at once are told as a change of everything."""


class Change(msgspec.Struct, frozen=True):
    """One change of one key; `at` is epoch seconds."""

    seq: int
    key_id: str
    at: float


def record(connection: Connection, key_ids: Sequence[str], now: float, beyond: int = 0) -> range:
    """Number one change for each of the keys, in the caller's transaction.

    A follower that has seen number n will never be shown a smaller one later: writers are put
    in order before they take a number. Rows may be pruned, but never the last one.

    Args:
        connection: a write transaction.
        key_ids: the keys that changed, in order.
        now: epoch seconds.
        beyond: the numbers are greater than this one.
    """
    in_commit_order(connection)
    first = max(head(connection), beyond) + 1
    rows = [
        {"seq": seq, "key_id": key_id, "at": now} for seq, key_id in enumerate(key_ids, start=first)
    ]
    if rows:
        connection.execute(insert(changes), rows)
        announce(connection)
    return range(first, first + len(rows))


def either(key_ids: Sequence[str]) -> Sequence[str]:
    """Return the keys to be told of: themselves, or `EVERYTHING` when they are too many."""
    return key_ids if len(key_ids) < TOO_MANY else [EVERYTHING]


def changes_since(connection: Connection, seq: int, limit: int = 1000) -> list[Change]:
    """Return at most `limit` changes after number `seq`, the oldest first."""
    query = (
        select(changes.c.seq, changes.c.key_id, changes.c.at)
        .where(changes.c.seq > seq)
        .order_by(changes.c.seq)
        .limit(limit)
    )
    return [Change(*row) for row in connection.execute(query)]


class News(msgspec.Struct, frozen=True):
    """What a follower is told.

    Attributes:
        seq: number up to which it knows all now.
        key_ids: what changed, words of this module among it, each once; None when anything may
            have: the follower is new, changes are missing or too many, or all is another.
    """

    seq: int
    key_ids: tuple[str, ...] | None


def news(connection: Connection, seen: int | None, limit: int = 10_000) -> News:
    """Return what changed after number `seen`.

    A number that is missing in between, or that is smaller than one that was seen, means that
    rows were pruned or that this is another database: then everything may be another.

    Args:
        connection: reads one snapshot; what it reads beside this is as new.
        seen: what the follower knows; None for nothing.
        limit: more changes than that are told as everything.
    """
    newest = head(connection)
    if seen is None or newest < seen or newest - seen > limit:
        return News(newest, None)
    if newest == seen:
        return News(newest, ())
    found = changes_since(connection, seen, limit)
    complete = [change.seq for change in found] == list(range(seen + 1, newest + 1))
    if not complete or any(change.key_id == EVERYTHING for change in found):
        return News(newest, None)
    return News(newest, tuple(dict.fromkeys(change.key_id for change in found)))


def prune(connection: Connection, before: float) -> int:
    """Forget changes from before `before`, epoch seconds, but never the last one.

    A follower that was away for longer is told that everything changed.
    """
    in_commit_order(connection)
    old = delete(changes).where(changes.c.at < before, changes.c.seq < head(connection))
    return connection.execute(old).rowcount


def head(connection: Connection) -> int:
    """Return the number of the newest change, 0 when there was none."""
    newest: int | None = connection.execute(select(func.max(changes.c.seq))).scalar_one()
    return newest or 0
