"""Incidents: what happens to one key within a time belongs together and is weighed together."""

from dataclasses import dataclass
from hashlib import sha256

from msgspec.structs import replace
from sqlalchemy import Connection, Row, insert, select, update

from database.schema import alerts, incidents
from vocabulary.alert import Alert, Evidence, Severity

WINDOW_S = 86_400.0
"""Alerts of one key that are not further apart than this belong to one incident."""

GOING_ON = ("open", "acknowledged", "contained")


@dataclass(frozen=True, slots=True)
class Incident:
    """What is known of an incident after an alert has joined it.

    Attributes:
        severity: the worst so far.
        grown: True when this alert opened the incident or made it worse.
    """

    id: str
    opened: bool
    severity: str
    grown: bool


def subject_of(alert: Alert) -> str:
    """Return what the alert is about: a key id, or an address."""
    return alert.key or f"ip:{alert.ip}"


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


def join(connection: Connection, alert: Alert, now: float, window_s: float = WINDOW_S) -> Incident:
    """Put the alert into the incident of its subject that is going on, or open one."""
    subject = subject_of(alert)
    found = _going_on(connection, subject, now - window_s)
    if found is None:
        return _open(connection, alert, subject, now)
    worst = max(Severity.of(found.severity), Severity.of(alert.severity))
    grown = worst > Severity.of(found.severity)
    connection.execute(
        update(incidents)
        .where(incidents.c.id == found.id)
        .values(
            severity=worst.word,
            updated_at=max(now, found.updated_at),
            state="open" if grown else found.state,
        )
    )
    return Incident(found.id, opened=False, severity=worst.word, grown=grown)


def _going_on(connection: Connection, subject: str, since: float) -> Row[tuple[str]] | None:
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


def _open(connection: Connection, alert: Alert, subject: str, now: float) -> Incident:
    incident_id = "inc_" + sha256(f"{subject}\n{alert.id}".encode()).hexdigest()[:16]
    connection.execute(
        insert(incidents).values(
            id=incident_id,
            subject=subject,
            state="open",
            severity=alert.severity,
            opened_at=now,
            updated_at=now,
        )
    )
    return Incident(incident_id, opened=True, severity=alert.severity, grown=True)
