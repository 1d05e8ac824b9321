"""Incidents: what happens to one key within a time belongs together and is weighed together."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Row, insert, select, update

from actions.guards import strength
from database.schema import alerts, incidents
from vocabulary.action import Decision
from vocabulary.alert import Alert, Evidence, Severity
from vocabulary.credential import KnownKey
from vocabulary.senders import sender

WINDOW_S = 86_400.0
"""Alerts of one key that are not further apart than this belong to one incident."""

GOING_ON = ("open", "acknowledged", "contained")


@dataclass(frozen=True, slots=True)
class Incident:
    """What is known of an incident after an alert has joined it.

    Attributes:
        severity: the worst so far.
        grown: True when this alert opened the incident or made it worse.
        alerts: number of its alerts.
        action: the strongest that was decided so far.
        opened_at: epoch seconds.
    """

    id: str
    opened: bool
    severity: str
    grown: bool
    state: str = "open"
    subject: str = ""
    summary: str = ""
    alerts: int = 1
    action: str = "none"
    opened_at: float = 0.0


def subject_of(alert: Alert) -> str:
    """Return what the alert is about: a key id, or who sends: an address, of IPv6 its /64."""
    return alert.key or f"ip:{sender(alert.ip)}"


def weighed(connection: Connection, alert: Alert) -> Alert:
    """Return the alert at the weight that earlier alerts give it.

    A key that leaked and is then used from a network that is not its owner's was taken: that is
    critical, even where either half alone would not be.
    """
    severity = Severity.of(alert.severity)
    foreign = alert.family == "network" and Severity.MEDIUM <= severity < Severity.CRITICAL
    if not foreign or not alert.key:
        return alert
    leak = connection.execute(
        select(alerts.c.id, alerts.c.body)
        .where(alerts.c.subject == alert.key, alerts.c.kind == "leak", alerts.c.feedback != "false")
        .order_by(alerts.c.recorded_at)
        .limit(1)
    ).first()
    if leak is None:
        return alert
    said = f"leaked before, on {leak.body['ts']} (alert {leak.id})"
    joined = Evidence("leak", said, "a key that nobody else has", leak.body["evidence"][0]["p"])
    return replace(
        alert,
        severity=Severity.CRITICAL.word,
        summary=f"{alert.summary}; the key {said}",
        evidence=(*alert.evidence, joined),
    )


def join(
    connection: Connection,
    alert: Alert,
    decision: Decision,
    key: KnownKey | None,
    now: float,
    window_s: float = WINDOW_S,
) -> Incident:
    """Put the alert into the incident of its subject that is going on, or open one.

    The incident keeps the worst severity with its summary, and the strongest decision.
    """
    found = _going_on(connection, subject_of(alert), now - window_s)
    about = {"owner": key.owner, "environment": key.environment} if key else {}
    if found is None:
        return _open(connection, alert, decision, about, now)
    return _grow(connection, found, alert, decision, about, now)


def _going_on(connection: Connection, subject: str, since: float) -> Row[Any] | None:
    return connection.execute(
        select(incidents)
        .where(
            incidents.c.subject == subject,
            incidents.c.state.in_(GOING_ON),
            incidents.c.updated_at >= since,
        )
        .order_by(incidents.c.opened_at.desc())
        .limit(1)
    ).first()


def _grow(
    connection: Connection,
    found: Row[Any],
    alert: Alert,
    decision: Decision,
    about: dict[str, str],
    now: float,
) -> Incident:
    grown = Severity.of(alert.severity) > Severity.of(found.severity)
    values: dict[str, Any] = {
        "updated_at": max(now, found.updated_at),
        "alerts": found.alerts + 1,
        **about,
    }
    if grown:
        values |= {"severity": alert.severity, "summary": alert.summary, "state": "open"}
    if _outgrows(decision, found):
        values |= _decision(decision)
    connection.execute(update(incidents).where(incidents.c.id == found.id).values(**values))
    return _incident(dict(found._mapping) | values, opened=False, grown=grown)  # noqa: SLF001


def _open(
    connection: Connection, alert: Alert, decision: Decision, about: dict[str, str], now: float
) -> Incident:
    subject = subject_of(alert)
    row = {
        "id": "inc_" + sha256(f"{subject}\n{alert.id}".encode()).hexdigest()[:16],
        "subject": subject,
        "state": "open",
        "severity": alert.severity,
        "opened_at": now,
        "updated_at": now,
        "summary": alert.summary,
        "alerts": 1,
        **about,
        **_decision(decision),
    }
    connection.execute(insert(incidents).values(**row))
    return _incident(row, opened=True, grown=True)


def _outgrows(decision: Decision, found: Row[Any]) -> bool:
    """Say whether a decision does more than the one that the incident has led to."""
    stronger = strength(decision.action) - strength(found.action)
    was_shown = found.decision.get("dry_run", True) and not decision.dry_run
    return stronger > 0 or (stronger == 0 and was_shown)


def _decision(decision: Decision) -> dict[str, Any]:
    return {"action": decision.action.value, "decision": msgspec.to_builtins(decision)}


def _incident(row: dict[str, Any], *, opened: bool, grown: bool) -> Incident:
    names = ("id", "severity", "state", "subject", "summary", "alerts", "action", "opened_at")
    return Incident(**{name: row[name] for name in names}, opened=opened, grown=grown)
