"""Forgetting a key in every room: its row, its profile, its leaks, alerts and uses."""

from sqlalchemy import Connection, delete

from actions.erasure import erase
from database import erasing
from database.schema import findings, profiles, side_inputs, usage
from database.transaction import transaction
from detectors.store import QUARANTINE, REBUILT
from keystore import forgetting
from keystore.store import KeyStore


def forget(store: KeyStore, key_id: str, *, actor: str, reason: str, force: bool = False) -> int:
    """Forget a key for good; see `keystore.forgetting`.

    Returns:
        The number of audit rows whose words were erased.
    """
    with transaction(store.engine) as connection:
        erasing.overwriting(connection)
        known = erase(connection, key_id)
        _leave_nothing(connection, key_id)
        rows = forgetting.forget(
            connection,
            key_id,
            actor=actor,
            reason=reason,
            now=store.clock(),
            force=force,
            more=known,
        )
    erasing.settle(store.engine)
    return rows


def forget_again(connection: Connection) -> None:
    """Forget what came late of keys that were forgotten: a profile in memory, the rest of a log."""
    erasing.overwriting(connection)
    for key_id in forgetting.forgotten(connection):
        erase(connection, key_id)
        _leave_nothing(connection, key_id)
        connection.execute(delete(usage).where(usage.c.key_id == key_id))


def _leave_nothing(connection: Connection, key_id: str) -> None:
    """Delete what detectors and the scanner have of a key."""
    names = [f"{QUARANTINE}{key_id}", f"{REBUILT}{key_id}"]
    connection.execute(delete(profiles).where(profiles.c.key_id == key_id))
    connection.execute(delete(side_inputs).where(side_inputs.c.name.in_(names)))
    connection.execute(delete(findings).where(findings.c.key_id == key_id))
