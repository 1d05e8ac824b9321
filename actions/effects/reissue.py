"""Have a key replaced before anything of it is let through again.

It is stopped at once, and its owner has a grace in which to make the next one; then it ends.
"""

from sqlalchemy import Connection

from actions.effects import Effect, Order, Was, rotate, suspend


def _apply(connection: Connection, order: Order) -> Was:
    kept = rotate.EFFECT.apply(connection, order)
    for_good = Order(order.key_id, order.actor, order.reason, order.now)
    return {"rotate": kept, "suspend": suspend.EFFECT.apply(connection, for_good)}


def _revert(connection: Connection, order: Order, was: Was) -> None:
    suspend.EFFECT.revert(connection, order, was["suspend"])
    rotate.EFFECT.revert(connection, order, was["rotate"])


EFFECT = Effect(_apply, _revert)
