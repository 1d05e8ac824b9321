"""Sessions: what a cookie stands for, until it has been idle or there for too long."""

import hmac
import secrets
from hashlib import sha256

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from database.schema import sessions, users
from keywatch.people.roles import Person, Role

IDLE_S = 3600.0
"""A session that nobody used for so long is over."""
LONGEST_S = 12 * 3600.0
"""After so long anybody logs in again."""
_SEEN_S = 60.0


class Session(msgspec.Struct, frozen=True):
    """Somebody who is logged in; `csrf` is what forms of theirs must carry."""

    person: Person
    csrf: str
    is_stale: bool


def start(connection: Connection, name: str, now: float) -> str:
    """Begin a session and return what goes into the cookie; old sessions are forgotten."""
    connection.execute(delete(sessions).where(sessions.c.created_at < now - LONGEST_S))
    token = secrets.token_urlsafe(32)
    row = {"hash": _hash(token), "name": name, "created_at": now, "seen_at": now}
    connection.execute(insert(sessions), [row])
    return token


def find(connection: Connection, token: str, now: float) -> Session | None:
    """Return the session of a cookie; None when it is over or never was."""
    query = (
        select(sessions.c.seen_at, users.c.name, users.c.role)
        .join(users, users.c.name == sessions.c.name)
        .where(
            sessions.c.hash == _hash(token),
            sessions.c.seen_at > now - IDLE_S,
            sessions.c.created_at > now - LONGEST_S,
            users.c.disabled.is_(False),
        )
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    person = Person(row.name, Role(row.role).scopes, row.role)
    return Session(person, csrf_of(token), row.seen_at < now - _SEEN_S)


def touch(connection: Connection, token: str, now: float) -> None:
    """Note that a session was used."""
    connection.execute(update(sessions).where(sessions.c.hash == _hash(token)).values(seen_at=now))


def end(connection: Connection, token: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.hash == _hash(token)))


def end_all(connection: Connection, name: str) -> None:
    """End every session of an account."""
    connection.execute(delete(sessions).where(sessions.c.name == name))


def csrf_of(token: str) -> str:
    """Return what proves that a form came from a page of this session."""
    return hmac.new(token.encode(), b"csrf", sha256).hexdigest()


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
