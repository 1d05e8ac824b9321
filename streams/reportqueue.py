"""The queue of reported keys, beside the pushes: put by who answers reports, taken by who acts."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, select

from database.schema import repo_events
from database.upsert import inserting
from streams.disclosure import Disclosure
from vocabulary.errors import ServiceError

MOST_WAITING = 50_000
"""Reports that may wait; more are to be sent again later."""

_STATE = "reported"


class Report(NamedTuple):
    """A key of the store that somebody reported; `id` is that of its row."""

    id: int
    key_id: str
    disclosure: Disclosure


def put(connection: Connection, reports: Sequence[tuple[str, str, Disclosure]], now: float) -> None:
    """Put reports into the queue; what waits there already is left as it is.

    Args:
        connection: of the transaction behind which they are answered.
        reports: (identity, key id, what was told) of each.
        now: epoch seconds.

    Raises:
        ServiceError: when too many wait.
    """
    waiting = select(func.count()).where(repo_events.c.state == _STATE)
    if (connection.scalar(waiting) or 0) + len(reports) > MOST_WAITING:
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
    statement = inserting(connection, repo_events).on_conflict_do_nothing(
        index_elements=["delivery"]
    )
    connection.execute(statement, rows)


def waiting(connection: Connection, most: int) -> list[Report]:
    """Return the reports that wait, the oldest first."""
    query = select(repo_events.c.id, repo_events.c.body).where(repo_events.c.state == _STATE)
    rows = connection.execute(query.order_by(repo_events.c.id).limit(most))
    return [
        Report(row.id, row.body["key_id"], msgspec.convert(row.body["told"], Disclosure))
        for row in rows
    ]


def done(connection: Connection, reports: Sequence[Report]) -> None:
    """Forget reports that were acted on: of the same key, at the same place, others may come."""
    ids = [one.id for one in reports]
    connection.execute(delete(repo_events).where(repo_events.c.id.in_(ids)))
