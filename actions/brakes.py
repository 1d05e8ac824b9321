"""Brakes that need to count: revocations per hour, and the breaker against mass action.

They count what was decided, by the clock of the machine and not by event time: a flood of old
events must not get more revocations through than a flood of new ones.
"""

from math import ceil

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, distinct, func, select

from actions.policy import Guards, seconds_of
from database.schema import keys, outbox
from database.transaction import in_commit_order
from vocabulary.action import ActionKind, Decision

BREAKER = "breaker"
"""First word of why a row is held; while one such row waits, the breaker stays open."""

SHARE_FROM_KEYS = 5
"""A share of few keys says nothing: below this number of keys it is not looked at."""

_HOUR_S = 3600.0
_COUNTED = ("waiting", "leased", "done", "undone")


def braked(
    connection: Connection, decision: Decision, subject: str, guards: Guards, now: float
) -> Decision:
    """Return the decision, held for a person when too much has been done lately.

    Args:
        connection: in the transaction that will record the decision.
        decision: what was decided; one that is not carried out needs no brake.
        subject: key id.
        guards: the policy's limits.
        now: epoch seconds.
    """
    if decision.action is ActionKind.NONE or decision.dry_run:
        return decision
    in_commit_order(connection)  # rivals would each count without the other
    reason = _breaker(connection, subject, guards, now) or _cap(connection, decision, guards, now)
    if not reason:
        return decision
    told = tuple(dict.fromkeys((*decision.notify, *guards.notify)))
    return replace(decision, held=True, guard=reason, notify=told)


def breaker_is_open(connection: Connection) -> bool:
    """Say whether effects are being held until a person has looked."""
    held = select(outbox.c.id).where(outbox.c.state == "held", outbox.c.error.startswith(BREAKER))
    return connection.execute(held.limit(1)).first() is not None


def _breaker(connection: Connection, subject: str, guards: Guards, now: float) -> str:
    if breaker_is_open(connection):
        return f"{BREAKER}: open until the actions that it holds are approved or rejected"
    window_s = seconds_of(guards.breaker_window)
    touched = 1 + _touched(connection, subject, now - window_s)
    revoked = _touched(connection, subject, now - window_s, outbox.c.effect == "revoke")
    if touched > guards.breaker_keys:
        return f"{BREAKER}: more than {guards.breaker_keys} keys within {guards.breaker_window}"
    whole = touched / guards.breaker_share - revoked
    if touched > SHARE_FROM_KEYS and not _keys_reach(connection, whole):
        share = f"{guards.breaker_share:.0%}"
        return f"{BREAKER}: more than {share} of all keys within {guards.breaker_window}"
    return ""


def _cap(connection: Connection, decision: Decision, guards: Guards, now: float) -> str:
    if decision.action is not ActionKind.REVOKE:
        return ""
    lately = select(func.count()).where(
        outbox.c.lane == "effect",
        outbox.c.created_at >= now - _HOUR_S,
        outbox.c.effect == "revoke",
        outbox.c.state.in_(_COUNTED),
    )
    done = connection.execute(lately).scalar_one()
    cap = guards.revocations_per_hour
    return f"cap: {done} revocations within an hour, {cap} are allowed" if done >= cap else ""


def _touched(
    connection: Connection, subject: str, since: float, *conditions: ColumnElement[bool]
) -> int:
    others = select(func.count(distinct(outbox.c.subject))).where(
        outbox.c.lane == "effect",
        outbox.c.created_at >= since,
        outbox.c.subject != subject,
        outbox.c.effect != "restore",
        outbox.c.state.in_(_COUNTED),
        *conditions,
    )
    return connection.execute(others).scalar_one()


def _keys_reach(connection: Connection, number: float) -> bool:
    """Say whether so many keys work; looks at no more rows than that."""
    wanted = max(0, ceil(number))
    working = select(keys.c.id).where(keys.c.state.in_(("active", "deprecated"))).limit(wanted)
    found = connection.execute(select(func.count()).select_from(working.subquery())).scalar_one()
    return found >= wanted
