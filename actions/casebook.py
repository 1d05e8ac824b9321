"""Incidents to be read by people, by the console and by programs.

Everything here takes a connection of `database.transaction.reading` and returns JSON values;
texts in them may have been written by attackers.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, or_, select, tuple_

from actions import ledger
from actions.exposed import exposed_json, exposures
from actions.incident import GOING_ON
from actions.queue import incident_of
from actions.timeline import timeline
from database.listed import among
from database.schema import alerts, incidents, keys, outbox
from vocabulary.errors import UsageError
from vocabulary.moments import rfc3339

STATES = ("open", "acknowledged", "contained", "resolved", "false")


def list_incidents(
    connection: Connection,
    *,
    key: str = "",
    state: str = "",
    severity: str = "",
    going_on: bool = False,
    before: str = "",
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return incidents, the one that changed last first.

    Args:
        connection: any.
        key: only those of this key id (or `ip:…`).
        state: only those in this state; see `STATES`.
        severity: only those of this severity.
        going_on: only those that nobody has closed.
        before: id of an incident: only those that come after it in this list (the next page).
        limit: at most so many.

    Raises:
        UsageError: when `before` is no incident.
    """
    newest = incidents.c.updated_at.desc(), incidents.c.id.desc()
    query = select(incidents).order_by(*newest).limit(limit)
    wanted = {"subject": key, "state": state, "severity": severity}
    for name, value in wanted.items():
        if value:
            query = query.where(incidents.c[name] == value)
    if going_on:
        query = query.where(incidents.c.state.in_(GOING_ON))
    if before:
        last = find_incident(connection, before)
        here = tuple_(incidents.c.updated_at, incidents.c.id)
        query = query.where(here < (last.updated_at, last.id))
    return [about(row) for row in connection.execute(query)]


def show_incident(connection: Connection, incident_id: str) -> dict[str, Any]:
    """Return an incident with its key, alerts, actions, messages and timeline.

    Args:
        connection: any.
        incident_id: the id, or a beginning of it that no other incident has.

    Returns:
        What `list_incidents` says of it, and `decision`, `key` (None when the store does not
        know it), `exposures` (see `actions.exposed`), `alerts`, `actions` (effects on the key),
        `messages` and `timeline`: entries of `at`, `kind` (alert, action, message, person or
        key), `who`, `what` and `ref`.

    Raises:
        UsageError: when there is none, or more than one.
    """
    row = find_incident(connection, incident_id)
    found = alerts_of(connection, row.id)
    done = actions_of(connection, row, [alert.id for alert in found])
    return about(row) | {
        "decision": row.decision,
        "key": _key(connection, row.subject),
        "exposures": [exposed_json(one) for one in exposures(connection, row.subject)],
        "alerts": [ledger.alert_of(alert) for alert in found],
        "actions": [ledger.action_of(one) for one in done if one.lane == "effect"],
        "messages": [ledger.action_of(one) for one in done if one.lane != "effect"],
        "timeline": timeline(connection, row, found, done),
    }


def find_incident(connection: Connection, incident_id: str) -> Row[Any]:
    """Return the row of an incident by its id or the beginning of it.

    Raises:
        UsageError: when there is none, or more than one.
    """
    begins = incidents.c.id.startswith(incident_id, autoescape=True)
    query = select(incidents).where(or_(incidents.c.id == incident_id, begins)).limit(2)
    rows = connection.execute(query).all() if incident_id else []
    exact = [row for row in rows if row.id == incident_id]
    if len(exact or rows) != 1:
        what = "more than one incident begins" if rows else "no incident begins"
        raise UsageError(f"{what} with {incident_id!r}", remedy="see `keywatch incidents list`")
    return (exact or rows)[0]


def alerts_of(connection: Connection, incident_id: str) -> Sequence[Row[Any]]:
    """Return the rows of an incident's alerts, the oldest first."""
    mine = select(alerts).where(alerts.c.incident_id == incident_id)
    return connection.execute(mine.order_by(alerts.c.recorded_at, alerts.c.id)).all()


def actions_of(connection: Connection, row: Row[Any], alert_ids: list[str]) -> list[Row[Any]]:
    """Return every row of the outbox that belongs to an incident, the oldest first."""
    since = outbox.c.created_at >= row.opened_at
    own = among(outbox.c.alert_id, alert_ids)
    told = (outbox.c.alert_id == "") & (outbox.c.subject == row.subject) & since
    found = connection.execute(select(outbox).where(own | told).order_by(outbox.c.id)).all()
    return [one for one in found if one.alert_id or incident_of(one) == row.id]


def about(row: Row[Any]) -> dict[str, Any]:
    """Return what a list says of an incident."""
    return {
        "id": row.id,
        "subject": row.subject,
        "state": row.state,
        "severity": row.severity,
        "summary": row.summary,
        "owner": row.owner,
        "environment": row.environment,
        "alerts_count": row.alerts,
        "action": row.action,
        "dry_run": bool(row.decision.get("dry_run", True)),
        "held": bool(row.decision.get("held", False)),
        "opened_at": rfc3339(row.opened_at),
        "updated_at": rfc3339(row.updated_at),
    }


def _key(connection: Connection, key_id: str) -> dict[str, Any] | None:
    names = ("id", "name", "owner", "environment", "key_class", "state", "leak_proven")
    query = select(*(keys.c[name] for name in names)).where(keys.c.id == key_id)
    row = connection.execute(query).mappings().first()
    return dict(row) if row else None
