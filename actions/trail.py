"""The audit log: what was decided and why; how far it goes of a key, and who changed it since."""

import msgspec
from sqlalchemy import Connection, Row, func, select

from database.schema import audit
from keystore import audit as log
from vocabulary.action import Decision
from vocabulary.alert import Alert

ACTOR = "keywatch:policy"
"""Who does what the policy decides, in the audit log; no person is called so."""

DECIDE = "decide"
_LONGEST = 300
_POLICY = "policy:"
"""How the subject of a version begins."""


def decided(
    connection: Connection, alert: Alert, decision: Decision, incident_id: str, now: float
) -> None:
    """Seal a decision with its evidence, the policy's version and line, and what a guard said."""
    said = msgspec.to_builtins(decision)
    details = {
        "alert": alert.id,
        "about": alert.key or alert.ip,
        "kind": alert.kind,
        "severity": alert.severity,
        "evidence": msgspec.to_builtins(alert.evidence),
        "events": msgspec.to_builtins(alert.events),
        **{name: said[name] for name in said if name != "notify"},
        "notify": list(decision.notify),
    }
    reason = alert.summary[:_LONGEST]
    log.append(connection, [log.Entry(now, ACTOR, DECIDE, incident_id, reason, details)])


def adopted(connection: Connection, digest: str, text: str, now: float) -> None:
    """Seal a version of the policy with the first decision that it makes."""
    if not head(connection, f"{_POLICY}{digest}"):
        entry = log.Entry(now, ACTOR, "adopt", f"{_POLICY}{digest}", "", {"text": text})
        log.append(connection, [entry])


def version(connection: Connection, digest: str) -> str:
    """Return the text of a policy that has decided; empty where none of that digest has."""
    query = select(audit.c.details).where(audit.c.subject == f"{_POLICY}{digest}")
    details = connection.execute(query.order_by(audit.c.seq).limit(1)).scalar()
    return str(details.get("text", "")) if details else ""


def head(connection: Connection, subject: str) -> int:
    """Return the number of the subject's newest row in the audit log; 0 for none."""
    newest = select(func.max(audit.c.seq)).where(audit.c.subject == subject)
    return connection.execute(newest).scalar_one() or 0


def since(connection: Connection, subject: str, seq: int) -> list[Row[tuple[int, str, str]]]:
    """Return (seq, actor, verb) of what was done to the subject after row `seq`."""
    query = (
        select(audit.c.seq, audit.c.actor, audit.c.verb)
        .where(audit.c.subject == subject, audit.c.seq > seq)
        .order_by(audit.c.seq)
    )
    return list(connection.execute(query))
