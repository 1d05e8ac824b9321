"""Effects on what the key store does not know: by its name in logs, through the deny lists.

A secret that was found in the open is refused wherever it turns up, be it a token that an issuer
signed or a key that is imported tomorrow. Whom the gateway lets in without being registered is
refused, slowed down, or refused with what was issued until now.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import Connection

from actions.effects import Effect, Order, Was, effects
from keystore import denials
from keystore.denials import Denial, Denied
from keystore.unregistered import CREDENTIAL, is_one
from vocabulary.action import ActionKind


def effects_on(subject: str, known: Mapping[str, Effect] | None = None) -> Mapping[str, Effect]:
    """Return how actions on a subject are carried out and taken back.

    Args:
        subject: key id, or what logs call somebody whom the key store does not know.
        known: effects on keys; None for our own.
    """
    if is_one(subject):
        return _EFFECTS
    return effects() if known is None else known


def can(action: ActionKind, subject: str) -> bool:
    """Whether the deny lists can do that to somebody whom the key store does not know."""
    named = subject.startswith(CREDENTIAL)
    # A secret alone has no pace: where it is unknown it is not let in at all.
    return action.value in _EFFECTS and not (named and action is ActionKind.THROTTLE)


def _refuse(connection: Connection, order: Order) -> Was:
    return _denied(connection, order, Denial(kind=Denied.CREDENTIAL, value=order.key_id))


def _suspend(connection: Connection, order: Order) -> Was:
    wanted = Denial(kind=Denied.CREDENTIAL, value=order.key_id, until=order.until)
    return _denied(connection, order, wanted)


def _reissue(connection: Connection, order: Order) -> Was:
    # A secret stays what it is: nothing newer will ever be behind its name.
    before = None if order.key_id.startswith(CREDENTIAL) else order.now
    wanted = Denial(kind=Denied.CREDENTIAL, value=order.key_id, issued_before=before)
    return _denied(connection, order, wanted)


def _slow_down(connection: Connection, order: Order) -> Was:
    per_min = int(order.arguments["rate_per_min"])
    wanted = Denial(kind=Denied.PACE, value=order.key_id, per_min=per_min, until=order.until)
    return _denied(connection, order, wanted)


def _denied(connection: Connection, order: Order, wanted: Denial) -> Was:
    before = denials.same(connection, wanted)
    made = denials.deny(connection, wanted, **order.act)
    if made == before:
        return {}
    was: dict[str, Any] = msgspec.to_builtins({"made": made, "before": before})
    return was


def _revert(connection: Connection, order: Order, was: Was) -> None:
    if was:
        before = msgspec.convert(was["before"], Denial | None)
        denials.withdraw(connection, msgspec.convert(was["made"], Denial), before, **order.act)


_EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "revoke": Effect(_refuse, _revert),
        "suspend": Effect(_suspend, _revert),
        "reissue": Effect(_reissue, _revert),
        "throttle": Effect(_slow_down, _revert),
    }
)
