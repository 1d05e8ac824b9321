"""The queue of repository events: put by those who listen, taken by the one who scans."""

from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Float, case, delete, literal, select, update

from database.schema import repo_events
from database.upsert import inserting
from vocabulary.repository import RepoEvent

RETRY_AFTER_S = (0.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 21_600.0, 86_400.0, 259_200.0)
"""How long after its arrival an event is due for the first, second, … time.

Forges and key stores are away for an hour now and then, and for a day when it is bad.
"""

_MAX_ERROR = 500


class Queued(NamedTuple):
    """An event whose turn it is, and how often it was tried before."""

    id: int
    event: RepoEvent
    attempts: int


def put(connection: Connection, event: RepoEvent) -> bool:
    """Put an event into the queue; False when its delivery is known, whatever became of it."""
    row = {
        "delivery": f"{event.forge}:{event.delivery}",
        "body": msgspec.to_builtins(event),
        "state": "waiting",
        "attempts": 0,
        "received_at": event.received_at,
    }
    statement = inserting(connection, repo_events).values(row)
    statement = statement.on_conflict_do_nothing(index_elements=["delivery"])
    return connection.execute(statement.returning(repo_events.c.id)).first() is not None


def take(connection: Connection, now: float) -> Queued | None:
    """Take the next event that is due; say `done` or `failed` when it is dealt with.

    An attempt counts when it is taken, so that an event that brings the process down is given
    up after a few. Untold, it comes again later.

    Args:
        connection: of a transaction of its own, which is committed before the event is worked on.
        now: epoch seconds.
    """
    due = case(
        {number: literal(wait_s, Float) for number, wait_s in enumerate(RETRY_AFTER_S)},
        value=repo_events.c.attempts,
        else_=literal(RETRY_AFTER_S[-1], Float),
    )
    row = connection.execute(
        select(repo_events)
        .where(repo_events.c.state == "waiting", repo_events.c.received_at + due <= now)
        .order_by(repo_events.c.attempts, repo_events.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    if row.attempts >= len(RETRY_AFTER_S):
        _set(connection, row.id, state="dead", error=row.error or "given up: it never ended")
        return take(connection, now)
    _set(connection, row.id, attempts=row.attempts + 1)
    return Queued(row.id, msgspec.convert(row.body, RepoEvent), row.attempts)


def done(connection: Connection, event_id: int) -> None:
    """Note that an event was dealt with."""
    _set(connection, event_id, state="done", error="")


def failed(connection: Connection, event_id: int, error: str) -> None:
    """Note why an event could not be dealt with; it is tried again later, or given up."""
    query = select(repo_events.c.attempts).where(repo_events.c.id == event_id)
    attempts = connection.execute(query).scalar_one()
    state = "dead" if attempts >= len(RETRY_AFTER_S) else "waiting"
    _set(connection, event_id, state=state, error=error[:_MAX_ERROR])


def prune(connection: Connection, before: float) -> int:
    """Drop events that were dealt with, or given up, and came before then (epoch seconds).

    Returns:
        How many of them had been given up.
    """
    old = repo_events.c.received_at < before
    connection.execute(delete(repo_events).where(repo_events.c.state == "done", old))
    return connection.execute(
        delete(repo_events).where(repo_events.c.state == "dead", old)
    ).rowcount


def _set(connection: Connection, event_id: int, **values: object) -> None:
    connection.execute(update(repo_events).where(repo_events.c.id == event_id).values(values))
