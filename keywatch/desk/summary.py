"""What needs somebody now, and how it goes: figures of the overview and of the metrics."""

from datetime import UTC, datetime
from statistics import median, quantiles

from sqlalchemy import Connection, Integer, cast, func, select

from actions.queue import EFFECT
from database import counters
from database.schema import alerts, dead_letters, incidents, outbox, positions, profiles
from keywatch.desk import contract, keys

_DAY_S = 86_400
_DAYS = 14
_SOON_DAYS = 14
_LATEST = 5000
_FRESH_S = 3600.0
_NOTES = ("audit:", "poll:")
"""What the pipeline notes for itself beside the positions of sources."""


def overview(connection: Connection, enabled: tuple[str, ...], now: float) -> contract.Overview:
    """Return the figures of the overview.

    Args:
        connection: any.
        enabled: actions that are carried out.
        now: epoch seconds.
    """
    totals = counters.all_of(connection)
    states = outbox_states(connection)
    everything, ending = keys.counted(connection, now, _SOON_DAYS)
    return contract.Overview(
        held=states.get("held", 0),
        open_incidents=open_incidents(connection),
        failed_actions=states.get("dead", 0),
        dead_letters=int(connection.scalar(select(func.count()).select_from(dead_letters)) or 0),
        keys=everything,
        watched_keys=int(connection.scalar(select(func.count()).select_from(profiles)) or 0),
        keys_ending=ending,
        events=totals.get("events_committed", 0),
        lag_s=totals.get("lag_ms", 0) / 1000,
        lock_out=lock_out(connection, now - 7 * _DAY_S),
        coverage=coverage(connection, everything, now),
        enabled=enabled,
        days=tuple(alerts_by_day(connection, now)),
    )


def coverage(connection: Connection, everything: int, now: float) -> contract.Coverage:
    """Return how much is watched; `everything` is the number of keys."""
    rows = connection.execute(select(positions.c.source, positions.c.updated_at))
    ages = [now - at for name, at in rows if not name.startswith(_NOTES)]
    seen = connection.scalar(select(func.count()).select_from(profiles))
    return contract.Coverage(
        keys=everything,
        seen_keys=min(int(seen or 0), everything),
        sources=len(ages),
        fresh_sources=sum(age < _FRESH_S for age in ages),
    )


def outbox_states(connection: Connection) -> dict[str, int]:
    """Return state → number of actions and notifications."""
    rows = connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state))
    return {str(state): int(n) for state, n in rows}


def open_incidents(connection: Connection) -> dict[str, int]:
    """Return severity → number of incidents about which nobody has done anything."""
    rows = connection.execute(
        select(incidents.c.severity, func.count())
        .where(incidents.c.state == "open")
        .group_by(incidents.c.severity)
    )
    found = {str(severity): int(n) for severity, n in rows}
    return {severity: found.get(severity, 0) for severity in contract.SEVERITIES}


def lock_out(connection: Connection, since: float) -> contract.LockOut:
    """Return how long it took from decisions to what was done to keys."""
    query = (
        select(outbox.c.done_at - outbox.c.created_at)
        .where(
            outbox.c.lane == EFFECT,
            outbox.c.created_at >= since,
            outbox.c.effect != "restore",
            outbox.c.state == "done",
        )
        .order_by(outbox.c.created_at.desc())
        .limit(_LATEST)
    )
    took = [max(float(seconds), 0.0) for seconds in connection.execute(query).scalars()]
    if not took:
        return contract.LockOut(actions=0, median_s=None, p95_s=None)
    p95 = quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    return contract.LockOut(actions=len(took), median_s=round(median(took), 3), p95_s=round(p95, 3))


def alerts_by_day(connection: Connection, now: float) -> list[contract.Day]:
    """Return the alerts of the last two weeks by day (UTC) and severity."""
    first = int(now // _DAY_S) - _DAYS + 1
    day = cast(func.floor(alerts.c.recorded_at / _DAY_S), Integer)
    rows = connection.execute(
        select(day, alerts.c.severity, func.count())
        .where(alerts.c.recorded_at >= first * _DAY_S)
        .group_by(day, alerts.c.severity)
    )
    found = {(int(at), str(severity)): int(n) for at, severity, n in rows}
    return [
        contract.Day(
            day=datetime.fromtimestamp(at * _DAY_S, UTC).date().isoformat(),
            alerts={severity: found.get((at, severity), 0) for severity in contract.SEVERITIES},
        )
        for at in range(first, first + _DAYS)
    ]
