"""What may not happen whatever the policy says; decided from the alert and the key alone."""

from collections.abc import Iterator

from msgspec.structs import replace

from actions.policy import Guards
from actions.unregistered import can
from keystore.unregistered import is_let_in, is_one
from vocabulary.action import ActionKind, Decision
from vocabulary.alert import Alert
from vocabulary.credential import KnownKey

LEARNING = "learning"
"""Kind of an alert, or name of a piece of evidence, that says: this baseline is not mature."""

_STRENGTH = {kind: rank for rank, kind in enumerate(ActionKind)}
_GONE = ("revoked", "expired")
_LEARNED = "what is usual for this key is still being learned"


def strength(action: ActionKind | str) -> int:
    """Return how strong an action is: 0 for none, the largest for revoke."""
    return _STRENGTH[ActionKind(action)]


def guarded(
    wanted: Decision,
    alert: Alert,
    key: KnownKey | None,
    guards: Guards,
    enabled: frozenset[str],
    *,
    of_unknown: bool = False,
) -> Decision:
    """Return what is left of a decision once every guard has looked at it.

    Args:
        wanted: what the policy says.
        alert: the alert it was made for.
        key: what the key store knows of the alert's key; None when it knows nothing.
        guards: the policy's guards.
        enabled: actions that may be carried out; every other one is shown only.
        of_unknown: whether the case is one of what the key store does not know, in so many words:
            else every secret of somebody else's that is found would be acted upon.
    """
    if wanted.action is ActionKind.NONE:
        return replace(wanted, dry_run=not enabled)
    objections = _objections(wanted.action, alert, key, guards, of_unknown=of_unknown)
    if reason := next(objections, ""):
        stopped = f"{wanted.action} not done: {reason}"
        return replace(
            wanted,
            action=ActionKind.NONE,
            dry_run=not enabled,
            guard=stopped,
            rate_per_min=0,
            duration_s=0.0,
            then=ActionKind.NONE,
            then_after_s=0.0,
            undo_after_s=0.0,
        )
    if wanted.then is not ActionKind.NONE and wanted.then.value not in enabled:
        shown = f"`{wanted.then}` would follow, and is not among the enabled actions"
        wanted = replace(wanted, then=ActionKind.NONE, then_after_s=0.0, guard=shown)
    if wanted.action.value in enabled:
        return replace(wanted, dry_run=False)
    shown = f"dry run: `{wanted.action}` is not among the enabled actions"
    return replace(wanted, dry_run=True, guard=shown)


def _objections(
    action: ActionKind, alert: Alert, key: KnownKey | None, guards: Guards, *, of_unknown: bool
) -> Iterator[str]:
    if not alert.key:
        yield "the alert is about an address, not about a key"
    if key is None:
        yield from _objections_to_unknown(action, alert, guards, of_unknown=of_unknown)
        return
    if key.verdict in _GONE:
        yield f"the key is {key.verdict} already"
    if action is ActionKind.REVOKE and _is_learning(alert):
        yield _LEARNED
    for name in (key.key_id, key.owner):
        if name and name in guards.protected:
            yield f"`{name}` is protected"


def _objections_to_unknown(
    action: ActionKind, alert: Alert, guards: Guards, *, of_unknown: bool
) -> Iterator[str]:
    """Yield what speaks against acting on what the key store does not know."""
    if not is_one(alert.key) or not (of_unknown or is_let_in(alert.key)):
        yield "the key store does not know the key"
    if not can(action, alert.key):
        yield "the key store does not know the key, and the deny lists can only refuse it"
    if action is ActionKind.REVOKE and _is_learning(alert):
        yield _LEARNED
    if alert.key in guards.protected:
        yield f"`{alert.key}` is protected"


def _is_learning(alert: Alert) -> bool:
    return alert.kind == LEARNING or any(e.detector == LEARNING for e in alert.evidence)
