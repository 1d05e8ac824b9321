"""A key's life: every change in the caller's transaction, with its audit row and its feed number.

    created ─► active ──────► revoked ◄─ restore goes back to the state before
                 │ rotate        ▲
                 └► deprecated ──┘ when its grace ends
    expiry ends any of them; what lies over a state and can be lifted is in `keystore.overlays`.

Each function changes nothing when the key already is as asked. All take `actor` and `reason` for
the audit log and `now`, epoch seconds. A connection must come from `transaction`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, update

from database.schema import keys
from database.transaction import in_commit_order
from keystore import audit, feed, issue, query
from keystore.issue import Issued, KeyOrder, adopt, create_many
from keystore.keys import Key, KeyState, Kind, row_of
from keystore.scheme import DEFAULT_SCHEME, KeyScheme
from vocabulary.errors import TransitionError, UsageError
from vocabulary.moments import LATEST

__all__ = [
    "adopt",
    "create",
    "create_many",
    "deprecate",
    "mark_leak_proven",
    "restore",
    "revoke",
    "rotate",
    "undeprecate",
    "unrotate",
]


def create(
    connection: Connection,
    order: KeyOrder,
    *,
    actor: str,
    reason: str,
    now: float,
    scheme: KeyScheme = DEFAULT_SCHEME,
) -> Issued:
    """Make a key.

    Raises:
        UsageError: when the order asks for what the scheme does not have.
    """
    made = create_many(connection, [order], actor=actor, reason=reason, now=now, scheme=scheme)
    return made[0]


def rotate(
    connection: Connection,
    key_id: str,
    *,
    actor: str,
    reason: str,
    now: float,
    grace_s: float | None = None,
    scheme: KeyScheme = DEFAULT_SCHEME,
) -> Issued:
    """Make a successor with the same grants; the old key goes on working for a grace.

    A grace that has begun before is never made longer.

    Args:
        connection: a write transaction.
        key_id: the key to replace.
        actor: who does it.
        reason: why.
        now: epoch seconds.
        grace_s: seconds that the old key has left; 0 revokes it at once (an emergency), None
            for the scheme's.
        scheme: what the new key looks like.

    Raises:
        TransitionError: when the key no longer works or was rotated before, or is another
            identity, which has no successor.
    """
    key = locked(connection, key_id)
    if key.kind != Kind.KEY:
        raise TransitionError(
            f"{key_id} is no API key but a {key.kind}", remedy=_NEXT[Kind(key.kind)]
        )
    must_work(key, now, "rotated")
    if key.rotated_to:
        raise TransitionError(
            f"{key_id} was rotated already, to {key.rotated_to}",
            remedy="rotate that one, or revoke this one",
        )
    grace = scheme.grace_s if grace_s is None else grace_s
    new = issue.successor(connection, key, actor=actor, reason=reason, now=now, scheme=scheme)
    ended = {"state": KeyState.REVOKED.value, "previous_state": key.state}
    kept = _deprecated(key, grace, now)
    values = (kept if grace else ended) | {"rotated_to": new.key.id}
    write(connection, key, values, "rotate", (actor, reason, now), {"grace_s": grace})
    return new


def unrotate(connection: Connection, before: Key, *, actor: str, reason: str, now: float) -> Key:
    """Take back a rotation whose new key nobody has: that one ends, the old one goes on as it was.

    What was revoked, by the rotation itself or since, stays so.

    Args:
        connection: a write transaction.
        before: the old key as it was.
        actor: who does it.
        reason: why.
        now: epoch seconds.
    """
    key = locked(connection, before.id)
    if not key.rotated_to:
        return key
    revoke(connection, key.rotated_to, actor=actor, reason=reason, now=now)
    values: dict[str, Any] = {"rotated_to": None}
    if key.state == KeyState.DEPRECATED:
        kept = ("state", "grace_until", "deprecated_at")
        values |= {name: getattr(before, name) for name in kept}
    return write(connection, key, values, "unrotate", (actor, reason, now))


_NEXT = {
    Kind.OAUTH_CLIENT: "keywatch identities new-secret gives it another secret",
    Kind.TOKEN: "refuse what was issued: keywatch identities deny subject … --issued-before now",
    Kind.CERTIFICATE: "add the next certificate, then revoke this one: keywatch identities --help",
}


def deprecate(
    connection: Connection, key_id: str, *, grace_s: float, actor: str, reason: str, now: float
) -> Key:
    """Let the key work for a grace only: by its end whoever holds it must have rotated it.

    A grace that has begun before is never made longer.

    Raises:
        TransitionError: when the key no longer works.
    """
    key = locked(connection, key_id)
    must_work(key, now, "deprecated")
    values = _deprecated(key, grace_s, now)
    return write(connection, key, values, "deprecate", (actor, reason, now))


def undeprecate(connection: Connection, key_id: str, *, actor: str, reason: str, now: float) -> Key:
    """Let a deprecated key work without an end again, even one whose grace is over."""
    key = locked(connection, key_id)
    if key.state != KeyState.DEPRECATED:
        return key
    values = {"state": KeyState.ACTIVE.value, "grace_until": None, "deprecated_at": None}
    return write(connection, key, values, "undeprecate", (actor, reason, now))


def revoke(connection: Connection, key_id: str, *, actor: str, reason: str, now: float) -> Key:
    """End the key; `restore` takes it back."""
    key = locked(connection, key_id)
    if key.state == KeyState.REVOKED:
        return key
    values = {"state": KeyState.REVOKED.value, "previous_state": key.state}
    return write(connection, key, values, "revoke", (actor, reason, now))


def restore(
    connection: Connection,
    key_id: str,
    *,
    actor: str,
    reason: str,
    now: float,
    force: bool = False,
) -> Key:
    """Bring a revoked key back to the state before; lift throttle and suspension of any other.

    A throttle or suspension that was on the key when it was revoked is on it again.

    Raises:
        TransitionError: when its leak is proven and `force` is not given, or when it ended by
            itself.
    """
    key = locked(connection, key_id)
    if key.state != KeyState.REVOKED:
        must_work(key, now, "restored")
        values = UNTHROTTLED | RESUMED
        return write(connection, key, values, "restore", (actor, reason, now))
    if key.leak_proven and not force:
        raise TransitionError(
            f"the leak of {key_id} is proven: whoever found it could use it again",
            remedy="create a new key, or restore it with --force",
        )
    values = {"state": key.previous_state, "previous_state": ""}
    return write(connection, key, values, "restore", (actor, reason, now), {"force": force})


def mark_leak_proven(
    connection: Connection, key_id: str, *, actor: str, reason: str, now: float
) -> Key:
    """Note that the key is known to strangers: it is not restored without force."""
    key = locked(connection, key_id)
    return write(connection, key, {"leak_proven": True}, "mark_leak_proven", (actor, reason, now))


UNTHROTTLED: dict[str, Any] = {"throttle_per_min": None, "throttle_until": None}
RESUMED: dict[str, Any] = {"suspended": False, "suspended_until": None}
_ENDED = {
    KeyState.REVOKED: "restore it first, or create a new key",
    KeyState.EXPIRED: "create a new key",
}


def locked(connection: Connection, key_id: str) -> Key:
    """Read the key when no other writer can come between."""
    in_commit_order(connection)
    return query.get(connection, key_id)


def must_work(key: Key, now: float, done: str) -> None:
    """Refuse what is `done` to a key that has ended.

    Raises:
        TransitionError: when it is revoked or expired.
    """
    state = key.effective_state(now)
    if state in _ENDED:
        by_itself = state == KeyState.REVOKED and key.state != KeyState.REVOKED
        what = "revoked, its grace is over" if by_itself else state.value
        remedy = _ENDED[KeyState.EXPIRED if by_itself else state]
        raise TransitionError(f"{key.id} is {what} and cannot be {done}", remedy=remedy)


def _deprecated(key: Key, grace_s: float, now: float) -> dict[str, Any]:
    since = now if key.deprecated_at is None else key.deprecated_at
    end = _grace_end(key, grace_s, now)
    return {"state": KeyState.DEPRECATED.value, "grace_until": end, "deprecated_at": since}


def _grace_end(key: Key, grace_s: float, now: float) -> float:
    """Return the end of a grace; one that has begun before is never made longer."""
    if not 0 <= grace_s <= LATEST - now:
        raise UsageError(f"a grace cannot be {grace_s:g} s long", remedy="0 ends it at once")
    end = now + grace_s
    return end if key.grace_until is None else min(end, key.grace_until)


def write(
    connection: Connection,
    key: Key,
    values: Mapping[str, Any],
    verb: str,
    act: tuple[str, str, float],
    details: Mapping[str, Any] | None = None,
) -> Key:
    """Write what differs, number the change and seal it in the audit log.

    Args:
        connection: a write transaction.
        key: as it is, from `locked`.
        values: fields of `Key` and what they are to be.
        verb: for the audit log.
        act: who, why and when.
        details: more for the audit log.
    """
    changed = {name: value for name, value in values.items() if getattr(key, name) != value}
    if not changed:
        return key
    actor, reason, now = act
    new = replace(key, **changed, change_seq=feed.record(connection, [key.id], now)[0])
    before, after = row_of(key), row_of(new)
    columns = {name: after[name] for name in (*changed, "change_seq")}
    connection.execute(update(keys).where(keys.c.id == key.id).values(columns))
    said = {
        "was": {name: before[name] for name in changed},
        "is": {name: after[name] for name in changed},
    }
    entry = audit.Entry(now, actor, verb, key.id, reason, {**said, **(details or {})})
    audit.append(connection, [entry])
    return new
