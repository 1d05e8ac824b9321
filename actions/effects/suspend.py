"""Let nothing of a key through, for a time."""

from sqlalchemy import Connection

from actions.effects import Effect, Order, Was, later
from keystore import overlays, query


def _apply(connection: Connection, order: Order) -> Was:
    before = query.get(connection, order.key_id)
    until = order.until
    if before.is_suspended(order.now):
        until = later(until, before.suspended_until)
    overlays.suspend(connection, order.key_id, until=until, **order.act)
    return {"suspended": before.suspended, "until": before.suspended_until}


def _revert(connection: Connection, order: Order, was: Was) -> None:
    until = was["until"]
    if not was["suspended"] or (until is not None and until <= order.now):
        overlays.resume(connection, order.key_id, **order.act)
    else:
        overlays.suspend(connection, order.key_id, until=until, **order.act)


EFFECT = Effect(_apply, _revert)
