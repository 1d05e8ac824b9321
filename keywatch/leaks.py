"""What follows from findings: they are kept, and each becomes an alert that the policy weighs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Insert
from sqlalchemy.dialects import postgresql, sqlite

from actions.leaks import alert_of
from database.schema import findings as table
from database.transaction import transaction
from scanner.reports import public
from vocabulary.alert import Alert
from vocabulary.credential import KnownKey
from vocabulary.finding import Finding

Respond = Callable[[Connection, Alert], Alert]
Known = Callable[[Connection, str], KnownKey | None]


@dataclass(frozen=True, slots=True)
class FoundIn:
    """Where findings were found.

    Attributes:
        repository: its address, without credentials; empty when not known.
        exposure: public or private; empty when not known.
    """

    repository: str = ""
    exposure: str = ""


SOMEWHERE = FoundIn()


def answer(
    engine: Engine,
    found: Sequence[Finding],
    known: Known,
    respond: Respond,
    now: float,
    found_in: FoundIn = SOMEWHERE,
) -> list[Alert]:
    """Keep findings and respond to them, in one transaction; a repeat changes nothing.

    Args:
        engine: the database.
        found: by the scanner, looked up in the key store.
        known: key id → what the key store knows.
        respond: from alert to outbox.
        now: epoch seconds at which they were found.
        found_in: the repository, where that is known.
    """
    alerts = []
    with transaction(engine) as connection:
        for finding in found:
            connection.execute(_kept(finding, found_in, connection.dialect.name, now))
            key = known(connection, finding.key_id) if finding.key_id else None
            alerts.append(respond(connection, alert_of(finding, now, key, found_in.exposure)))
    return alerts


def _kept(finding: Finding, found_in: FoundIn, dialect: str, now: float) -> Insert:
    body = public(finding)
    if found_in.repository:
        body["repository"] = found_in.repository
    seen = {"key_id": finding.key_id, "body": body, "last_seen_at": now}
    insert: sqlite.Insert | postgresql.Insert = (
        postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    )
    row = insert.values(fingerprint=finding.fingerprint, first_seen_at=now, **seen)
    return row.on_conflict_do_update(index_elements=["fingerprint"], set_=seen)
