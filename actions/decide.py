"""An alert, a key and a policy → what is to be done. Pure: nothing is read or written."""

from actions import guards
from actions.hook import Hook, consulted
from actions.policy import Policy, seconds_of
from vocabulary.action import Decision
from vocabulary.alert import Alert
from vocabulary.credential import KnownKey

ALL = frozenset({"throttle", "suspend", "rotate", "reissue", "revoke"})
"""Every action that can be enabled."""


def decide(
    alert: Alert,
    key: KnownKey | None,
    policy: Policy,
    enabled: frozenset[str],
    hook: Hook | None = None,
) -> Decision:
    """Decide what is to be done about an alert.

    Args:
        alert: what happened.
        key: what the key store knows of the alert's key; None when it knows nothing.
        policy: which case leads to which action.
        enabled: actions that may be carried out; the others are decided all the same, in dry run.
        hook: the user's own say, before the guards have theirs.
    """
    case, line = policy.case_for(alert, key)
    wanted = Decision(
        action=case.action,
        line=line,
        dry_run=True,
        policy=policy.digest,
        notify=case.notify,
        rate_per_min=case.rate_per_min,
        duration_s=seconds_of(case.duration),
        then=case.then,
        then_after_s=seconds_of(case.after),
        undo_after_s=seconds_of(case.undo_after),
    )
    if hook is not None:
        wanted = consulted(hook, alert, key, wanted)
    of_unknown = case.known is False
    return guards.guarded(wanted, alert, key, policy.guards, enabled, of_unknown=of_unknown)
