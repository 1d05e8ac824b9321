"""Accounts of people. Each change is audited; each ends the sessions of whom it concerns."""

import re

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from database.schema import users
from database.transaction import in_commit_order
from keystore import audit
from keywatch.people import sessions
from keywatch.people.roles import Role, role_of
from vocabulary.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class User(msgspec.Struct, frozen=True):
    """An account; times are epoch seconds.

    Attributes:
        origin: empty for an account of ours, else the issuer that vouches for it.
    """

    name: str
    role: str
    origin: str
    disabled: bool
    created_at: float
    last_login_at: float | None


_SHOWN = (
    users.c.name,
    users.c.role,
    users.c.origin,
    users.c.disabled,
    users.c.created_at,
    users.c.last_login_at,
)


def add(
    connection: Connection, name: str, role: str, known: str, *, actor: str, now: float
) -> User:
    """Make an account.

    Args:
        connection: a write transaction.
        name: lower case letters, digits and `._@-`.
        role: viewer, operator or admin.
        known: hash of its password; see `passwords.hashed`.
        actor: who does it.
        now: epoch seconds.

    Raises:
        UsageError: when the name is taken or is none.
    """
    checked_name(name)
    in_commit_order(connection)
    if find(connection, name) is not None:
        raise UsageError(f"there is a user {name} already", remedy="see `keywatch users list`")
    row = {"name": name, "role": role_of(role).value, "hash": known, "created_at": now}
    connection.execute(insert(users), [row | {"origin": "", "disabled": False}])
    _note(connection, name, "add_user", actor, now, {"role": role})
    return get(connection, name)


def vouched(connection: Connection, name: str, origin: str, role: Role, *, now: float) -> User:
    """Note that somebody logged in elsewhere; their first login makes the account.

    Args:
        connection: a write transaction.
        name: what they are called.
        origin: who vouches for them, and under which name that never changes.
        role: what they may do from now on.
        now: epoch seconds.

    Raises:
        UsageError: when the name is somebody else's, or the account is disabled.
    """
    checked_name(name)
    in_commit_order(connection)
    known = find(connection, name)
    if known is not None and (known.origin != origin or known.disabled):
        raise UsageError(f"{name} is not let in", remedy="ask who runs keywatch")
    if known is None:
        row = {"name": name, "hash": "", "origin": origin, "disabled": False}
        connection.execute(insert(users), [row | {"role": role.value, "created_at": now}])
    changed = {"last_login_at": now, "role": role.value}
    connection.execute(update(users).where(users.c.name == name).values(**changed))
    if known is not None and known.role != role:
        sessions.end_all(connection, name)
    _note(connection, name, "log_in", name, now, {"from": origin, "role": role.value})
    return get(connection, name)


def checked_name(name: str) -> str:
    """Return the name.

    Raises:
        UsageError: when nobody can be called so.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a user", remedy="lower case letters, digits and . _ @ -"
        )
    return name


def listed(connection: Connection) -> list[User]:
    """Return all accounts by name."""
    rows = connection.execute(select(*_SHOWN).order_by(users.c.name)).mappings()
    return [User(**row) for row in rows]


def find(connection: Connection, name: str) -> User | None:
    """Return an account, None when there is none of this name."""
    row = connection.execute(select(*_SHOWN).where(users.c.name == name)).mappings().first()
    return User(**row) if row else None


def get(connection: Connection, name: str) -> User:
    """Return an account.

    Raises:
        UsageError: when there is none of this name.
    """
    user = find(connection, name)
    if user is None:
        raise UsageError(f"there is no user {name!r}", remedy="see `keywatch users list`")
    return user


def hash_of(connection: Connection, name: str) -> str:
    """Return the hash of an enabled account's password; empty when it has none."""
    query = select(users.c.hash).where(users.c.name == name, users.c.disabled.is_(False))
    return str(connection.scalar(query) or "")


def set_password(connection: Connection, name: str, known: str, *, actor: str, now: float) -> None:
    """Give an account another password; whoever is logged in with the old one no longer is."""
    user = get(connection, name)
    if user.origin:
        raise UsageError(f"{name} logs in through {user.origin} and has no password here")
    _change(connection, name, "change_password", {"hash": known}, (actor, now), {})


def set_role(connection: Connection, name: str, role: str, *, actor: str, now: float) -> None:
    """Give an account another role.

    Raises:
        UsageError: when it is the last admin's.
    """
    wanted = role_of(role).value
    if wanted != Role.ADMIN:
        _keep_an_admin(connection, name)
    _change(connection, name, "change_role", {"role": wanted}, (actor, now), {"role": wanted})


def disable(connection: Connection, name: str, *, actor: str, now: float) -> None:
    """Let nobody in under this name any more.

    Raises:
        UsageError: when it is the last admin.
    """
    _keep_an_admin(connection, name)
    _change(connection, name, "disable_user", {"disabled": True}, (actor, now), {})


def enable(connection: Connection, name: str, *, actor: str, now: float) -> None:
    """Let them in again."""
    _change(connection, name, "enable_user", {"disabled": False}, (actor, now), {})


def _keep_an_admin(connection: Connection, name: str) -> None:
    others = select(func.count()).where(
        users.c.role == Role.ADMIN.value, users.c.disabled.is_(False), users.c.name != name
    )
    user = get(connection, name)
    if user.role == Role.ADMIN and not user.disabled and not connection.scalar(others):
        raise UsageError(f"{name} is the last admin", remedy="add another one first")


def _change(
    connection: Connection,
    name: str,
    verb: str,
    values: dict[str, object],
    act: tuple[str, float],
    said: dict[str, object],
) -> None:
    get(connection, name)
    in_commit_order(connection)
    connection.execute(update(users).where(users.c.name == name).values(**values))
    sessions.end_all(connection, name)
    _note(connection, name, verb, *act, said)


def _note(
    connection: Connection, name: str, verb: str, actor: str, now: float, said: dict[str, object]
) -> None:
    audit.append(connection, [audit.Entry(now, actor, verb, f"user:{name}", "", said)])
