"""What follows from findings: they are kept, and each becomes an alert that the policy weighs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, select

from actions.leaks import alert_of
from database.schema import findings as table
from database.transaction import transaction
from database.upsert import inserting
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
        requests: commits that stand in no branch, with the ref of a pull request that holds them.
    """

    repository: str = ""
    exposure: str = ""
    requests: Mapping[str, str] = field(default_factory=dict)


SOMEWHERE = FoundIn()


def answer(
    engine: Engine,
    found: Sequence[Finding],
    known: Known,
    respond: Respond,
    now: float,
    found_in: FoundIn = SOMEWHERE,
    then: Callable[[Connection], None] = lambda _: None,
) -> list[Alert]:
    """Keep findings and respond to them, in one transaction; a repeat changes nothing.

    Args:
        engine: the database.
        found: by the scanner, looked up in the key store.
        known: key id → what the key store knows.
        respond: from alert to outbox.
        now: epoch seconds at which they were found.
        found_in: the repository, where that is known.
        then: done in the same transaction.
    """
    alerts = []
    with transaction(engine) as connection:
        for finding in found:
            _keep(connection, finding, found_in, now)
            key = known(connection, finding.key_id) if finding.key_id else None
            alerts.append(respond(connection, alert_of(finding, now, key, found_in.exposure)))
        then(connection)
    return alerts


def _keep(connection: Connection, finding: Finding, found_in: FoundIn, now: float) -> None:
    """Write a finding down; where it was found is not forgotten by who finds it again unasked."""
    mine = select(table.c.body).where(table.c.fingerprint == finding.fingerprint)
    before = connection.scalar(mine) or {}
    told = {
        "repository": found_in.repository,
        "exposure": found_in.exposure,
        "ref": found_in.requests.get(finding.commit, ""),
    }
    place = {name: told[name] or before.get(name, "") for name in told}
    if before.get("exposure") == "public":
        place["exposure"] = "public"  # what the world could read once, it may have read
    body = public(finding) | {name: value for name, value in place.items() if value}
    seen = {"key_id": finding.key_id, "body": body, "last_seen_at": now}
    row = inserting(connection, table).values(
        fingerprint=finding.fingerprint, first_seen_at=now, **seen
    )
    connection.execute(row.on_conflict_do_update(index_elements=["fingerprint"], set_=seen))
