"""What was alerted, decided and done, to be read by people and programs."""

from typing import Any

from sqlalchemy import Connection, Row, or_, select

from actions.exposed import exposed_json, exposures
from actions.queue import EFFECT
from database.schema import alerts, incidents, outbox
from vocabulary.errors import UsageError
from vocabulary.moments import rfc3339


def list_actions(
    connection: Connection,
    *,
    key: str = "",
    state: str = "",
    notifications: bool = False,
    before: int = 0,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return actions, the newest first.

    Args:
        connection: any.
        key: only those on this key.
        state: only those in this state; see the table `outbox`.
        notifications: also who was told.
        before: only those before this one; 0 for all.
        limit: at most so many.
    """
    query = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    if key:
        query = query.where(outbox.c.subject == key)
    if state:
        query = query.where(outbox.c.state == state)
    if before:
        query = query.where(outbox.c.id < before)
    if not notifications:
        query = query.where(outbox.c.lane == EFFECT)
    return [action_of(row) for row in connection.execute(query)]


def show_action(connection: Connection, outbox_id: int) -> dict[str, Any]:
    """Return all that is known of one action.

    Raises:
        UsageError: when there is none of this number.
    """
    row = connection.execute(select(outbox).where(outbox.c.id == outbox_id)).first()
    if row is None:
        raise UsageError(f"there is no action {outbox_id}", remedy="see `keywatch actions list`")
    return action_of(row) | {
        "idempotency_key": row.idempotency_key,
        "arguments": row.arguments,
        "result": row.result,
        "not_before": _moment(row.not_before),
        "leased_by": row.lease_owner,
    }


def list_alerts(
    connection: Connection,
    *,
    key: str = "",
    severity: str = "",
    feedback: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return alerts as their JSON contract says, with incident and feedback, the newest first."""
    query = select(alerts).order_by(alerts.c.recorded_at.desc(), alerts.c.id).limit(limit)
    if key:
        query = query.where(alerts.c.subject == key)
    if severity:
        query = query.where(alerts.c.severity == severity)
    if feedback is not None:
        query = query.where(alerts.c.feedback == feedback)
    return [alert_of(row) for row in connection.execute(query)]


def show_alert(connection: Connection, alert_id: str) -> dict[str, Any]:
    """Return an alert, what was decided about it and what was done.

    Args:
        connection: any.
        alert_id: the id, or a beginning of it that no other alert has.

    Raises:
        UsageError: when there is none, or more than one.
    """
    row = find_alert(connection, alert_id)
    incident = connection.execute(
        select(incidents).where(incidents.c.id == row.incident_id)
    ).first()
    done = connection.execute(
        select(outbox).where(outbox.c.alert_id == row.id).order_by(outbox.c.id)
    )
    return alert_of(row) | {
        "decision": row.decision,
        "incident": _incident(incident) if incident else None,
        "exposures": [exposed_json(one) for one in exposures(connection, row.subject)],
        "actions": [action_of(action) for action in done],
    }


def find_alert(connection: Connection, alert_id: str) -> Row[Any]:
    """Return the row of an alert by its id or the beginning of it.

    Raises:
        UsageError: when there is none, or more than one.
    """
    begins = alerts.c.id.startswith(alert_id, autoescape=True)
    query = select(alerts).where(or_(alerts.c.id == alert_id, begins)).limit(2)
    rows = connection.execute(query).all()
    exact = [row for row in rows if row.id == alert_id]
    if len(exact or rows) != 1 or not alert_id:
        what = "more than one alert begins" if rows else "no alert begins"
        raise UsageError(f"{what} with {alert_id!r}", remedy="see `keywatch alerts list`")
    return (exact or rows)[0]


def action_of(row: Row[Any]) -> dict[str, Any]:
    """Return what a list says of a row of the outbox."""
    return {
        "id": row.id,
        "at": _moment(row.created_at),
        "subject": row.subject,
        "effect": row.effect,
        "lane": row.lane,
        "state": row.state,
        "alert": row.alert_id,
        "reason": row.arguments.get("reason", ""),
        "attempts": row.attempts,
        "done_at": _moment(row.done_at),
        "error": row.error,
    }


def alert_of(row: Row[Any]) -> dict[str, Any]:
    """Return an alert as its JSON contract says, with incident and feedback."""
    return {**row.body, "incident": row.incident_id, "feedback": row.feedback}


def _incident(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "severity": row.severity,
        "opened_at": _moment(row.opened_at),
        "updated_at": _moment(row.updated_at),
    }


def _moment(at: float | None) -> str | None:
    return rfc3339(at) if at else None
