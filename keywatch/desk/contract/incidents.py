"""Alerts, incidents, what was done about them, and how their keys stood open."""

from typing import Any

from keywatch.desk.contract.shared import Shown


class Evidence(Shown, frozen=True, kw_only=True):
    """One reason of an alert."""

    detector: str
    observed: str
    expected: str
    p: float


class Alert(Shown, frozen=True, kw_only=True):
    """What was noticed; without a `key` it is about the address `ip`.

    `exposure` is of a leak: public, private or log; empty when not known.
    """

    id: str
    ts: str
    kind: str
    severity: str
    family: str
    summary: str
    evidence: tuple[Evidence, ...]
    events: tuple[str, str, int]
    key: str = ""
    ip: str = ""
    action: str = "none"
    dry_run: bool = True
    exposure: str = ""
    incident: str | None = None
    feedback: str = ""


class Action(Shown, frozen=True, kw_only=True):
    """Something that was done to a key, or is to be."""

    id: int
    at: str | None
    subject: str
    effect: str
    lane: str
    state: str
    alert: str
    reason: str
    attempts: int
    done_at: str | None
    error: str


class ActionDetail(Action, frozen=True, kw_only=True):
    """All that is known of an action."""

    idempotency_key: str
    arguments: dict[str, Any]
    result: dict[str, Any] | None
    not_before: str | None
    leased_by: str


class ForeignNetwork(Shown, frozen=True, kw_only=True):
    """A network from which a key was never used before it was exposed."""

    network: str
    requests: int
    first_at: str


class Exposure(Shown, frozen=True, kw_only=True):
    """How a key stood open, and what it was used for since; `sentence` says it all.

    Requests are counted from the beginning of the hour of `exposed_at`, those of foreign networks
    to the second. Without `owner_known` nobody counted before, and nothing is called foreign.
    """

    found: str
    where: str
    repository: str
    exposure: str
    authors: tuple[str, ...]
    places: int
    exposed_at: str
    first_seen_at: str
    ended_at: str | None
    owner_known: bool
    requests: int
    refused: int
    foreign_requests: int
    first_foreign_at: str | None
    foreign_networks: tuple[ForeignNetwork, ...]
    sentence: str


class Incident(Shown, frozen=True, kw_only=True):
    """Alerts of one key, or one address, that belong together."""

    id: str
    subject: str
    state: str
    severity: str
    summary: str
    owner: str
    environment: str
    alerts_count: int
    action: str
    dry_run: bool
    held: bool
    opened_at: str
    updated_at: str


class Moment(Shown, frozen=True, kw_only=True):
    """One line of what happened, in order of time: an alert, action, message, person or key."""

    at: str
    kind: str
    who: str
    what: str
    ref: str


class IncidentDetail(Incident, frozen=True, kw_only=True):
    """An incident with its key, alerts, what was done, and all of it in order of time."""

    decision: dict[str, Any]
    key: dict[str, Any] | None
    exposures: tuple[Exposure, ...]
    alerts: tuple[Alert, ...]
    actions: tuple[Action, ...]
    messages: tuple[Action, ...]
    timeline: tuple[Moment, ...]


class AlertDetail(Alert, frozen=True, kw_only=True):
    """An alert, what was decided and what was done, and how its key stood open."""

    decision: dict[str, Any]
    exposures: tuple[Exposure, ...]
    actions: tuple[Action, ...]
