"""The outbox: what is to be done, written down in the transaction of the alert that asks for it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, insert, select

from actions import stages, trail
from actions.blast import Called, blast_of, nobody_knows
from actions.exposed import exposures
from actions.guards import strength
from actions.idempotency import idempotency_key
from actions.incident import WINDOW_S, Incident, join, subject_of
from actions.leaks import epoch_s
from actions.message import decided, message_of, storable
from actions.queue import EFFECT, NOTIFICATIONS
from database.schema import alerts, outbox
from vocabulary.action import ActionKind, Decision
from vocabulary.alert import Alert, alert_json
from vocabulary.credential import KnownKey

_REASON_LENGTH = 300
_EXPOSURES = 5


def record(
    connection: Connection,
    alert: Alert,
    decision: Decision,
    key: KnownKey | None,
    now: float,
    *,
    incident_window_s: float = WINDOW_S,
    called: Called = nobody_knows,
) -> bool:
    """Write an alert, its incident, the effect and the notifications that it asks for.

    The decision is sealed in the audit log. An effect is written only when it is stronger than
    what the incident has led to so far, and notifications only when the incident opens or grows.

    Args:
        connection: in the caller's transaction.
        alert: what happened; recording the same one again changes nothing.
        decision: what was decided about it.
        key: what the key store knows of the key.
        now: epoch seconds.
        incident_window_s: alerts of one key not further apart than this are one incident.
        called: key id → the endpoints that it calls.

    Returns:
        False when the alert was recorded before.
    """
    known = select(alerts.c.id).where(alerts.c.id == alert.id)
    if connection.execute(known).first() is not None:
        return False
    alert = storable(replace(alert, action=decision.action.value, dry_run=decision.dry_run))
    incident = join(connection, alert, decision, key, now, incident_window_s)
    _write_alert(connection, alert, decision, incident, now)
    trail.decided(connection, alert, decision, incident.id, now)
    acts = decision.action is not ActionKind.NONE and not _in_force(
        connection, alert, incident, decision, now, incident_window_s
    )
    if acts:
        _write_effect(connection, alert, decision, now, called)
    if acts or incident.grown:
        stood = [one.sentence() for one in exposures(connection, incident.subject)]
        message = message_of(alert, decision, key, incident, now, stood[:_EXPOSURES])
        _write_notifications(connection, alert, decision, message, now)
    return True


def announce(
    connection: Connection,
    incident: Incident,
    message: dict[str, Any],
    lanes: Sequence[str],
    cause: tuple[str, ...],
    now: float,
) -> None:
    """Write a message about an incident to those who were told of it before.

    Args:
        connection: in the caller's transaction.
        incident: what it is about.
        message: what they get to read.
        lanes: of the messages before.
        cause: what makes this message different from every other.
        now: epoch seconds.
    """
    for lane in dict.fromkeys(lanes):
        _write(
            connection,
            idempotency_key=idempotency_key("msg", incident.id, *cause, lane),
            alert_id="",
            subject=incident.subject,
            lane=lane,
            effect="notify",
            arguments=message,
            state="waiting",
            error="",
            not_before=0.0,
            created_at=now,
        )


def _write_alert(
    connection: Connection, alert: Alert, decision: Decision, incident: Incident, now: float
) -> None:
    connection.execute(
        insert(alerts).values(
            id=alert.id,
            incident_id=incident.id,
            ts=epoch_s(alert.ts),
            subject=subject_of(alert),
            kind=alert.kind,
            severity=alert.severity,
            body=msgspec.json.decode(alert_json(alert)),
            decision=decided(decision),
            recorded_at=now,
        )
    )


def _write_effect(
    connection: Connection, alert: Alert, decision: Decision, now: float, called: Called
) -> None:
    subject = subject_of(alert)
    endpoints = called(subject) if alert.key else ()
    arguments = {
        "reason": alert.summary[:_REASON_LENGTH],
        "kind": alert.kind,
        "severity": alert.severity,
        "source": alert.ip if alert.key else "",
        "rate_per_min": decision.rate_per_min,
        "duration_s": decision.duration_s,
        "line": decision.line,
        "policy": decision.policy,
        "approvals": decision.approvals,
        "blast": msgspec.to_builtins(blast_of(connection, subject, now, endpoints)),
    }
    state = "dry_run" if decision.dry_run else "held" if decision.held else "waiting"
    number = _write(
        connection,
        idempotency_key=idempotency_key("act", alert.id, decision.action),
        alert_id=alert.id,
        subject=subject_of(alert),
        lane=EFFECT,
        effect=decision.action.value,
        arguments=arguments,
        state=state,
        error=decision.guard,
        not_before=0.0,
        created_at=now,
    )
    if not decision.dry_run:
        about = (alert.id, subject_of(alert), arguments)
        stages.schedule(connection, number, decision, about, now)


def _write_notifications(
    connection: Connection, alert: Alert, decision: Decision, message: dict[str, Any], now: float
) -> None:
    for name in dict.fromkeys(decision.notify):
        _write(
            connection,
            idempotency_key=idempotency_key("msg", alert.id, name),
            alert_id=alert.id,
            subject=subject_of(alert),
            lane=NOTIFICATIONS + name,
            effect="notify",
            arguments=message,
            state="waiting",
            error="",
            not_before=0.0,
            created_at=now,
        )


def _write(connection: Connection, **row: object) -> int:
    written = connection.execute(insert(outbox).values(attempts=0, **row))
    (number,) = written.inserted_primary_key or (0,)
    return int(number)


def _in_force(
    connection: Connection,
    alert: Alert,
    incident: Incident,
    decision: Decision,
    now: float,
    window_s: float,
) -> bool:
    """Say whether the incident has led to as much already, so that nothing is repeated.

    What a person undid counts for the incident's window: the person has decided. A throttle or a
    suspension that has run out does not, and neither does one that was only shown.
    """
    earlier = connection.execute(
        select(outbox)
        .join(alerts, alerts.c.id == outbox.c.alert_id)
        .where(
            alerts.c.incident_id == incident.id,
            outbox.c.subject == subject_of(alert),
            outbox.c.lane == EFFECT,
            outbox.c.state.not_in(("dead", stages.SCHEDULED, stages.SKIPPED)),
            outbox.c.effect.not_in(("restore", stages.UNDO)),
        )
    )
    for row in earlier:
        lasts_s = row.arguments.get("duration_s") or 0.0
        if row.state in ("undone", "rejected"):
            lasts_s = window_s
        over = bool(lasts_s) and (row.done_at or row.created_at) + lasts_s <= now
        counts = row.state != "dry_run" or decision.dry_run
        if counts and not over and strength(row.effect) >= strength(decision.action):
            return True
    return False
