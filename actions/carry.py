"""Carrying out effects: the key and the outbox row change in one transaction, so exactly once."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, exc

from actions import queue, trail
from actions.effects import Effect, Order
from actions.retry import EFFECT_ATTEMPTS, delay_s
from actions.stages import UNDO
from actions.trail import ACTOR
from actions.undo import undo
from actions.unregistered import effects_on
from vocabulary.errors import KeyStoreError, KeywatchError, UsageError

_FOR_GOOD = (KeyStoreError, UsageError)


def carry_out(
    connection: Connection,
    row: Row[Any],
    effects: Mapping[str, Effect],
    now: float,
    random: Callable[[], float],
) -> None:
    """Carry out one effect, or note why it could not be.

    A key that is gone or in no state for it is given up at once; anything else is tried again.

    Args:
        connection: a write transaction, which the caller commits.
        row: of the outbox, due.
        effects: name → effect on keys.
        now: epoch seconds.
        random: in [0, 1), for the jitter of retries.
    """
    queue.lease(connection, [row.id], ACTOR, now)
    try:
        with connection.begin_nested():
            result = _apply(connection, row, effects, now)
    except exc.OperationalError:
        raise  # the database is away, full or locked: that is no failure of this row
    except Exception as error:  # noqa: BLE001  (a defect of one row must not stop the others)
        final = isinstance(error, _FOR_GOOD) or row.attempts + 1 >= EFFECT_ATTEMPTS
        again_at = None if final else now + delay_s(row.attempts + 1, random)
        queue.failed(connection, row.id, ACTOR, _said(error), again_at)
    else:
        queue.done(connection, row.id, ACTOR, now, result)
        if row.effect != UNDO:
            queue.contained(connection, row.alert_id)


def _said(error: Exception) -> str:
    known = isinstance(error, KeywatchError)
    return str(error) if known else f"the effect failed: {type(error).__name__}"


def _apply(
    connection: Connection, row: Row[Any], effects: Mapping[str, Effect], now: float
) -> dict[str, Any]:
    if row.effect == UNDO:
        undone = undo(connection, row.arguments["undoes"], actor=ACTOR, now=now)
        return {"changed": undone.changed}
    effect = effects_on(row.subject, effects).get(row.effect)
    if effect is None:
        raise UsageError(f"there is no effect `{row.effect}`")
    reason = f"{row.arguments.get('reason', '')} [alert {row.alert_id}]".strip()
    order = Order(row.subject, ACTOR, reason, now, row.arguments)
    before = trail.head(connection, row.subject)
    was = effect.apply(connection, order)
    return {"was": was, "audit": [before, trail.head(connection, row.subject)]}
