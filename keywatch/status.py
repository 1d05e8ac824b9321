"""What the pipeline has done and how far behind it is, read from the database."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, func, select

from database import counters
from database.schema import alerts, dead_letters, keys, outbox, positions, repo_events
from database.transaction import reading
from keywatch import rates
from streams import checkpoint, deadletter, reportqueue
from streams.failing import failing
from vocabulary.errors import DatabaseError
from vocabulary.moments import rfc3339

WAITING = ("waiting", "leased")

REFUSED = "refused:"
"""How the names of totals begin that count refused requests; door and status follow."""

KNOWN = "known:"
"""How the names of totals begin that count batches that had been committed before."""

DROPPED = "dropped:"
"""How the names of totals begin that count rows which had to make room for others."""

LATE = "late:"
"""How the names of totals begin that count late events of a source."""

NOTES = ("audit:", "poll:", "public:", deadletter.PUBLISHED)
"""How the names of positions begin that no events come from: what was told, seen or published."""


def status(engine: Engine, now: float | None = None) -> dict[str, Any]:
    """Return the figures of `keywatch status --json`.

    `events` counts lines read, events committed, dead letters and late events since the database
    was made; `events_per_s` are those of the last five whole minutes; `newest` is the time of a
    source's newest event, the watermark of what was read of it; `lag_s` is how old the newest event
    of the last batch was when it was committed; `behind` is what waited then, bytes of a file or
    records of a partition; `repositories` counts pushes that wait, reports that were taken in and
    are not acted upon yet, those of them that wait for another store's answer, and what was given
    up; `refused` counts requests that a door (events, webhooks) turned away, by
    status, and `known` batches that had been committed before; `dropped` counts dead letters and
    repository events given up that made room for others.
    """
    now = time.time() if now is None else now
    with reading(engine) as connection:
        totals = counters.all_of(connection)
        by_state = select(outbox.c.state, func.count()).group_by(outbox.c.state)
        states = {str(state): int(n) for state, n in connection.execute(by_state)}
        by_state = select(repo_events.c.state, func.count()).group_by(repo_events.c.state)
        queued = {str(state): int(n) for state, n in connection.execute(by_state)}
        return {
            "events": {
                "read": totals.get("events_read", 0),
                "committed": totals.get("events_committed", 0),
                "dead": _rows(connection, dead_letters),
                "late": totals.get("events_late", 0),
            },
            "keys": _rows(connection, keys),
            "alerts": _rows(connection, alerts),
            "outbox": {
                "waiting": sum(states.get(state, 0) for state in WAITING),
                "done": states.get("done", 0),
                "dead": states.get("dead", 0),
                "dry_run": states.get("dry_run", 0),
            },
            "repositories": {
                "waiting": queued.get("waiting", 0),
                "reported": queued.get("reported", 0),
                "unsure": reportqueue.waiting_for_stores(connection),
                "given_up": queued.get("dead", 0),
            },
            "refused": {f"{door} {code}": n for (door, code), n in refused(totals).items()},
            "known": under(KNOWN, totals),
            "dropped": under(DROPPED, totals),
            "sources": sources_told(connection, totals, now),
            "events_per_s": rates.per_second(connection, now),
            "lag_s": totals.get("lag_ms", 0) / 1000,
        }


def sources_told(
    connection: Connection, totals: Mapping[str, int], now: float
) -> dict[str, dict[str, Any]]:
    """Return the figures of each source for people and programs, those that fail among them."""
    sources = connection.execute(select(positions).order_by(positions.c.source)).all()
    failed = failing(connection, now)
    figures = figures_of_sources(connection, sources, totals, now)
    never = {name: never_read() for name in failed if name not in figures}
    return {
        name: _shown(one) | {"failed": failed.get(name, "")}
        for name, one in (figures | never).items()
    }


def refused(totals: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """Return how many requests were refused, by (door, status), out of all totals."""
    mine = [
        (name.removeprefix(REFUSED), n) for name, n in totals.items() if name.startswith(REFUSED)
    ]
    return {(name.rpartition(":")[0], name.rpartition(":")[2]): n for name, n in sorted(mine)}


def under(beginning: str, totals: Mapping[str, int]) -> dict[str, int]:
    """Return the totals whose names begin so, by what follows."""
    mine = sorted(name for name in totals if name.startswith(beginning))
    return {name.removeprefix(beginning): totals[name] for name in mine}


def outbox_is_long(engine: Engine, most: int) -> bool:
    """Say whether more effects wait than that; never where it is 0, nor where nobody can tell."""
    if not most:
        return False
    waiting = select(outbox.c.id).where(outbox.c.state.in_(WAITING)).limit(most + 1).subquery()
    try:
        with reading(engine) as connection:
            return (connection.scalar(select(func.count()).select_from(waiting)) or 0) > most
    except DatabaseError:
        return False


def figures_of_sources(
    connection: Connection, rows: Sequence[Row[Any]], totals: Mapping[str, int], now: float
) -> dict[str, dict[str, Any]]:
    """Say of each source where it is, how far it has come in time, how much waits behind it.

    Objects are told of together, as the folder that they lie in.

    Args:
        connection: to read with.
        rows: of the table `positions`.
        totals: all counters.
        now: epoch seconds.
    """
    dead, rate = deadletter.per_source(connection), rates.per_source(connection, now)
    late = under(LATE, totals)
    families: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        if not row.source.startswith(NOTES):
            families[row.position.get("folder") or row.source].append(row)
    return {
        name: _figures(members, now)
        | {
            "events_per_s": rate.get(name, 0.0),
            "dead": sum(n for source, n in dead.items() if _is_of(source, name, members)),
            "late": late.get(name, 0),
        }
        for name, members in families.items()
    }


def _figures(members: Sequence[Row[Any]], now: float) -> dict[str, Any]:
    newest = max(members, key=lambda row: (row.position.get("newest_ms", 0), row.updated_at))
    position, lag_ms = newest.position, newest.position.get("lag_ms")
    unread = sum(not row.position.get("done") for row in members)
    kept = sum(row.position.get("archived", 1) for row in members)
    folder = {"objects": kept, "unfinished": unread}
    return {
        "position": folder if "folder" in position else checkpoint.bare(position),
        "age_s": round(max(now - max(row.updated_at for row in members), 0.0), 3),
        "newest": _moment(position.get("newest_ms")),
        "newest_s": position.get("newest_ms", 0) / 1000 or None,
        "lag_s": None if lag_ms is None else lag_ms / 1000,
        "behind": position.get("behind"),
    }


def _is_of(source: str, name: str, members: Sequence[Row[Any]]) -> bool:
    """Say whether lines of `source` are told of under a name: its own, or its folder's."""
    is_folder = "folder" in members[0].position
    return source == name or (is_folder and source.startswith(f"{name}/"))


def _shown(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures with the newest event's time for people alone."""
    return {name: value for name, value in figures.items() if name != "newest_s"}


def never_read() -> dict[str, Any]:
    """Say the same of a source of which nothing was ever committed."""
    figures: dict[str, Any] = dict.fromkeys(("age_s", "lag_s", "behind"))
    return {"position": {}, "newest": "", **figures, "events_per_s": 0.0, "dead": 0, "late": 0}


def _moment(epoch_ms: int | None) -> str:
    return rfc3339(epoch_ms / 1000) if epoch_ms else ""


def _rows(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
