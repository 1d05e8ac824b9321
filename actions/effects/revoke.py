"""End a key."""

from sqlalchemy import Connection

from actions.effects import Effect, Order, Was
from keystore import lifecycle, query
from keystore.keys import KeyState


def _apply(connection: Connection, order: Order) -> Was:
    before = query.get(connection, order.key_id)
    if order.arguments.get("kind") == "leak":
        lifecycle.mark_leak_proven(connection, order.key_id, **order.act)
    if before.state == KeyState.REVOKED:
        return {}
    lifecycle.revoke(connection, order.key_id, **order.act)
    return {"state": before.state}


def _revert(connection: Connection, order: Order, was: Was) -> None:
    key = query.get(connection, order.key_id)
    if was and key.state == KeyState.REVOKED:
        lifecycle.restore(connection, order.key_id, **order.act, force=order.force)


EFFECT = Effect(_apply, _revert)
