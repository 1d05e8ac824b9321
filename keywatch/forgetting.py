"""Forgetting a key or an account in every room: row, profile, leaks, alerts and uses."""

from typing import NamedTuple

from sqlalchemy import Connection, delete

from actions.erasure import erase
from database import erasing
from database.schema import findings, profiles, side_inputs, usage
from database.transaction import transaction
from detectors.store import QUARANTINE, REBUILT
from keystore import forgetting
from keystore.store import KeyStore


class Gone(NamedTuple):
    """What was forgotten: keys, and rows of the audit log whose words were erased."""

    keys: int
    rows: int


def forget(store: KeyStore, key_id: str, *, actor: str, reason: str, force: bool = False) -> int:
    """Forget a key for good; see `keystore.forgetting`.

    Returns:
        The number of audit rows whose words were erased.
    """
    with transaction(store.engine) as connection:
        erasing.overwriting(connection)
        rows = _forget(connection, key_id, (actor, reason, store.clock()), force=force)
    erasing.settle(store.engine)
    return rows


def forget_account(
    store: KeyStore, account_id: str, *, actor: str, reason: str, force: bool = False
) -> Gone:
    """Forget an account for good, and with `force` all its keys first: all of it or nothing."""
    act = (actor, reason, store.clock())
    with transaction(store.engine) as connection:
        erasing.overwriting(connection)
        theirs = forgetting.keys_of_account(connection, account_id) if force else []
        rows = sum(_forget(connection, key_id, act, force=True) for key_id in theirs)
        rows += forgetting.forget_account(
            connection, account_id, actor=actor, reason=reason, now=act[2]
        )
    erasing.settle(store.engine)
    return Gone(len(theirs), rows)


def _forget(
    connection: Connection, key_id: str, act: tuple[str, str, float], *, force: bool
) -> int:
    actor, reason, now = act
    known = erase(connection, key_id)
    _leave_nothing(connection, key_id)
    return forgetting.forget(
        connection, key_id, actor=actor, reason=reason, now=now, force=force, more=known
    )


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
