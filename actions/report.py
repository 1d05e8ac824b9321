"""Reports for people: an incident for its post-mortem, a leak with its remedy."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, or_, select

from actions import casebook
from actions.afterlife import still_tried
from actions.blast import Blast, Called, blast_of, nobody_knows
from actions.exposed import exposed_json, exposures
from actions.remedy import Guide, guide
from actions.telling.document import Block, Code, Heading, Paragraph, Table
from database.schema import audit, findings, keys
from vocabulary.errors import UsageError
from vocabulary.moments import moment_of, rfc3339

_NOBODY = "nobody"


def incident_report(
    connection: Connection, incident_id: str, now: float, called: Called = nobody_knows
) -> list[Block]:
    """Return the report of an incident.

    Args:
        connection: any.
        incident_id: the id or the beginning of it.
        now: epoch seconds, at which it is made.
        called: key id → the endpoints that it calls.

    Raises:
        UsageError: when there is no such incident.
    """
    told = casebook.show_incident(connection, incident_id)
    return [
        Heading(f"Incident {told['id']}", 1),
        Paragraph(str(told["summary"])),
        Table(("", ""), _facts(told, now)),
        Heading("Timeline"),
        Table(
            ("Time", "Kind", "Who", "What"),
            [[entry[name] for name in ("at", "kind", "who", "what")] for entry in told["timeline"]],
        ),
        *_exposed(told["exposures"]),
        *_alerts(told["alerts"]),
        *_actions(connection, told, now, called),
        *_leaks(connection, told["subject"]),
        *_sealed(connection, told),
    ]


def leak_report(connection: Connection, named: str) -> list[Block]:
    """Return what to do about a leaked key.

    Args:
        connection: any.
        named: fingerprint of a finding (or the beginning of it), or a key id.

    Raises:
        UsageError: when no such leak is known.
    """
    begins = findings.c.fingerprint.startswith(named, autoescape=True)
    which = or_(findings.c.key_id == named, begins)
    rows = _guides(connection, which) if named else []
    if not rows:
        raise UsageError(
            f"no leak is known of {named!r}", remedy="see `keywatch alerts list`, kind leak"
        )
    return [
        Heading("What to do about a leak", 1),
        *_exposed(_stood(connection, which)),
        *(block for one in rows for block in _guided(one)),
    ]


def tries_report(connection: Connection, since: float) -> list[dict[str, Any]]:
    """Return the revoked keys that are still tried, as JSON values; see `afterlife`."""
    return [
        {
            "key": one.key_id,
            "owner": one.owner,
            "ended_at": rfc3339(one.ended_at),
            "requests": one.requests,
            "networks": dict(one.networks),
            "first_at": rfc3339(one.first_at),
            "last_at": rfc3339(one.last_at),
        }
        for one in still_tried(connection, since)
    ]


def _facts(told: Mapping[str, Any], now: float) -> list[tuple[str, object]]:
    key, decision = told["key"] or {}, told["decision"]
    how = " (dry run)" if told["dry_run"] else " (held)" if told["held"] else ""
    return [
        ("About", told["subject"]),
        ("Owner", told["owner"] or _NOBODY),
        ("Environment", told["environment"] or "unknown"),
        ("State of the key", key.get("state", "not in the store")),
        ("Severity", told["severity"]),
        ("State", told["state"]),
        ("Opened", told["opened_at"]),
        ("Last change", told["updated_at"]),
        ("Action", f"{told['action']}{how}"),
        ("Decided by", f"{decision.get('line', '')} of policy {decision.get('policy', '')}"),
        ("Guard", decision.get("guard") or "none had anything to say"),
        ("Report made", rfc3339(now)),
    ]


def _exposed(exposures: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    """Yield how the key stood open, and who has used it since."""
    if not exposures:
        return
    yield Heading("Exposure")
    yield Table(
        ("Where", "Who could read it", "Exposed", "First seen", "Ended", "Committed by", "Since"),
        [
            (
                one["repository"] or one["where"],
                one["exposure"] or "unknown",
                one["exposed_at"],
                one["first_seen_at"],
                one["ended_at"] or "not yet",
                ", ".join(one["authors"]),
                one["sentence"],
            )
            for one in exposures
        ],
    )
    networks = {str(new["network"]): new for one in exposures for new in one["foreign_networks"]}
    if networks:
        yield Table(
            ("Foreign network", "First request", "Requests"),
            [(name, new["first_at"], new["requests"]) for name, new in networks.items()],
        )


def _alerts(alerts: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    yield Heading("Evidence")
    yield Table(
        ("Alert", "Time", "Severity", "Detector", "Observed", "Expected", "p", "Feedback"),
        [
            (
                alert["id"],
                alert["ts"],
                alert["severity"],
                one["detector"],
                one["observed"],
                one["expected"],
                f"{one['p']:.2g}",
                alert["feedback"],
            )
            for alert in alerts
            for one in alert["evidence"]
        ],
    )


def _actions(
    connection: Connection, told: Mapping[str, Any], now: float, called: Called
) -> Iterator[Block]:
    yield Heading("What was done")
    names = ("id", "at", "effect", "state", "done_at", "error")
    rows = [[action[name] for name in names] for action in told["actions"]]
    yield Table(("Action", "Decided", "Effect", "State", "Done", "Note"), rows)
    if not told["actions"]:
        yield Paragraph("Nothing.")
    said = ("at", "lane", "state", "done_at", "error")
    rows = [[message[name] for name in said] for message in told["messages"]]
    yield Heading("Who was told")
    yield Table(("Queued", "Whom", "State", "Sent", "Note"), rows)
    blast: Blast = blast_of(connection, told["subject"], now, called(told["subject"]))
    yield Heading("What the key was used for")
    yield Paragraph(blast.sentence())
    tries = still_tried(connection, moment_of(told["opened_at"], 0.0), told["subject"])
    if tries:
        yield Paragraph(f"It is still tried: {tries[0].sentence()}")


def _stood(connection: Connection, condition: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return the exposures that some findings are."""
    rows = connection.execute(select(findings.c.key_id, findings.c.fingerprint).where(condition))
    wanted = {(str(row.key_id), str(row.fingerprint)) for row in rows}
    return [
        exposed_json(one)
        for key_id in sorted({key_id for key_id, _ in wanted})
        for one in exposures(connection, key_id)
        if (key_id, one.found) in wanted
    ]


