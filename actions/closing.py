"""What people do with an incident: take it on, close it, call it false, or write a note."""

from typing import Any

from sqlalchemy import Connection, Row, update

from actions import casebook
from actions.incident import Incident
from actions.message import closing_of
from actions.outbox import announce
from actions.queue import EFFECT
from database.schema import incidents
from database.transaction import in_commit_order
from keystore import audit
from vocabulary.errors import UsageError

_VERBS = {
    "open": "reopen",
    "acknowledged": "acknowledge",
    "resolved": "resolve",
    "false": "call_false",
}
LONGEST_NOTE = 4000


def move(
    connection: Connection, incident_id: str, state: str, *, actor: str, now: float, note: str = ""
) -> str:
    """Put an incident into a state, and tell those who were told of it; return its full id.

    Moving it to where it is changes nothing. It teaches no profile: see `judgement.judge_all`.

    Args:
        connection: a write transaction.
        incident_id: the id or the beginning of it.
        state: acknowledged, resolved or false.
        actor: who says so.
        now: epoch seconds.
        note: why.

    Raises:
        UsageError: when there is no such incident, or one that is over is to be acknowledged.
    """
    in_commit_order(connection)
    row = casebook.find_incident(connection, incident_id)
    if row.state == state:
        return str(row.id)
    if state == "acknowledged" and row.state in ("resolved", "false"):
        raise UsageError(
            f"incident {row.id} is over: it is {row.state}",
            remedy="what happens to the key from now on opens another",
        )
    note = _noted(note)
    connection.execute(
        update(incidents).where(incidents.c.id == row.id).values(state=state, updated_at=now)
    )
    details = {"was": row.state, "is": state}
    entry = audit.Entry(now, actor, _VERBS[state], row.id, note, details)
    number = audit.append(connection, [entry])
    _tell(connection, row, number, state, actor, note, now)
    return str(row.id)


def write_note(
    connection: Connection, incident_id: str, note: str, *, actor: str, now: float
) -> str:
    """Write a note into the incident's timeline; return its full id.

    Raises:
        UsageError: when there is no such incident, or nothing is said.
    """
    row = casebook.find_incident(connection, incident_id)
    note = _noted(note)
    if not note:
        raise UsageError("an empty note says nothing")
    audit.append(connection, [audit.Entry(now, actor, "note", row.id, note)])
    return str(row.id)


def _noted(note: str) -> str:
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise UsageError(f"a note has at most {LONGEST_NOTE} characters", remedy="link to the rest")
    return audit.storable(note)


def _tell(
    connection: Connection,
    row: Row[Any],
    number: int,
    state: str,
    actor: str,
    note: str,
    now: float,
) -> None:
    """Tell of a move; `number` is that of its row in the audit log, which no other move has."""
    found = casebook.alerts_of(connection, row.id)
    told = casebook.actions_of(connection, row, [alert.id for alert in found])
    lanes = [one.lane for one in told if one.lane != EFFECT and one.state != "rejected"]
    incident = Incident(
        row.id,
        opened=False,
        severity=row.severity,
        grown=False,
        state=state,
        subject=row.subject,
        summary=row.summary,
        alerts=row.alerts,
        action=row.action,
        opened_at=row.opened_at,
    )
    is_key = not row.subject.startswith("ip:")
    key = {"id": row.subject, "owner": row.owner, "environment": row.environment}
    message = closing_of(incident, key if is_key else None, actor, note, now)
    announce(connection, incident, message, lanes, (state, str(number)), now)
