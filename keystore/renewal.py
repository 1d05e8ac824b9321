"""Having replaced what an identity shows: what was issued to it until now opens nothing any more.

A token's subject gets new tokens, the holder of a certificate a new one, without anything of the
identity itself having to change. A connection must come from `transaction`.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection

from keystore import audit, denials
from keystore.denials import Denial, Denied
from keystore.keys import Key, Kind

SHOWN = (Kind.TOKEN, Kind.CERTIFICATE)
"""Kinds of identities that others issue something to; a key's secret is ours to replace."""

Was = dict[str, Any]
"""What was refused before, as JSON; empty where nothing has changed."""


def refuse_issued(connection: Connection, key: Key, *, actor: str, reason: str, now: float) -> Was:
    """Refuse what was issued to an identity until now; return what `take_back` needs.

    Args:
        connection: a write transaction.
        key: an identity of one of the kinds `SHOWN`.
        actor: who does it.
        reason: why.
        now: epoch seconds.
    """
    wanted = _denial(key, now)
    before = denials.same(connection, wanted)
    made = denials.deny(connection, wanted, actor=actor, reason=reason, now=now)
    if made == before:
        return {}
    audit.append(connection, [audit.Entry(now, actor, "renew", key.id, reason)])
    kept = msgspec.to_builtins(before) if before else None
    return {"denial": made.id, "issued_before": made.issued_before, "before": kept}


def take_back(
    connection: Connection, key: Key, was: Was, *, actor: str, reason: str, now: float
) -> None:
    """Refuse no more than before `refuse_issued`; what somebody else has denied since stays.

    Args:
        connection: a write transaction.
        key: the identity.
        was: what `refuse_issued` returned.
        actor: who does it.
        reason: why.
        now: epoch seconds.
    """
    if not was:
        return
    made = msgspec.structs.replace(_denial(key, was["issued_before"]), id=was["denial"])
    before = msgspec.convert(was["before"], Denial | None)
    if denials.withdraw(connection, made, before, actor=actor, reason=reason, now=now):
        audit.append(connection, [audit.Entry(now, actor, "unrenew", key.id, reason)])


def _denial(key: Key, issued_before: float) -> Denial:
    if key.kind == Kind.TOKEN:
        issuer, _, subject = key.public_id.partition(" ")
        return Denial(
            kind=Denied.SUBJECT, issuer=issuer, value=subject, issued_before=issued_before
        )
    return Denial(kind=Denied.NAME, value=key.public_id, issued_before=issued_before)