def _leaks(connection: Connection, key_id: str) -> Iterator[Block]:
    for one in _guides(connection, findings.c.key_id == key_id):
        yield from _guided(one)


def _guides(connection: Connection, condition: Any) -> list[Guide]:  # noqa: ANN401
    rows = connection.execute(
        select(findings.c.body, keys.c.hash, keys.c.pepper_id)
        .join(keys, keys.c.id == findings.c.key_id, isouter=True)
        .where(condition)
        .order_by(findings.c.first_seen_at)
    )
    return [guide(row.body, row.hash if row.pepper_id == "" else "") for row in rows]


def _guided(one: Guide) -> Iterator[Block]:
    yield Heading(f"Leak: {one.title}")
    if one.repository:
        yield Paragraph(f"Found in {one.repository}")
    yield Table(("Where", "Commit", "Author", "Date"), one.places)
    yield Heading("Replace it", 3)
    yield Table(("", ""), list(enumerate(one.rotate, 1)))
    yield Heading("Purge it", 3)
    yield Table(("", ""), list(enumerate(one.purge, 1)))
    if one.commands:
        yield Code(one.commands)


def _sealed(connection: Connection, told: Mapping[str, Any]) -> Iterator[Block]:
    """Yield the rows of the audit log that prove the report, with their seals."""
    subjects = [told["id"], told["subject"], *(alert["id"] for alert in told["alerts"])]
    since = moment_of(told["opened_at"], 0.0) - 1.0
    rows = connection.execute(
        select(audit)
        .where(audit.c.subject.in_(subjects), audit.c.at >= since)
        .order_by(audit.c.seq)
    )
    yield Heading("Seals")
    yield Paragraph("`keywatch audit verify` proves these rows of the audit log.")
    yield Table(
        ("Row", "Time", "Actor", "Verb", "Subject", "Hash"),
        [(row.seq, rfc3339(row.at), row.actor, row.verb, row.subject, row.hash) for row in rows],
    )
