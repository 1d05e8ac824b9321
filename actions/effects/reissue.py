"""Have a key replaced before anything of it is let through again.

It is stopped at once, and its owner has a grace in which to make the next one; then it ends. Of a
token's subject or a certificate the identity stays: what was issued to it until now is refused,
and what is issued from now on is not.
"""

from sqlalchemy import Connection

from actions.effects import Effect, Order, Was, rotate, suspend
from keystore import query, renewal


def _apply(connection: Connection, order: Order) -> Was:
    key = query.get(connection, order.key_id)
    if key.kind in renewal.SHOWN:
        return {"renew": renewal.refuse_issued(connection, key, **order.act)}
    kept = rotate.EFFECT.apply(connection, order)
    for_good = Order(order.key_id, order.actor, order.reason, order.now)
    return {"rotate": kept, "suspend": suspend.EFFECT.apply(connection, for_good)}


def _revert(connection: Connection, order: Order, was: Was) -> None:
    if "renew" in was:
        key = query.get(connection, order.key_id)
        renewal.take_back(connection, key, was["renew"], **order.act)
        return
    suspend.EFFECT.revert(connection, order, was["suspend"])
    rotate.EFFECT.revert(connection, order, was["rotate"])


EFFECT = Effect(_apply, _revert)
