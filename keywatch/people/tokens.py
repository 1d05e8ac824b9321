"""Tokens of programs: for the API, with scopes and an end."""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, or_, select, update

from database.schema import api_tokens
from database.transaction import in_commit_order
from keystore import audit
from keywatch.people import users
from keywatch.people.roles import Person, Role
from vocabulary.errors import UsageError

PREFIX = "kwat_"
_SEEN_S = 300.0


class Token(msgspec.Struct, frozen=True):
    """What is known of a token; times are epoch seconds. Its secret is known to its holder alone.

    Attributes:
        owner: the account that it belongs to; it does no more than that one may, and ends with
            it. None for nobody's.
        made_by: who made it.
    """

    id: str
    name: str
    owner: str | None
    scopes: tuple[str, ...]
    made_by: str
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None


_SHOWN = [api_tokens.c[name] for name in Token.__struct_fields__]


def create(
    connection: Connection,
    name: str,
    scopes: tuple[str, ...],
    *,
    owner: str | None = None,
    life_s: float | None,
    actor: str,
    now: float,
) -> tuple[Token, str]:
    """Make a token; return it and its secret, which is shown once.

    Args:
        connection: a write transaction.
        name: what it is for; it stands in the audit log.
        scopes: from `roles.scopes_of`.
        owner: the account that it belongs to; None for nobody's.
        life_s: seconds until it ends; None for no end.
        actor: who makes it.
        now: epoch seconds.

    Raises:
        UsageError: when there is no such account.
    """
    in_commit_order(connection)
    if owner is not None:
        users.get(connection, owner)
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token(
        id="tok_" + secrets.token_hex(6),
        name=name,
        owner=owner,
        scopes=scopes,
        made_by=actor,
        created_at=now,
        expires_at=None if life_s is None else now + life_s,
        revoked_at=None,
        last_used_at=None,
    )
    row = msgspec.structs.asdict(token) | {"scopes": list(scopes), "hash": _hash(secret)}
    connection.execute(insert(api_tokens), [row])
    said = {"name": name, "scopes": list(scopes), "owner": owner}
    audit.append(connection, [audit.Entry(now, actor, "create_token", token.id, "", said)])
    return token, secret


def revoke(connection: Connection, token_id: str, *, actor: str, now: float) -> None:
    """End a token; one that has ended already stays as it is.

    Raises:
        UsageError: when there is none of this id.
    """
    in_commit_order(connection)
    if all(token.id != token_id for token in listed(connection)):
        raise UsageError(f"there is no token {token_id!r}", remedy="see `keywatch tokens list`")
    ended = connection.execute(
        update(api_tokens)
        .where(api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if ended.rowcount:
        audit.append(connection, [audit.Entry(now, actor, "revoke_token", token_id, "", {})])


def listed(connection: Connection) -> list[Token]:
    """Return all tokens, the newest first."""
    query = select(*_SHOWN).order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
    return [_token({**row}) for row in connection.execute(query).mappings()]


def find(connection: Connection, secret: str, now: float) -> tuple[Token, Person] | None:
    """Return a token that holds, and who its holder is."""
    query = select(*_SHOWN).where(
        api_tokens.c.hash == _hash(secret),
        api_tokens.c.revoked_at.is_(None),
        or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > now),
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    token = _token({**row})
    scopes = frozenset(token.scopes)
    if token.owner is not None:
        owner = users.get(connection, token.owner)
        if owner.disabled:
            return None
        scopes &= Role(owner.role).scopes
    return token, Person(f"token:{token.name}", scopes, human=token.owner or token.made_by)


def is_stale(token: Token, now: float) -> bool:
    """Whether its last use is to be written down again."""
    return token.last_used_at is None or token.last_used_at < now - _SEEN_S


def touch(connection: Connection, token: Token, now: float) -> None:
    """Note when a token was used last."""
    connection.execute(
        update(api_tokens).where(api_tokens.c.id == token.id).values(last_used_at=now)
    )


def _token(row: Mapping[str, Any]) -> Token:
    return Token(**{**row, "scopes": tuple(row["scopes"])})


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
