"""What happened in an incident, in order: alerts, actions, messages, and what people did."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from actions.queue import EFFECT, NOTIFICATIONS
from actions.trail import ACTOR, DECIDE
from database.listed import among
from database.schema import audit
from vocabulary.moments import rfc3339

_AFTERWARDS_S = 30 * 86_400.0
"""So long after the last alert what happens to the key still belongs to the story."""

_MOST = 500


def timeline(
    connection: Connection,
    incident: Row[Any],
    alerts: Sequence[Row[Any]],
    actions: Sequence[Row[Any]],
) -> list[dict[str, Any]]:
    """Return the entries, the oldest first.

    Args:
        connection: any.
        incident: its row.
        alerts: its rows of the table `alerts`.
        actions: its rows of the outbox.
    """
    told = [_alert(row) for row in alerts]
    for row in actions:
        told += _effect(row) if row.lane == EFFECT else _message(row)
    told += _audited(connection, incident, [row.id for row in alerts])
    told.sort(key=lambda entry: entry[:2])
    return [{"at": rfc3339(at), **entry} for at, _, entry in told]


_HOW = {
    "dry_run": "shown only",
    "held": "held for a person",
    "scheduled": "will follow",
    "skipped": "did not follow",
    "rejected": "was to be done, and a person said no",
}
_Entry = tuple[float, int, dict[str, Any]]


def _entry(at: float, kind: str, who: str, what: str, ref: object) -> _Entry:
    order = ("alert", "action", "message", "key", "person").index(kind)
    return at, order, {"kind": kind, "who": who, "what": what, "ref": str(ref)}


def _alert(row: Row[Any]) -> _Entry:
    body = row.body
    detectors = ", ".join(dict.fromkeys(one["detector"] for one in body["evidence"]))
    return _entry(row.recorded_at, "alert", detectors, f"{row.severity}: {body['summary']}", row.id)


def _effect(row: Row[Any]) -> Iterator[_Entry]:
    if row.effect == "restore" and "undoes" in row.arguments:
        yield _entry(
            row.created_at,
            "action",
            row.arguments.get("actor", ""),
            f"undo of action {row.arguments['undoes']}",
            row.id,
        )
        return
    how = _HOW.get(row.state, "decided")
    note = f": {row.error}" if row.error and how != "decided" else ""
    line = row.arguments.get("line", "")
    yield _entry(row.created_at, "action", line, f"{row.effect} {how}{note}", row.id)
    if row.state in ("done", "undone") and row.result and "was" in row.result:
        at = row.done_at if row.state == "done" else row.result.get("done_at", row.created_at)
        yield _entry(at, "action", ACTOR, f"{row.effect} carried out", row.id)
    if row.state == "dead":
        yield _entry(row.created_at, "action", ACTOR, f"{row.effect} given up: {row.error}", row.id)


def _message(row: Row[Any]) -> Iterator[_Entry]:
    name = row.lane.removeprefix(NOTIFICATIONS)
    if row.state == "done":
        yield _entry(row.done_at or row.created_at, "message", name, f"{name} was told", row.id)
    elif row.error:
        said = f"{name} could not be told: {row.error}"
        yield _entry(row.created_at, "message", name, said, row.id)


def _audited(
    connection: Connection, incident: Row[Any], alert_ids: Sequence[str]
) -> Iterator[_Entry]:
    """Yield what the audit log says of the incident, its alerts and, meanwhile, its key."""
    subjects = [incident.id, incident.subject, *alert_ids]
    query = (
        select(audit)
        .where(
            among(audit.c.subject, subjects),
            audit.c.at >= incident.opened_at,
            audit.c.at <= incident.updated_at + _AFTERWARDS_S,
            audit.c.verb != DECIDE,
        )
        .order_by(audit.c.seq)
        .limit(_MOST)
    )
    for row in connection.execute(query):
        kind = "key" if row.subject == incident.subject else "person"
        said = f"{row.verb}: {row.reason}" if row.reason else _said(row)
        yield _entry(row.at, kind, row.actor, said, f"audit {row.seq}")


def _said(row: Row[Any]) -> str:
    if row.verb == "judge":
        return f"judged {row.details['is']}"
    return f"{row.verb} {row.details['effect']}" if "effect" in row.details else str(row.verb)
