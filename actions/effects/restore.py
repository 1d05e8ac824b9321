"""Bring a key back: revoked to what it was, or free of throttle and suspension."""

from sqlalchemy import Connection

from actions.effects import Effect, Order, Was
from keystore import lifecycle, overlays, query
from keystore.keys import KeyState


def _apply(connection: Connection, order: Order) -> Was:
    before = query.get(connection, order.key_id)
    force = order.force or bool(order.arguments.get("force"))
    lifecycle.restore(connection, order.key_id, **order.act, force=force)
    return {
        "revoked": before.state == KeyState.REVOKED,
        "per_min": before.throttle_per_min,
        "throttle_until": before.throttle_until,
        "suspended": before.suspended,
        "suspended_until": before.suspended_until,
    }


def _revert(connection: Connection, order: Order, was: Was) -> None:
    if was["revoked"]:
        lifecycle.revoke(connection, order.key_id, **order.act)
        return
    if was["per_min"] is not None and _holds(was["throttle_until"], order.now):
        overlays.throttle(
            connection,
            order.key_id,
            per_min=was["per_min"],
            until=was["throttle_until"],
            **order.act,
        )
    if was["suspended"] and _holds(was["suspended_until"], order.now):
        overlays.suspend(connection, order.key_id, until=was["suspended_until"], **order.act)


def _holds(until: float | None, now: float) -> bool:
    return until is None or now < until


EFFECT = Effect(_apply, _revert)
