"""What people say: of an alert, of an action that is held, of one that was given up."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from actions.closing import move
from actions.ledger import find_alert
from database.schema import alerts, lessons, outbox
from database.transaction import in_commit_order
from keystore import audit
from vocabulary.errors import UsageError
from vocabulary.moments import moment_of

ACKNOWLEDGED, FALSE, CONFIRMED = "acknowledged", "false", "confirmed"

_GO_ON: Mapping[str, Any] = {"state": "waiting", "error": ""}
_INCIDENT = {ACKNOWLEDGED: "acknowledged", FALSE: "false"}


def judge(connection: Connection, alert_id: str, verdict: str, *, actor: str, now: float) -> str:
    """Note what a person thinks of an alert; return its full id.

    An incident is acknowledged with any of its alerts, and false once all of them are.

    Args:
        connection: a write transaction.
        alert_id: the id or the beginning of it.
        verdict: acknowledged, false or confirmed.
        actor: who says so.
        now: epoch seconds.

    Raises:
        UsageError: when there is no such alert.
    """
    in_commit_order(connection)
    row = find_alert(connection, alert_id)
    if row.feedback == verdict:
        return str(row.id)
    connection.execute(update(alerts).where(alerts.c.id == row.id).values(feedback=verdict))
    others = select(func.count()).where(
        alerts.c.incident_id == row.incident_id, alerts.c.feedback != verdict
    )
    if verdict == ACKNOWLEDGED or (
        verdict == FALSE and not connection.execute(others).scalar_one()
    ):
        move(connection, row.incident_id, _INCIDENT[verdict], actor=actor, now=now)
    _note(connection, row, verdict, actor, now)
    return str(row.id)


def judge_all(
    connection: Connection, incident_id: str, verdict: str, *, actor: str, now: float
) -> None:
    """Note what a person thinks of every alert of an incident."""
    in_commit_order(connection)
    mine = alerts.c.incident_id == incident_id, alerts.c.feedback != verdict
    for row in connection.execute(select(alerts).where(*mine)).all():
        connection.execute(update(alerts).where(alerts.c.id == row.id).values(feedback=verdict))
        _note(connection, row, verdict, actor, now)


def approve(
    connection: Connection, ids: Sequence[int], *, actor: str, now: float, human: str = ""
) -> list[int]:
    """Let actions that are held be carried out; return those that now are.

    One that needs two people waits for the other one: the same person again changes nothing.

    Args:
        connection: a write transaction.
        ids: of the actions.
        actor: who stands in the audit log.
        now: epoch seconds.
        human: whose approval it is, where that is another name: of a program, whose it is.

    Raises:
        UsageError: when one of them does not exist.
    """
    rows, human = _rows(connection, ids), human or actor
    short = [row for row in rows if row.state == "held" and not _is_approved(row, human)]
    for row in short:
        approvals = _approvals(row)
        if human not in approvals:
            result = {**(row.result or {}), "approvals": [*approvals, human]}
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(result=result))
            audit.append(connection, [_entry(row, "approve", actor, now)])
    ready = [row.id for row in rows if row not in short]
    return _move(connection, ready, ("held",), _GO_ON, ("approve", actor, now))


def reject(connection: Connection, ids: Sequence[int], *, actor: str, now: float) -> list[int]:
    """Call off actions that are held; return those that were still held.

    Raises:
        UsageError: when one of them does not exist.
    """
    return _move(connection, ids, ("held",), {"state": "rejected"}, ("reject", actor, now))


def retry(connection: Connection, ids: Sequence[int], *, actor: str, now: float) -> list[int]:
    """Try again what was given up or is waiting for its next attempt; return which.

    Raises:
        UsageError: when one of them does not exist.
    """
    anew = {**_GO_ON, "attempts": 0, "not_before": 0.0}
    return _move(connection, ids, ("dead", "waiting"), anew, ("retry", actor, now))


def held(connection: Connection) -> list[int]:
    """Return the numbers of all actions that wait for a person."""
    query = select(outbox.c.id).where(outbox.c.state == "held").order_by(outbox.c.id)
    return list(connection.execute(query).scalars())


def _teach(connection: Connection, row: Row[Any], verdict: str) -> None:
    """Put the verdict where the pipeline finds it; a leak or an address teaches no profile."""
    if row.kind != "anomaly" or not row.body.get("key"):
        return
    connection.execute(delete(lessons).where(lessons.c.alert_id == row.id))
    first, last = (round(moment_of(moment, 0.0) * 1000) for moment in row.body["events"][:2])
    lesson = {"first_ms": first, "last_ms": last, "verdict": verdict}
    connection.execute(
        lessons.insert(), [{"alert_id": row.id, "key_id": row.body["key"], **lesson}]
    )


def _note(connection: Connection, row: Row[Any], verdict: str, actor: str, now: float) -> None:
    _teach(connection, row, verdict)
    said = {"was": row.feedback, "is": verdict}
    audit.append(connection, [audit.Entry(now, actor, "judge", row.id, "", said)])


def _move(
    connection: Connection,
    ids: Sequence[int],
    states: Sequence[str],
    values: Mapping[str, Any],
    act: tuple[str, str, float],
) -> list[int]:
    verb, actor, now = act
    rows = _rows(connection, ids)
    moved = [row for row in rows if row.state in states]
    connection.execute(
        update(outbox).where(outbox.c.id.in_([row.id for row in moved])).values(**values)
    )
    audit.append(connection, [_entry(row, verb, actor, now) for row in moved])
    return [row.id for row in moved]


def _rows(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Read actions when nobody else who judges or carries out can come between."""
    in_commit_order(connection)
    query = select(outbox).where(outbox.c.id.in_(ids)).order_by(outbox.c.id)
    rows = connection.execute(query).all()
    if missing := set(ids) - {row.id for row in rows}:
        raise UsageError(f"there is no action {min(missing)}", remedy="see `keywatch actions list`")
    return rows


def _entry(row: Row[Any], verb: str, actor: str, now: float) -> audit.Entry:
    return audit.Entry(now, actor, verb, row.alert_id, "", {"action": row.id, "effect": row.effect})


def _approvals(row: Row[Any]) -> list[str]:
    return list((row.result or {}).get("approvals", []))


def _is_approved(row: Row[Any], human: str) -> bool:
    """Say whether enough different people want it, this one among them."""
    return len({*_approvals(row), human}) >= int(row.arguments.get("approvals") or 1)
