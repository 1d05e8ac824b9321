"""What can be looked at, apart from keys: incidents, alerts, actions, leaks, sources, the log."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, case, func, select

from actions import casebook, ledger, remedy
from database import counters
from database.schema import alerts, audit, findings, keys, positions
from keywatch.desk import contract
from keywatch.desk.paging import paged
from keywatch.status import never_read, sources_told
from streams import deadletter
from vocabulary.errors import KeywatchError, UsageError
from vocabulary.moments import rfc3339

T = TypeVar("T")


class MissingError(KeywatchError):
    """There is nothing of this name."""


def list_incidents(
    connection: Connection,
    *,
    state: str = "",
    severity: str = "",
    subject: str = "",
    after: str = "",
    limit: int = 50,
) -> contract.Page[contract.Incident]:
    """Return incidents, the ones that changed last first; `going-on` stands for all but closed."""
    going_on = state == "going-on"
    found = casebook.list_incidents(
        connection,
        key=subject,
        state="" if going_on else state,
        going_on=going_on,
        severity=severity,
        before=after,
        limit=limit + 1,
    )
    items = tuple(msgspec.convert(one, contract.Incident) for one in found[:limit])
    return contract.Page(items=items, next=items[-1].id if len(found) > limit else "")


def show_incident(connection: Connection, incident_id: str) -> contract.IncidentDetail:
    """Return an incident with all that belongs to it.

    Raises:
        MissingError: when there is none.
    """
    found = _there(lambda: casebook.show_incident(connection, incident_id))
    return msgspec.convert(found, contract.IncidentDetail)


def list_alerts(
    connection: Connection,
    *,
    key: str = "",
    severity: str = "",
    feedback: str | None = None,
    after: str = "",
    limit: int = 50,
) -> contract.Page[contract.Alert]:
    """Return alerts, the newest first; with an empty `feedback` those nobody has judged."""
    query: Select[Any] = select(alerts)
    if key:
        query = query.where(alerts.c.subject == key)
    if severity:
        query = query.where(alerts.c.severity == severity)
    if feedback is not None:
        query = query.where(alerts.c.feedback == feedback)
    order = (alerts.c.recorded_at, alerts.c.id)
    return paged(connection, query, order, _alert, after=after, limit=limit)


def show_alert(connection: Connection, alert_id: str) -> contract.AlertDetail:
    """Return an alert, what was decided and what was done.

    Raises:
        MissingError: when there is none.
    """
    found = _there(lambda: ledger.show_alert(connection, alert_id))
    incident = found["incident"]
    fields = {**found, "incident": incident["id"] if incident else None}
    return msgspec.convert(fields, contract.AlertDetail)


def list_actions(
    connection: Connection,
    *,
    key: str = "",
    state: str = "",
    notifications: bool = False,
    before: int = 0,
    limit: int = 50,
) -> contract.Page[contract.Action]:
    """Return actions, the newest first."""
    rows = ledger.list_actions(
        connection,
        key=key,
        state=state,
        notifications=notifications,
        before=before,
        limit=limit + 1,
    )
    items = tuple(msgspec.convert(row, contract.Action) for row in rows[:limit])
    return contract.Page(items=items, next=str(items[-1].id) if len(rows) > limit else "")


def show_action(connection: Connection, number: int) -> contract.ActionDetail:
    """Return all that is known of one action.

    Raises:
        MissingError: when there is none.
    """
    found = _there(lambda: ledger.show_action(connection, number))
    return msgspec.convert(found, contract.ActionDetail)


def list_findings(
    connection: Connection,
    *,
    key: str = "",
    source: str = "",
    after: str = "",
    limit: int = 50,
) -> contract.Page[contract.Finding]:
    """Return leaks, the ones seen last first."""
    query: Select[Any] = select(findings)
    if key:
        query = query.where(findings.c.key_id == key)
    if source:
        query = query.where(_place_of(findings.c.body) == source)
    order = (findings.c.last_seen_at, findings.c.fingerprint)
    return paged(connection, query, order, _finding, after=after, limit=limit)


def leak_places(connection: Connection, limit: int = 100) -> contract.Page[contract.LeakPlace]:
    """Return repositories and other places with leaks, the one with the newest leak first."""
    newest = select(findings).order_by(findings.c.last_seen_at.desc()).limit(_COUNTED).subquery()
    body = newest.c.body
    place = _place_of(body)
    rows = connection.execute(
        select(
            place.label("place"),
            func.count().label("leaks"),
            func.sum(case((body["severity"].as_string() == "critical", 1), else_=0)),
            func.sum(case((body["verdict"]["store"].as_string() == "live", 1), else_=0)),
            func.max(newest.c.last_seen_at).label("seen"),
        )
        .group_by(place)
        .order_by(func.max(newest.c.last_seen_at).desc())
        .limit(limit)
    )
    items = tuple(
        contract.LeakPlace(
            place=str(name),
            leaks=int(n),
            critical=int(critical),
            live=int(live),
            last_seen_at=rfc3339(seen),
        )
        for name, n, critical, live, seen in rows
    )
    return contract.Page(items=items)


def _place_of(body: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the repository that a finding stands in, or what was scanned where there is none."""
    repository = func.nullif(func.coalesce(body["repository"].as_string(), ""), "")
    return func.coalesce(repository, body["source"].as_string(), "")


