"""What is said with a request that changes something, and its answer."""

from typing import Literal

import msgspec

from keywatch.desk.contract.shared import Shown


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why something is done; it stands in the audit log."""

    reason: str = ""


class Throttle(Reason, frozen=True, kw_only=True):
    """How far a key is slowed down, and for how many seconds (0: until it is lifted)."""

    per_min: int
    for_s: float = 0.0


class Suspend(Reason, frozen=True, kw_only=True):
    """For how many seconds nothing is let through (0: until it is lifted)."""

    for_s: float = 0.0


class Rotation(Reason, frozen=True, kw_only=True):
    """For how many seconds the old key goes on (0: not at all; not said: as configured)."""

    grace_s: float | None = None


class Force(Reason, frozen=True, kw_only=True):
    """`force` also brings back a key whose leak is proven."""

    force: bool = False


class Judgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody thinks of an alert."""

    verdict: Literal["acknowledged", "false", "confirmed"]


class Closing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What becomes of an incident, and why.

    `confirmed` and `false` are also said of each of its alerts, from which the profiles learn: they
    need the scope `alerts:write`, too.
    """

    state: Literal["acknowledged", "resolved", "confirmed", "false"]
    note: str = ""


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody wants to be remembered."""

    text: str


class Rotated(Shown, frozen=True, kw_only=True):
    """The key that replaces another; `secret` is in this answer and nowhere else."""

    id: str
    replaced_by: str
    secret: str
    grace_until: str | None


class Done(Shown, frozen=True, kw_only=True):
    """What became of it; not changed when it was so already. `waits_for` says who must also."""

    id: str
    changed: bool
    waits_for: str = ""
