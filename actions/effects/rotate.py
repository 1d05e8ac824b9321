"""Have a key replaced: it works for a grace, and its owner makes the next one.

The new key is not made here: its secret would have nobody to be shown to.
"""

from sqlalchemy import Connection

from actions.effects import Effect, Order, Was
from keystore import lifecycle, query


def _apply(connection: Connection, order: Order) -> Was:
    before = query.get(connection, order.key_id)
    grace_s = float(order.arguments["duration_s"])
    lifecycle.deprecate(connection, order.key_id, grace_s=grace_s, **order.act)
    return {"state": before.state, "grace_until": before.grace_until}


def _revert(connection: Connection, order: Order, was: Was) -> None:
    grace_until = was["grace_until"]
    if was["state"] == "active":
        lifecycle.undeprecate(connection, order.key_id, **order.act)
    elif grace_until is not None and grace_until > order.now:
        lifecycle.undeprecate(connection, order.key_id, **order.act)
        grace_s = grace_until - order.now
        lifecycle.deprecate(connection, order.key_id, grace_s=grace_s, **order.act)


EFFECT = Effect(_apply, _revert)
