"""What follows from findings: they are kept, and each becomes an alert that the policy weighs."""

from collections.abc import Callable, Sequence

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


def answer(
    engine: Engine,
    found: Sequence[Finding],
    known: Known,
    respond: Respond,
    now: float,
    exposure: str = "",
) -> list[Alert]:
    """Keep findings and respond to them, in one transaction; a repeat changes nothing.

    Args:
        engine: the database.
        found: by the scanner, looked up in the key store.
        known: key id → what the key store knows.
        respond: from alert to outbox.
        now: epoch seconds at which they were found.
        exposure: public or private, of the repository; empty when not known.
    """
    alerts = []
    with transaction(engine) as connection:
        for finding in found:
            connection.execute(_kept(connection, finding, now))
            key = known(connection, finding.key_id) if finding.key_id else None
            alerts.append(respond(connection, alert_of(finding, now, key, exposure)))
    return alerts


def _kept(connection: Connection, finding: Finding, now: float) -> Insert:
    seen = {"key_id": finding.key_id, "body": public(finding), "last_seen_at": now}
    insert: sqlite.Insert | postgresql.Insert = (
        postgresql.insert(table)
        if connection.dialect.name == "postgresql"
        else sqlite.insert(table)
    )
    row = insert.values(fingerprint=finding.fingerprint, first_seen_at=now, **seen)
    return row.on_conflict_do_update(index_elements=["fingerprint"], set_=seen)
