"""Accounts and tokens as who looks after them sees and changes them."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from keywatch.desk import contract
from keywatch.desk.doing import Act
from keywatch.desk.looking import MissingError
from keywatch.people import tokens, users
from vocabulary.moments import rfc3339


def list_users(connection: Connection) -> contract.Page[contract.Account]:
    """Return all accounts, by name."""
    found = (_shown(one, "created_at", "last_login_at") for one in users.listed(connection))
    return contract.Page(items=tuple(msgspec.convert(one, contract.Account) for one in found))


def list_tokens(connection: Connection, now: float) -> contract.Page[contract.Token]:
    """Return every token that ever was, the newest first; never what its holder shows."""
    return contract.Page(items=tuple(_token(one, now) for one in tokens.listed(connection)))


def set_role(
    connection: Connection, name: str, wanted: contract.NewRole, act: Act
) -> contract.Done:
    """Give an account another role; its sessions end."""
    before = _account(connection, name)
    if before.role != wanted.role:
        users.set_role(connection, name, wanted.role, actor=act.actor, now=act.now)
    return contract.Done(id=name, changed=before.role != wanted.role)


def disable(connection: Connection, name: str, wanted: None, act: Act) -> contract.Done:
    """Let nobody in under a name any more; its sessions and tokens end."""
    del wanted
    before = _account(connection, name)
    if not before.disabled:
        users.disable(connection, name, actor=act.actor, now=act.now)
    return contract.Done(id=name, changed=not before.disabled)


def enable(connection: Connection, name: str, wanted: None, act: Act) -> contract.Done:
    """Let somebody in again."""
    del wanted
    before = _account(connection, name)
    if before.disabled:
        users.enable(connection, name, actor=act.actor, now=act.now)
    return contract.Done(id=name, changed=before.disabled)


def end_token(connection: Connection, token_id: str, wanted: None, act: Act) -> contract.Done:
    """End a token."""
    del wanted
    known = {one.id: one for one in tokens.listed(connection)}
    if token_id not in known:
        raise MissingError(f"there is no token {token_id!r}")
    tokens.revoke(connection, token_id, actor=act.actor, now=act.now)
    return contract.Done(id=token_id, changed=known[token_id].revoked_at is None)


def _account(connection: Connection, name: str) -> users.User:
    found = users.find(connection, name)
    if found is None:
        raise MissingError(f"there is no user {name!r}")
    return found


def _token(one: tokens.Token, now: float) -> contract.Token:
    ended = one.expires_at is not None and one.expires_at <= now
    state = "revoked" if one.revoked_at else "expired" if ended else "active"
    shown = _shown(one, "created_at", "expires_at", "last_used_at")
    return msgspec.convert(shown | {"state": state}, contract.Token)


def _shown(one: msgspec.Struct, *times: str) -> dict[str, Any]:
    """Return the fields of a row, its times for people."""
    fields = msgspec.structs.asdict(one)
    return fields | {name: rfc3339(at) if (at := fields[name]) else None for name in times}
