"""Taking back what was done to a key."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from actions import closing, trail
from actions.effects import Order
from actions.queue import EFFECT
from actions.trail import ACTOR
from actions.unregistered import effects_on
from database.schema import alerts, incidents, outbox
from database.transaction import in_commit_order
from vocabulary.errors import TransitionError, UsageError

_NOT_BEGUN = ("waiting", "held", "scheduled")
_OVER = ("undone", "rejected", "skipped")
_UNDOS = ("restore", "undo")


class Undone(msgspec.Struct, frozen=True):
    """What an undo did.

    Attributes:
        changed: False when there was nothing left to take back.
    """

    id: int
    effect: str
    subject: str
    changed: bool


def undo(
    connection: Connection,
    outbox_id: int,
    *,
    actor: str,
    now: float,
    force: bool = False,
) -> Undone:
    """Put a key back to where it was before an action; undoing it again changes nothing.

    What has not been carried out yet is called off.

    Args:
        connection: a write transaction.
        outbox_id: number of the action.
        actor: who wants it.
        now: epoch seconds.
        force: bring back even a key whose leak is proven, and overrule what a person did since.

    Raises:
        UsageError: when there is no such action, or it is none that can be undone.
        TransitionError: when a person or a newer action has changed the key since, or when its
            leak is proven.
    """
    in_commit_order(connection)
    row = action(connection, outbox_id)
    if row.state in _OVER:
        return Undone(row.id, row.effect, row.subject, changed=False)
    if row.effect == "undo" and row.state == "done":
        raise UsageError(f"action {row.id} was an undo itself", remedy="act on the key instead")
    if row.state in _NOT_BEGUN:
        _mark(connection, row, actor, now, {})
        return Undone(row.id, row.effect, row.subject, changed=True)
    if row.state != "done":
        raise UsageError(
            f"action {row.id} was never carried out: it is {row.state.replace('_', ' ')}",
            remedy="there is nothing to undo",
        )
    _refuse_newer(connection, row, force=force)
    reason = f"undo of action {row.id} ({row.effect})"
    order = Order(row.subject, actor, reason, now, row.arguments, force)
    before = trail.head(connection, row.subject)
    effects_on(row.subject)[row.effect].revert(connection, order, row.result["was"])
    span = [before, trail.head(connection, row.subject)]
    _mark(connection, row, actor, now, {"audit": span})
    _record(connection, row, order, span)
    _reopen(connection, row, actor, now)
    return Undone(row.id, row.effect, row.subject, changed=span[0] != span[1])


def done_since(connection: Connection, since: float) -> list[int]:
    """Return the numbers of what was done to keys, or is about to be, since `since`."""
    states = (*_NOT_BEGUN, "done")
    query = select(outbox.c.id).where(
        outbox.c.lane == EFFECT,
        outbox.c.effect.not_in(_UNDOS),
        outbox.c.created_at >= since,
        outbox.c.state.in_(states),
    )
    return list(connection.execute(query).scalars())


def action(connection: Connection, outbox_id: int) -> Row[Any]:
    """Return the outbox row of an effect on a key.

    Raises:
        UsageError: when there is none of this number, or it is a notification.
    """
    row = connection.execute(select(outbox).where(outbox.c.id == outbox_id)).first()
    if row is None:
        raise UsageError(f"there is no action {outbox_id}", remedy="see `keywatch actions list`")
    if row.lane != EFFECT:
        raise UsageError(f"{outbox_id} is a notification, and what was told cannot be untold")
    return row


def _refuse_newer(connection: Connection, row: Row[Any], *, force: bool) -> None:
    """Refuse where the undo would take back more than this action did."""
    newer = connection.execute(
        select(outbox.c.id)
        .where(
            outbox.c.subject == row.subject,
            outbox.c.lane == EFFECT,
            outbox.c.effect == row.effect,
            outbox.c.state == "done",
            outbox.c.id > row.id,
            outbox.c.effect.not_in(_UNDOS),
        )
        .order_by(outbox.c.id.desc())
    ).first()
    if newer is not None:
        raise TransitionError(
            f"action {newer.id} did the same to {row.subject} later",
            remedy=f"undo {newer.id} first",
        )
    ours = _undos(connection, row.subject)
    for change in trail.since(connection, row.subject, row.result["audit"][1]):
        by_undo = any(first < change.seq <= last for first, last in ours)
        if change.actor != ACTOR and not by_undo and not force:
            raise TransitionError(
                f"{change.actor} has changed {row.subject} since ({change.verb})",
                remedy="look at `keywatch keys show`, or undo it all the same with --force",
            )


def _reopen(connection: Connection, row: Row[Any], actor: str, now: float) -> None:
    """Note that nothing of what contained the incident is left: a person is on it, or nobody."""
    incident = connection.execute(
        select(incidents)
        .join(alerts, alerts.c.incident_id == incidents.c.id)
        .where(alerts.c.id == row.alert_id)
    ).first()
    if incident is None or incident.state != "contained":
        return
    others = connection.execute(
        select(outbox.c.id)
        .join(alerts, alerts.c.id == outbox.c.alert_id)
        .where(
            alerts.c.incident_id == incident.id,
            outbox.c.lane == EFFECT,
            outbox.c.effect.not_in(_UNDOS),
            outbox.c.state == "done",
        )
    )
    if others.first() is None:
        note = f"action {row.id} ({row.effect}) was undone"
        state = "open" if actor == ACTOR else "acknowledged"
        closing.move(connection, incident.id, state, actor=actor, now=now, note=note)


def _undos(connection: Connection, subject: str) -> list[tuple[int, int]]:
    """Return the spans of the audit log that undos of this subject have written."""
    rows = connection.execute(
        select(outbox.c.result).where(
            outbox.c.subject == subject, outbox.c.lane == EFFECT, outbox.c.effect == "restore"
        )
    )
    return [tuple(row.result["audit"]) for row in rows if row.result]


def _mark(
    connection: Connection, row: Row[Any], actor: str, now: float, said: dict[str, Any]
) -> None:
    result = {**(row.result or {}), "undone": {"actor": actor, "at": now, **said}}
    if row.done_at:
        result["done_at"] = row.done_at
    connection.execute(
        update(outbox)
        .where(outbox.c.id == row.id)
        .values(state="undone", done_at=now, result=result, lease_owner="", lease_until=0.0)
    )


def _record(connection: Connection, row: Row[Any], order: Order, span: list[int]) -> None:
    """Write the undo down as an action of its own, so that the list of actions tells it."""
    connection.execute(
        insert(outbox).values(
            idempotency_key=f"undo_{row.id}",
            alert_id=row.alert_id,
            subject=row.subject,
            lane=EFFECT,
            effect="restore",
            arguments={"reason": order.reason, "actor": order.actor, "undoes": row.id},
            state="done",
            attempts=1,
            not_before=0.0,
            created_at=order.now,
            done_at=order.now,
            result={"audit": span},
        )
    )