_COUNTED = 20_000
"""Leaks that are counted by place: the newest."""


def show_finding(connection: Connection, fingerprint: str) -> contract.FindingDetail:
    """Return a leak with what to do about it.

    Raises:
        MissingError: when there is none.
    """
    row = connection.execute(
        select(findings, keys.c.hash, keys.c.pepper_id)
        .outerjoin(keys, keys.c.id == findings.c.key_id)
        .where(findings.c.fingerprint == fingerprint)
    ).first()
    if row is None:
        raise MissingError(f"there is no leak {fingerprint!r}")
    sha256 = row.hash if row.hash and row.pepper_id == "" else ""
    guide = remedy.guide(row.body, sha256)
    return contract.FindingDetail(
        **msgspec.structs.asdict(_finding(row)) | {"repository": guide.repository},
        rotate=guide.rotate,
        purge=guide.purge,
        commands=guide.commands,
    )


def list_sources(connection: Connection, now: float) -> contract.Page[contract.Source]:
    """Return where events come from, with the figures of `keywatch status`."""
    told = sources_told(connection, counters.all_of(connection), now)
    lost = deadletter.per_source(connection)
    known = {*told, *connection.scalars(select(positions.c.source))}
    folders = tuple(f"{name}/" for name, one in told.items() if "objects" in one["position"])
    unread = {
        name: never_read() | {"dead": n, "failed": ""}
        for name, n in sorted(lost.items())
        if name not in known and not name.startswith(folders)
    }
    items = (
        contract.Source(name=name, committed_at=_committed(one["age_s"], now), **one)
        for name, one in (told | unread).items()
    )
    return contract.Page(items=tuple(items))


def _committed(age_s: float | None, now: float) -> str:
    return "" if age_s is None else rfc3339(now - age_s)


def list_dead_letters(
    connection: Connection, *, source: str = "", limit: int = 50
) -> contract.Page[contract.DeadLetter]:
    """Return lines that were no events, the newest first."""
    letters = deadletter.newest(connection, limit, source or None)
    items = tuple(
        contract.DeadLetter(
            id=one.id,
            source=one.source,
            position=dict(one.position),
            reason=one.reason,
            raw=one.raw[:2000].decode("utf-8", "replace"),
            at=one.when,
        )
        for one in letters
    )
    return contract.Page(items=items)


def list_audit(
    connection: Connection,
    *,
    subject: str = "",
    actor: str = "",
    before: int = 0,
    limit: int = 50,
) -> contract.Page[contract.AuditRow]:
    """Return rows of the audit log, the newest first."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(max(1, min(limit, 200)) + 1)
    if subject:
        query = query.where(audit.c.subject == subject)
    if actor:
        query = query.where(audit.c.actor == actor)
    if before:
        query = query.where(audit.c.seq < before)
    rows = connection.execute(query).all()
    shown = rows[: max(1, min(limit, 200))]
    more = len(rows) > len(shown)
    return contract.Page(
        items=tuple(_audited(row) for row in shown), next=str(shown[-1].seq) if more else ""
    )


def _there(read: Callable[[], T]) -> T:
    try:
        return read()
    except UsageError as error:
        raise MissingError(error.what) from None


def _alert(row: Row[Any]) -> contract.Alert:
    return msgspec.convert(ledger.alert_of(row), contract.Alert)


def _finding(row: Row[Any]) -> contract.Finding:
    seen = {"first_seen_at": row.first_seen_at, "last_seen_at": row.last_seen_at}
    fields = {**row.body, **{name: rfc3339(at) for name, at in seen.items()}}
    return msgspec.convert({**fields, "key_id": row.key_id}, contract.Finding)


def _audited(row: Row[Any]) -> contract.AuditRow:
    return contract.AuditRow(
        seq=row.seq,
        at=rfc3339(row.at),
        actor=row.actor,
        verb=row.verb,
        subject=row.subject,
        reason=row.reason,
        details=row.details,
        hash=row.hash,
    )
