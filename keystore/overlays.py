"""What lies over a key's state and is lifted again: a throttle, a suspension.

As in `keystore.lifecycle`: each function changes nothing when the key already is as asked, and all
take `actor`, `reason` and `now`.
"""

from sqlalchemy import Connection

from keystore.keys import Key
from keystore.lifecycle import RESUMED, UNTHROTTLED, locked, must_work, write
from vocabulary.errors import UsageError
from vocabulary.moments import LATEST

_MOST_PER_MIN = 1_000_000_000


def throttle(
    connection: Connection,
    key_id: str,
    *,
    per_min: int,
    until: float | None,
    actor: str,
    reason: str,
    now: float,
) -> Key:
    """Let at most `per_min` requests a minute through, until `until` (None: until lifted).

    Raises:
        TransitionError: when the key no longer works.
    """
    if not 1 <= per_min <= _MOST_PER_MIN:
        raise UsageError(
            f"a throttle lets 1 to {_MOST_PER_MIN:,} requests a minute through",
            remedy="suspend the key, or leave it as it is",
        )
    _must_be_later(until, now)
    key = locked(connection, key_id)
    must_work(key, now, "throttled")
    values = {"throttle_per_min": per_min, "throttle_until": until}
    return write(connection, key, values, "throttle", (actor, reason, now))


def unthrottle(connection: Connection, key_id: str, *, actor: str, reason: str, now: float) -> Key:
    """Lift the throttle."""
    key = locked(connection, key_id)
    return write(connection, key, UNTHROTTLED, "unthrottle", (actor, reason, now))


def suspend(
    connection: Connection,
    key_id: str,
    *,
    until: float | None,
    actor: str,
    reason: str,
    now: float,
) -> Key:
    """Let nothing through, until `until` (None: until lifted).

    Raises:
        TransitionError: when the key no longer works.
    """
    _must_be_later(until, now)
    key = locked(connection, key_id)
    must_work(key, now, "suspended")
    values = {"suspended": True, "suspended_until": until}
    return write(connection, key, values, "suspend", (actor, reason, now))


def resume(connection: Connection, key_id: str, *, actor: str, reason: str, now: float) -> Key:
    """Lift the suspension."""
    key = locked(connection, key_id)
    return write(connection, key, RESUMED, "resume", (actor, reason, now))


def _must_be_later(until: float | None, now: float) -> None:
    if until is not None and not now < until <= LATEST:
        raise UsageError("the end does not lie in the future", remedy="name a later time")
