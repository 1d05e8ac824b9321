"""What needs somebody now, and how it goes: figures of the overview and of the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median, quantiles

from sqlalchemy import ColumnElement, Connection, Integer, cast, func, select

from actions.queue import EFFECT
from database import counters
from database.schema import alerts, dead_letters, incidents, outbox, positions, profiles
from keywatch.desk import contract, keys
from keywatch.status import NOTES

DAY_S = 86_400
_DAYS = 14
_SOON_DAYS = 14
_LATEST = 5000
_FRESH_S = 3600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What takes long to count where there is much of it, and changes slowly.

    Attributes:
        keys, ending: of the store, and those of them that end by themselves soon.
        watched: keys with a profile.
        before: (day since 1970, severity) → alerts, of the days before today.
        today: day since 1970.
    """

    keys: int
    ending: int
    watched: int
    before: Mapping[tuple[int, str], int]
    today: int


def standing(connection: Connection, now: float) -> Standing:
    """Count what stands still for a while."""
    everything, ending = keys.counted(connection, now, _SOON_DAYS)
    watched = int(connection.scalar(select(func.count()).select_from(profiles)) or 0)
    today = int(now // DAY_S)
    before = alerts_between(connection, today - _DAYS + 1, today)
    return Standing(everything, ending, watched, before, today)


def overview(
    connection: Connection, enabled: tuple[str, ...], now: float, stands: Standing
) -> contract.Overview:
    """Return the figures of the overview.

    Args:
        connection: any.
        enabled: actions that are carried out.
        now: epoch seconds.
        stands: what was counted a while ago.
    """
    totals = counters.all_of(connection)
    states = outbox_states(connection)
    return contract.Overview(
        held=states.get("held", 0),
        open_incidents=open_incidents(connection),
        failed_actions=states.get("dead", 0),
        dead_letters=int(connection.scalar(select(func.count()).select_from(dead_letters)) or 0),
        keys=stands.keys,
        watched_keys=stands.watched,
        keys_ending=stands.ending,
        events=totals.get("events_committed", 0),
        lag_s=totals.get("lag_ms", 0) / 1000,
        lock_out=lock_out(connection, now - 7 * DAY_S),
        coverage=coverage(connection, stands, now),
        enabled=enabled,
        days=tuple(alerts_by_day(connection, stands)),
    )


def coverage(connection: Connection, stands: Standing, now: float) -> contract.Coverage:
    """Return how much is watched."""
    rows = connection.execute(
        select(positions.c.source, positions.c.position, positions.c.updated_at)
    )
    newest: dict[str, float] = {}
    for name, position, at in rows:
        if not name.startswith(NOTES):
            family = position.get("folder") or name
            newest[family] = max(at, newest.get(family, at))
    ages = [now - at for at in newest.values()]
    return contract.Coverage(
        keys=stands.keys,
        seen_keys=min(stands.watched, stands.keys),
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
    return _took(connection, since, outbox.c.created_at)


def evidence_to_lock_out(connection: Connection, since: float) -> contract.LockOut:
    """Return how long it took from the events that were evidence enough to what was done to keys.

    Events by their own time: of logs that came late it tells how late.
    """
    return _took(connection, since, alerts.c.ts)


def _took(connection: Connection, since: float, begun: ColumnElement[float]) -> contract.LockOut:
    query = (
        select(outbox.c.done_at - begun)
        .join(alerts, alerts.c.id == outbox.c.alert_id, isouter=True)
        .where(
            outbox.c.lane == EFFECT,
            outbox.c.created_at >= since,
            outbox.c.effect != "restore",
            outbox.c.state == "done",
            begun.is_not(None),
        )
        .order_by(outbox.c.created_at.desc())
        .limit(_LATEST)
    )
    took = [max(float(seconds), 0.0) for seconds in connection.execute(query).scalars()]
    if not took:
        return contract.LockOut(actions=0, median_s=None, p95_s=None)
    p95 = quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    return contract.LockOut(actions=len(took), median_s=round(median(took), 3), p95_s=round(p95, 3))


def alerts_by_day(connection: Connection, stands: Standing) -> list[contract.Day]:
    """Return the alerts of the last two weeks by day (UTC) and severity; today's are counted."""
    today = alerts_between(connection, stands.today, stands.today + 1)
    found = {**stands.before, **today}
    return [
        contract.Day(
            day=datetime.fromtimestamp(at * DAY_S, UTC).date().isoformat(),
            alerts={severity: found.get((at, severity), 0) for severity in contract.SEVERITIES},
        )
        for at in range(stands.today - _DAYS + 1, stands.today + 1)
    ]


def alerts_between(connection: Connection, first: int, end: int) -> dict[tuple[int, str], int]:
    """Return (day since 1970, severity) → alerts, from a day on and before another."""
    day = cast(func.floor(alerts.c.recorded_at / DAY_S), Integer)
    rows = connection.execute(
        select(day, alerts.c.severity, func.count())
        .where(alerts.c.recorded_at >= first * DAY_S, alerts.c.recorded_at < end * DAY_S)
        .group_by(day, alerts.c.severity)
    )
    return {(int(at), str(severity)): int(n) for at, severity, n in rows}
