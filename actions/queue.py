"""Rows of the outbox on their way: which are due, who has them, how they ended."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Float,
    Integer,
    Row,
    Select,
    bindparam,
    exists,
    func,
    select,
    update,
)

from database.listed import among
from database.schema import alerts, incidents, outbox

EFFECT = "effect"
"""The lane of effects on keys."""

NOTIFICATIONS = "notify:"
"""Beginning of every other lane; the name of who is notified follows."""

_ON_THE_WAY = ("waiting", "leased")
_LOOKED_AT = 200


def due(
    connection: Connection, now: float, limit: int, *, effects: bool, lock: bool = False
) -> Sequence[Row[Any]]:
    """Return rows that may be taken up now, the oldest first.

    A row is not due while an earlier one of the same subject and lane is on its way: effects on
    a key, and messages about it to one receiver, keep their order.

    Args:
        connection: any; for `lock` a write transaction.
        now: epoch seconds.
        limit: at most so many.
        effects: effects on keys, or else notifications.
        lock: keep others from taking them up meanwhile.
    """
    query = _due_of(effects, lock)
    return connection.execute(query, {"now": now, "most": limit}).all()


@cache
def _due_of(effects: bool, lock: bool) -> Select[Any]:  # noqa: FBT001  (of a cache)
    # Made once: an executor that has nothing to do asks ten times a second.
    earlier, now = outbox.alias(), bindparam("now", type_=Float)
    in_the_way = exists().where(
        earlier.c.subject == outbox.c.subject,
        earlier.c.lane == outbox.c.lane,
        earlier.c.state.in_(_ON_THE_WAY),
        earlier.c.id < outbox.c.id,
    )
    query = (
        select(outbox)
        .where(
            outbox.c.state.in_(_ON_THE_WAY),
            outbox.c.lane == EFFECT if effects else outbox.c.lane != EFFECT,
            outbox.c.not_before <= now,
            outbox.c.lease_until <= now,
            ~in_the_way,
        )
        .order_by(outbox.c.id)
        .limit(bindparam("most", type_=Integer))
    )
    return query.with_for_update(skip_locked=True) if lock else query


def lease(connection: Connection, ids: Sequence[int], owner: str, until: float) -> None:
    """Give rows to one executor for a time.

    An attempt counts when its end is known, not here: who is killed in the middle of a batch has
    tried next to nothing of it.
    """
    connection.execute(
        update(outbox)
        .where(among(outbox.c.id, ids))
        .values(state="leased", lease_owner=owner, lease_until=until)
    )


def leased_until(connection: Connection, now: float) -> float | None:
    """Return when the first of the leases that hold now ends; None without any."""
    held = outbox.c.state == "leased", outbox.c.lease_until > now
    ends: float | None = connection.scalar(select(func.min(outbox.c.lease_until)).where(*held))
    return ends


def release(connection: Connection, ids: Sequence[int], owner: str) -> None:
    """Give back those of the rows that are still leased: they were not begun."""
    connection.execute(
        update(outbox)
        .where(among(outbox.c.id, ids), outbox.c.lease_owner == owner)
        .values(state="waiting", lease_owner="", lease_until=0.0)
    )


def owners(connection: Connection) -> Sequence[str]:
    """Return who has leased anything."""
    leased = select(outbox.c.lease_owner).where(outbox.c.state == "leased").distinct()
    return connection.scalars(leased).all()


def take_over(connection: Connection, owners: Sequence[str]) -> None:
    """Give back all that some had leased who will not come back to it."""
    connection.execute(
        update(outbox)
        .where(outbox.c.state == "leased", outbox.c.lease_owner.in_(owners))
        .values(state="waiting", lease_owner="", lease_until=0.0)
    )


def done(
    connection: Connection, row_id: int, owner: str, now: float, result: Mapping[str, Any]
) -> None:
    """Note that a row was carried out; `result` says what was before."""
    ended = {"state": "done", "done_at": now, "error": "", "result": dict(result)}
    _end_lease(connection, row_id, owner, attempts=outbox.c.attempts + 1, **ended)


def failed(
    connection: Connection, row_id: int, owner: str, error: str, again_at: float | None
) -> None:
    """Note that an attempt failed; without a time for the next one the row is dead."""
    state = "dead" if again_at is None else "waiting"
    ended = {"state": state, "error": error, "not_before": again_at or 0.0}
    _end_lease(connection, row_id, owner, attempts=outbox.c.attempts + 1, **ended)


def thread(connection: Connection, row: Row[Any]) -> Mapping[str, Any] | None:
    """Return what a notifier kept of its last message about the incident of the row's."""
    incident = incident_of(row)
    earlier = connection.execute(
        select(outbox)
        .where(
            outbox.c.lane == row.lane,
            outbox.c.subject == row.subject,
            outbox.c.state == "done",
            outbox.c.id < row.id,
        )
        .order_by(outbox.c.id.desc())
        .limit(_LOOKED_AT)
    )
    same = (one.result for one in earlier if incident and incident_of(one) == incident)
    return next((kept for kept in same if kept), None)


def incident_of(row: Row[Any]) -> str:
    """Return the id of the incident that a message is about; empty for none."""
    said = row.arguments.get("data", {}).get("incident")
    return str(said.get("id", "")) if isinstance(said, dict) else ""


def contained(connection: Connection, alert_id: str) -> None:
    """Note that something was done about the incident of the alert."""
    incident = select(alerts.c.incident_id).where(alerts.c.id == alert_id).scalar_subquery()
    connection.execute(
        update(incidents)
        .where(incidents.c.id == incident, incidents.c.state == "open")
        .values(state="contained")
    )


def _end_lease(connection: Connection, row_id: int, owner: str, **values: object) -> None:
    """Write how a row fared, unless its lease has run out and another executor has it now."""
    connection.execute(
        update(outbox)
        .where(outbox.c.id == row_id, outbox.c.lease_owner == owner)
        .values(lease_owner="", lease_until=0.0, **values)
    )
