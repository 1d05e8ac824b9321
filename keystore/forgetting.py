"""Forgetting a key or an account: rows, uses, and words of the audit log, which stays provable.

What is left is that there was a key of this id, who did what to it and when. The id is random and
says nothing of anybody. A key whose leak is proven stays refused: its secret may come back.
"""

from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from database.schema import accounts, keys, organisations, usage
from database.schema import audit as log
from database.transaction import in_commit_order
from keystore import accounts as accounts_
from keystore import audit, denials, feed, lifecycle, query, spending
from keystore.audit import FORGET
from keystore.denials import Denial, Denied
from keystore.keys import SHA256, Key, Kind
from keystore.unregistered import name_of_digest
from vocabulary.errors import TransitionError

_WORKS = ("live", "test", "deprecated", "suspended")


def forget(
    connection: Connection,
    key_id: str,
    *,
    actor: str,
    reason: str,
    now: float,
    force: bool = False,
    more: Collection[str] = (),
) -> int:
    """Forget a key for good; return the number of audit rows whose words were erased.

    Args:
        connection: a write transaction.
        key_id: of the key, or of another identity.
        actor: who does it.
        reason: why; nothing of what is to be forgotten.
        now: epoch seconds.
        force: forget it although it works: it is revoked first.
        more: further subjects of the audit log whose words go with it.

    Raises:
        KeyNotFoundError: when there is none of this id.
        TransitionError: when it works, and `force` is not set; or when it lives in another store,
            which would go on letting it in.
    """
    in_commit_order(connection)
    key = query.get(connection, key_id)
    if key.verdict(now) in _WORKS:
        _refuse_working(key, force=force)
        lifecycle.revoke(connection, key_id, actor=actor, reason=reason, now=now)
    if key.leak_proven and key.pepper_id == SHA256 and key.kind == Kind.KEY:
        name = name_of_digest(bytes.fromhex(key.hash))
        why = "the leak of a key that was forgotten"
        wanted = Denial(kind=Denied.CREDENTIAL, value=name)
        denials.deny(connection, wanted, actor=actor, reason=why, now=now)
    connection.execute(delete(usage).where(usage.c.key_id == key_id))
    spending.forget(connection, key_id)
    connection.execute(delete(keys).where(keys.c.id == key_id))
    feed.record(connection, [key_id], now)
    entry = audit.Entry(now, actor, FORGET, key_id, reason)
    return audit.erase(connection, [key_id, *more], entry)


def forget_account(
    connection: Connection, account_id: str, *, actor: str, reason: str, now: float
) -> int:
    """Forget an account that no key belongs to, and its organisation if nobody else is in it.

    Returns:
        The number of audit rows whose words were erased.

    Raises:
        KeyStoreError: when there is none of this id.
        TransitionError: when a key belongs to it.
    """
    in_commit_order(connection)
    account = accounts_.get(connection, account_id)
    if theirs := keys_of_account(connection, account_id, most=1):
        raise TransitionError(
            f"{theirs[0]} belongs to the account {account_id!r}",
            remedy="forget its keys first, or all at once with --force",
        )
    connection.execute(delete(accounts).where(accounts.c.id == account_id))
    organisation = account.organisation_id
    others = select(accounts.c.id).where(accounts.c.organisation_id == organisation).limit(1)
    if organisation and connection.execute(others).first() is None:
        connection.execute(delete(organisations).where(organisations.c.id == organisation))
    subject = f"account:{account_id}"
    return audit.erase(connection, [subject], audit.Entry(now, actor, FORGET, subject, reason))


def keys_of_account(connection: Connection, account_id: str, most: int | None = None) -> list[str]:
    """Return the ids of the keys that belong to an account."""
    theirs = select(keys.c.id).where(keys.c.account_id == account_id).order_by(keys.c.id)
    return list(connection.execute(theirs.limit(most)).scalars())


def forgotten(connection: Connection) -> list[str]:
    """Return the ids of all keys that were forgotten."""
    query = select(log.c.subject).where(log.c.verb == FORGET).distinct()
    return list(connection.execute(query).scalars())


def _refuse_working(key: Key, *, force: bool) -> None:
    if key.store:
        raise TransitionError(
            f"{key.id} works, and lives in the store {key.store}",
            remedy="revoke it, and forget it once its store has followed",
        )
    if not force:
        raise TransitionError(
            f"{key.id} may still be used",
            remedy="revoke it first, or do both at once with --force",
        )
