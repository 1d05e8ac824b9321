"""Closing graces early: a rotated key that nobody uses any more need not wait for its end."""

from sqlalchemy import Connection, func, select

from database.schema import keys
from keystore import lifecycle, usage
from keystore.keys import Key, KeyState, key_of
from vocabulary.moments import rfc3339

_AT_ONCE = 1000


def idle(connection: Connection, idle_s: float) -> list[Key]:
    """Return rotated keys in grace that were not used for `idle_s`, as far as that is known.

    Where usage was not counted for so long without a gap, nobody knows: the list is empty.
    """
    known = usage.heard(connection)
    if known is None or known.until - known.since < idle_s:
        return []
    used = func.coalesce(keys.c.last_used_at, 0.0)
    # last uses are written to the hour
    still = known.until - idle_s - usage.HOUR_S
    query = (
        select(keys)
        .where(
            keys.c.state == KeyState.DEPRECATED.value,
            keys.c.rotated_to.is_not(None),
            keys.c.grace_until > known.until,
            func.coalesce(keys.c.deprecated_at, keys.c.created_at) <= known.until - idle_s,
            used <= still,
        )
        .order_by(keys.c.id)
        .limit(_AT_ONCE)
    )
    return [key_of({**row}) for row in connection.execute(query).mappings()]


def close(connection: Connection, idle_s: float, *, actor: str, now: float) -> list[Key]:
    """Revoke the keys that `idle` tells of; `restore` brings one back into its grace.

    Args:
        connection: a write transaction.
        idle_s: seconds without traffic.
        actor: who does it.
        now: epoch seconds.
    """
    closed = []
    for key in idle(connection, idle_s):
        last = rfc3339(key.last_used_at) if key.last_used_at else "never"
        reason = f"its grace ended early: replaced by {key.rotated_to}, last used {last}"
        values = {"state": KeyState.REVOKED.value, "previous_state": key.state}
        current = lifecycle.locked(connection, key.id)
        if current.state == KeyState.DEPRECATED:
            act = (actor, reason, now)
            closed.append(lifecycle.write(connection, current, values, "close_grace", act))
    return closed
