"""What can be done to a key, and what was decided."""

from enum import StrEnum

import msgspec


class ActionKind(StrEnum):
    """Effects on a key, from the mildest to the strongest."""

    NONE = "none"
    THROTTLE = "throttle"
    SUSPEND = "suspend"
    ROTATE = "rotate"
    REISSUE = "reissue"
    REVOKE = "revoke"


class Decision(msgspec.Struct, frozen=True):
    """What the policy made of an alert.

    Attributes:
        line: the policy's entry that decided, such as `policy.toml:12`.
        guard: what a guard changed, for a person; empty when nothing.
        dry_run: True when the action is recorded but not carried out.
        held: True when the action waits until a person approves it.
        policy: digest of the policy that decided.
        notify: names of the notifiers to tell.
        rate_per_min: for a throttle.
        duration_s: after which a throttle or a suspension ends, and how long a rotated or
            reissued key has left; 0 for never.
        then, then_after_s: what is done later, unless a person takes the incident on.
        undo_after_s: after which the action is taken back, unless a person confirms; 0 for never.
        approvals: how many people must approve before it is carried out; 0 for none.
    """

    action: ActionKind
    line: str
    dry_run: bool
    held: bool = False
    policy: str = ""
    notify: tuple[str, ...] = ()
    guard: str = ""
    rate_per_min: int = 0
    duration_s: float = 0.0
    then: ActionKind = ActionKind.NONE
    then_after_s: float = 0.0
    undo_after_s: float = 0.0
    approvals: int = 0
