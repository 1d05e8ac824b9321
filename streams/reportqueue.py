"""The queue of reported keys, beside the pushes: put by who answers reports, taken by who acts."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from database.listed import among
from database.schema import repo_events
from database.upsert import inserting
from streams.disclosure import Disclosure
from vocabulary.errors import ServiceError

MOST_WAITING = 50_000
"""Reports that may wait; more are to be sent again later. Half of them may be of keys that only
another store may know, so that these keep none of ours out."""

UNKNOWN = ""
"""The key's id while it is to be seen whether another store has it."""

GIVEN_UP_S = 3 * 86_400.0
"""How long a store may be away until reports that wait for it are given up."""

_STATE = "reported"
_MAX_ERROR = 500


class Report(NamedTuple):
    """A key of the store that somebody reported; `id` is that of its row."""

    id: int
    key_id: str
    disclosure: Disclosure


def put(connection: Connection, reports: Sequence[tuple[str, str, Disclosure]], now: float) -> None:
    """Put reports into the queue; what waits there already is left as it is.

    What was given up and is reported once more is tried again.

    Args:
        connection: of the transaction behind which they are answered.
        reports: (identity, key id, what was told) of each.
        now: epoch seconds.

    Raises:
        ServiceError: when too many wait.
    """
    waiting = select(func.count()).where(repo_events.c.state == _STATE)
    most = MOST_WAITING // (2 if any(key_id == UNKNOWN for _, key_id, _ in reports) else 1)
    if (connection.scalar(waiting) or 0) + len(reports) > most:
        raise ServiceError(
            "too many reports wait", where="reports of leaks", remedy="send them again later"
        )
    rows = [
        {
            "delivery": f"report:{identity}",
            "body": {"key_id": key_id, "told": msgspec.to_builtins(told)},
            "state": _STATE,
            "attempts": 0,
            "error": "",
            "received_at": now,
        }
        for identity, key_id, told in reports
    ]
    statement = inserting(connection, repo_events)
    again = {"state": _STATE, "received_at": now}
    statement = statement.on_conflict_do_update(
        index_elements=["delivery"], set_=again, where=repo_events.c.state == "dead"
    )
    connection.execute(statement, rows)


def waiting(connection: Connection, most: int, *, unknown: bool = True) -> list[Report]:
    """Return the reports that wait, those first that were tried least, of them the oldest.

    Args:
        connection: to read with.
        most: so many, at most.
        unknown: also those of keys that another store may know.
    """
    c = repo_events.c
    query = select(c.id, c.body).where(c.state == _STATE)
    if not unknown:
        query = query.where(c.body["key_id"].as_string() != UNKNOWN)
    rows = connection.execute(query.order_by(c.attempts, c.id).limit(most))
    return [
        Report(row.id, row.body["key_id"], msgspec.convert(row.body["told"], Disclosure))
        for row in rows
    ]


def wait_on(connection: Connection, reports: Sequence[Report], error: str, now: float) -> int:
    """Note that reports could not be judged, and why; all that wait for too long are given up.

    Args:
        connection: a transaction.
        reports: which ones.
        error: says which store is away.
        now: epoch seconds.

    Returns:
        How many were given up.
    """
    c = repo_events.c
    these = among(c.id, [one.id for one in reports])
    told = {"attempts": c.attempts + 1, "error": error[:_MAX_ERROR]}
    connection.execute(update(repo_events).where(these).values(told))
    old = update(repo_events).where(_is_unsure(), c.received_at < now - GIVEN_UP_S)
    return connection.execute(old.values(state="dead", error=error[:_MAX_ERROR])).rowcount


def waiting_for_stores(connection: Connection) -> int:
    """Return how many reports wait until it is known whether another store has their keys."""
    return connection.execute(select(func.count()).where(_is_unsure())).scalar_one()


def done(connection: Connection, reports: Sequence[Report]) -> None:
    """Forget reports that were acted on: of the same key, at the same place, others may come."""
    ids = [one.id for one in reports]
    connection.execute(delete(repo_events).where(among(repo_events.c.id, ids)))


def _is_unsure() -> ColumnElement[bool]:
    c = repo_events.c
    return and_(c.state == _STATE, c.body["key_id"].as_string() == UNKNOWN)
