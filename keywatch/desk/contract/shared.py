"""What every answer is made of: a part, a page of a list, who asks. Times are RFC 3339."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

SEVERITIES: tuple[str, ...] = ("critical", "high", "medium", "low")
INCIDENT_STATES = ("open", "acknowledged", "contained", "resolved", "false")
ACTION_STATES = (
    "waiting", "leased", "held", "kept", "scheduled", "done", "dead", "dry_run", "undone",
    "rejected", "skipped",
)  # fmt: skip
KEY_STATES = ("active", "deprecated", "revoked", "expired")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer."""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some of a list, the newest first; `next` is the `after` of the rest, empty at the end."""

    items: tuple[T, ...]
    next: str = ""


class Me(Shown, frozen=True, kw_only=True):
    """Who asks, and what they may do."""

    actor: str
    role: str
    scopes: tuple[str, ...]
