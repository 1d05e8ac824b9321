"""Let only so many requests of a key through, for a time."""

from sqlalchemy import Connection

from actions.effects import Effect, Order, Was, later
from keystore import overlays, query


def _apply(connection: Connection, order: Order) -> Was:
    before = query.get(connection, order.key_id)
    per_min, until = int(order.arguments["rate_per_min"]), order.until
    if before.throttle_per_min is not None and before.is_throttled(order.now):
        per_min = min(per_min, before.throttle_per_min)
        until = later(until, before.throttle_until)
    overlays.throttle(connection, order.key_id, per_min=per_min, until=until, **order.act)
    return {"per_min": before.throttle_per_min, "until": before.throttle_until}


def _revert(connection: Connection, order: Order, was: Was) -> None:
    per_min, until = was["per_min"], was["until"]
    if per_min is None or (until is not None and until <= order.now):
        overlays.unthrottle(connection, order.key_id, **order.act)
    else:
        overlays.throttle(connection, order.key_id, per_min=per_min, until=until, **order.act)


EFFECT = Effect(_apply, _revert)
