"""Brakes that need to count: revocations per hour, and the breaker against mass action.

They count what was decided, by the clock of the machine and not by event time: a flood of old
events must not get more revocations through than a flood of new ones.
"""

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, func, select

from actions.blast import share_of
from actions.homes import Home, homes_of
from actions.policy import Guards, seconds_of
from database.listed import among
from database.schema import alerts, keys, outbox
from database.transaction import in_commit_order
from vocabulary.action import ActionKind, Decision
from vocabulary.credential import KnownKey
from vocabulary.senders import sender

BREAKER = "breaker"
"""First word of why a row is held; while one such row waits, the breaker stays open."""

SHARE_FROM_KEYS = 5
"""A share of few keys says nothing: below this number of keys it is not looked at."""

TRAFFIC_FROM_KEYS = 20
"""Below this number of working keys no share of the traffic is looked at."""

STUFFING, ADDRESS = "stuffing", "ip:"
"""Kind of the alert about an address that tries many keys; how the subject of one begins."""

_HOUR_S = 3600.0
_LEAKS = ("leak", "exposed-in-log")
_COUNTED = ("waiting", "leased", "done", "undone")


@dataclass(frozen=True, slots=True)
class Situation:
    """What a brake looks at.

    Attributes:
        subject: key id.
        kind: of the alert: a maintenance window explains no leak.
        source: address of the request that decided it; empty where none is known.
        key: what the key store knows of the key.
        began_at: epoch seconds at which what was noticed began.
        severity: of the alert; empty where it is not known any more.
    """

    subject: str
    kind: str = ""
    source: str = ""
    key: KnownKey | None = None
    began_at: float = 0.0
    severity: str = ""


def braked(
    connection: Connection, decision: Decision, situation: Situation, guards: Guards, now: float
) -> Decision:
    """Return the decision, held for a person when too much has been done lately.

    Args:
        connection: in the transaction that will record the decision.
        decision: what was decided; one that is not carried out needs no brake.
        situation: what it is about.
        guards: the policy's limits.
        now: epoch seconds.
    """
    if decision.action is ActionKind.NONE or decision.dry_run:
        return decision
    in_commit_order(connection)  # rivals would each count without the other
    reason = (
        _breaker(connection, situation, guards, now)
        or _cap(connection, decision, situation, guards, now)
        or _traffic(connection, decision, situation, guards, now)
        or _maintenance(situation, guards, now)
    )
    needs_two = decision.action in guards.two_person
    if needs_two:
        decision = replace(decision, approvals=2)
        reason = reason or f"`{decision.action}` needs two people"
    if not reason:
        return decision
    told = tuple(dict.fromkeys((*decision.notify, *guards.notify)))
    return replace(decision, held=True, guard=reason, notify=told)


def breaker_is_open(connection: Connection) -> bool:
    """Say whether effects are being held until a person has looked."""
    return _is_held(connection, BREAKER)


def _is_held(connection: Connection, begin: str) -> bool:
    """Say whether an action waits for a person because of what begins so."""
    why = outbox.c.error.startswith(begin, autoescape=True)
    held = select(outbox.c.id).where(outbox.c.state == "held", why)
    return connection.execute(held.limit(1)).first() is not None


def _breaker(connection: Connection, situation: Situation, guards: Guards, now: float) -> str:
    subject = situation.subject
    if breaker_is_open(connection):
        return f"{BREAKER}: open until the actions that it holds are approved or rejected"
    window_s = seconds_of(guards.breaker_window)
    others = _touched(connection, subject, now - window_s)
    touched = 1 + len(others)
    revoked = len(_touched(connection, subject, now - window_s, outbox.c.effect == "revoke"))
    many = guards.breaker_keys
    homes = homes_of(connection, {*others, subject})
    if touched > many and _causes(connection, situation, others, homes, now) > many:
        return f"{BREAKER}: more than {many} keys within {guards.breaker_window}"
    whole = touched / guards.breaker_share - revoked
    few = touched > SHARE_FROM_KEYS and not _keys_reach(connection, whole)
    if few and _keys_reach(connection, 1):  # a replay has no store, and no share of one
        share = f"{guards.breaker_share:.0%}"
        return f"{BREAKER}: more than {share} of all keys within {guards.breaker_window}"
    carried = _share(connection, {*others, subject}, situation, now) if others else 0.0
    if carried > guards.breaker_traffic:
        return f"{BREAKER}: keys with {carried:.0%} of the traffic within {guards.breaker_window}"
    return _breaker_of_account(connection, situation, others, homes, guards)


def _breaker_of_account(
    connection: Connection,
    situation: Situation,
    others: dict[str, "_Touched"],
    homes: dict[str, Home],
    guards: Guards,
) -> str:
    """Say why nothing more is done to an account; what leaked is proven, and not counted."""
    account = homes[situation.subject].account
    if not account or situation.kind in _LEAKS:
        return ""
    begin = f"account {account}:"
    if _is_held(connection, begin):
        return f"{begin} held until the actions that wait are approved or rejected"
    mine = [
        subject
        for subject, one in others.items()
        if homes[subject].account == account and not one.is_leak
    ]
    many = guards.breaker_keys
    if len(mine) < many:
        return ""
    return f"{begin} more than {many} of its keys within {guards.breaker_window}"


class _Touched(NamedTuple):
    """What was the cause of what was done to a key: addresses, and whether it leaked."""

    sources: set[str]
    is_leak: bool


def _causes(
    connection: Connection,
    situation: Situation,
    others: dict[str, _Touched],
    homes: dict[str, Home],
    now: float,
) -> int:
    """Return how many thieves it takes to explain so many keys.

    An address that tried keys which do not exist is a thief by facts that no database of places,
    no clock and no profile has a part in: whatever keys it got hold of are one theft. Otherwise a
    thief who tries many keys would hold up every revocation until a person has looked. So would
    who leaks many keys of their own: those of one account are one cause, too.
    """
    own = _Touched({situation.source}, situation.kind in _LEAKS)
    touched = {**others, situation.subject: own}
    sources = set().union(*(one.sources for one in touched.values())) - {""}
    proven = _stuffing(connection, {sender(source) for source in sources}, now)
    return len(
        {
            sender(source)
            if sender(source) in proven
            else homes[subject].of(is_leak=one.is_leak) or subject
            for subject, one in touched.items()
            for source in one.sources
        }
    )


def _stuffing(connection: Connection, sources: set[str], now: float) -> set[str]:
    """Return which senders were lately told of for trying many keys."""
    told = select(alerts.c.subject).where(
        among(alerts.c.subject, [f"{ADDRESS}{source}" for source in sorted(sources)]),
        alerts.c.kind == STUFFING,
        alerts.c.recorded_at >= now - _HOUR_S,
        alerts.c.feedback != "false",
    )
    return {subject.removeprefix(ADDRESS) for subject in connection.execute(told).scalars()}


def _cap(
    connection: Connection, decision: Decision, situation: Situation, guards: Guards, now: float
) -> str:
    """Say why there were revocations enough; the leaked keys of one account or owner are one."""
    if decision.action is not ActionKind.REVOKE:
        return ""
    kind = outbox.c.arguments["kind"].as_string()
    lately = select(outbox.c.subject, kind.label("kind")).where(
        outbox.c.lane == "effect",
        outbox.c.created_at >= now - _HOUR_S,
        outbox.c.effect == "revoke",
        outbox.c.state.in_(_COUNTED),
    )
    rows = connection.execute(lately).all()
    leaked = {row.subject for row in rows if row.kind in _LEAKS}
    own = {situation.subject} if situation.kind in _LEAKS else set()
    homes = homes_of(connection, leaked | own)
    hit = {homes[subject].of(is_leak=True) for subject in leaked}
    hit -= {"", *(homes[subject].of(is_leak=True) for subject in own)}
    each = [r for r in rows if r.kind not in _LEAKS or not homes[r.subject].of(is_leak=True)]
    done, cap = len(each) + len(hit), guards.revocations_per_hour
    return f"cap: {done} revocations within an hour, {cap} are allowed" if done >= cap else ""


def _traffic(
    connection: Connection, decision: Decision, situation: Situation, guards: Guards, now: float
) -> str:
    """Say why a revocation stops too much of what is going on."""
    if decision.action is not ActionKind.REVOKE:
        return ""
    is_revocation = outbox.c.effect == "revoke"
    lately = _touched(connection, situation.subject, now - _HOUR_S, is_revocation)
    carried = _share(connection, {*lately, situation.subject}, situation, now)
    if carried <= guards.revoked_traffic:
        return ""
    allowed = f"{guards.revoked_traffic:.0%}"
    return f"traffic: {carried:.0%} of all requests would end within an hour, {allowed} may"


def _maintenance(situation: Situation, guards: Guards, now: float) -> str:
    if situation.kind in _LEAKS:
        return ""
    about = situation.key, now, situation.severity
    names = [one.name for one in guards.maintenance if one.holds(*about)]
    return f"maintenance: {names[0] or 'a window'} is going on" if names else ""


def _share(connection: Connection, key_ids: set[str], situation: Situation, now: float) -> float:
    """Return the keys' share of the traffic; 0 where keys are so few that each has a large one."""
    if not _keys_reach(connection, TRAFFIC_FROM_KEYS):
        return 0.0
    until = min(now, situation.began_at or now)
    return share_of(connection, key_ids, until, now)


def _touched(
    connection: Connection, subject: str, since: float, *conditions: ColumnElement[bool]
) -> dict[str, _Touched]:
    """Return the other keys that were acted on, each with what was the cause."""
    source, kind = (outbox.c.arguments[name].as_string() for name in ("source", "kind"))
    others = (
        select(outbox.c.subject, source.label("source"), kind.label("kind"))
        .distinct()
        .where(
            outbox.c.lane == "effect",
            outbox.c.created_at >= since,
            outbox.c.subject != subject,
            outbox.c.effect.not_in(("restore", "undo")),
            outbox.c.state.in_(_COUNTED),
            *conditions,
        )
    )
    found: dict[str, _Touched] = {}
    for row in connection.execute(others):
        before = found.get(row.subject, _Touched(set(), is_leak=True))
        is_leak = before.is_leak and row.kind in _LEAKS
        found[row.subject] = _Touched(before.sources | {row.source or ""}, is_leak)
    return found


def _keys_reach(connection: Connection, number: float) -> bool:
    """Say whether so many keys work; looks at no more rows than that."""
    wanted = max(0, ceil(number))
    working = select(keys.c.id).where(keys.c.state.in_(("active", "deprecated"))).limit(wanted)
    found = connection.execute(select(func.count()).select_from(working.subquery())).scalar_one()
    return found >= wanted
