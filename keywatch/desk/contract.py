"""The JSON contract of the API, which the console reads too. Times are RFC 3339."""

from typing import Any, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[str, ...] = ("critical", "high", "medium", "low")
INCIDENT_STATES = ("open", "acknowledged", "contained", "resolved", "false")
ACTION_STATES = ("waiting", "leased", "held", "done", "dead", "dry_run", "undone", "rejected")
KEY_STATES = ("active", "deprecated", "revoked", "expired")


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer."""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some of a list, the newest first; `next` is the `after` of the rest, empty at the end."""

    items: tuple[T, ...]
    next: str = ""


class Me(_Shown, frozen=True, kw_only=True):
    """Who asks, and what they may do."""

    actor: str
    role: str
    scopes: tuple[str, ...]


class Evidence(_Shown, frozen=True, kw_only=True):
    """One reason of an alert."""

    detector: str
    observed: str
    expected: str
    p: float


class Alert(_Shown, frozen=True, kw_only=True):
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


class Action(_Shown, frozen=True, kw_only=True):
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


class ForeignNetwork(_Shown, frozen=True, kw_only=True):
    """A network from which a key was never used before it was exposed."""

    network: str
    requests: int
    first_at: str


class Exposure(_Shown, frozen=True, kw_only=True):
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


class Incident(_Shown, frozen=True, kw_only=True):
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


class Moment(_Shown, frozen=True, kw_only=True):
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


class Key(_Shown, frozen=True, kw_only=True):
    """A key of the store, without anything secret; as `keywatch keys show --json`."""

    id: str
    kind: str
    name: str
    public_id: str
    owner: str
    account: str
    environment: str
    publishable: bool
    prefix: str
    class_: str = msgspec.field(name="class")
    tz: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    endpoints: tuple[str, ...]
    models: tuple[str, ...]
    requires: tuple[str, ...]
    plan: str
    limits: tuple[str, ...]
    tokens: dict[str, int | None]
    declared: dict[str, Any]
    store: str
    external_id: str
    state: str
    verdict: str
    throttle: dict[str, Any] | None
    suspended: bool
    suspended_until: str | None
    leak_proven: bool
    created_at: str | None
    expires_at: str | None
    deprecated_at: str | None
    grace_until: str | None
    rotated_from: str | None
    rotated_to: str | None
    last_used_at: str | None


class Use(_Shown, frozen=True, kw_only=True):
    """How much a key was used in an hour."""

    hour: str
    requests: int
    refused: int
    tokens: int


class Finding(_Shown, frozen=True, kw_only=True):
    """A leaked secret, redacted, as `keywatch scan` shows it."""

    fingerprint: str
    rule: str
    name: str
    severity: str
    confidence: str
    source: str
    path: str
    line: int
    commit: str
    author: str
    date: str
    secret: str
    key_id: str
    environment: str
    count: int
    places: tuple[dict[str, Any], ...]
    verdict: dict[str, str]
    first_seen_at: str
    last_seen_at: str
    repository: str = ""


class LeakPlace(_Shown, frozen=True, kw_only=True):
    """A repository, or another place, with leaks; `live` is how many of them work in our store."""

    place: str
    leaks: int
    critical: int
    live: int
    last_seen_at: str


class FindingDetail(Finding, frozen=True, kw_only=True):
    """A leak and what to do about it: steps, and commands that take it out of the history."""

    rotate: tuple[str, ...]
    purge: tuple[str, ...]
    commands: str


class Source(_Shown, frozen=True, kw_only=True):
    """Where events come from, and how far it was read."""

    name: str
    position: dict[str, Any]
    committed_at: str
    age_s: float
    dead: int


class DeadLetter(_Shown, frozen=True, kw_only=True):
    """A line that was no event; `raw` is redacted."""

    id: int
    source: str
    position: dict[str, Any]
    reason: str
    raw: str
    at: str


class Case(_Shown, frozen=True, kw_only=True):
    """A case of the policy; `hit` is how many keys it would have met lately."""

    line: str
    name: str
    when: str
    then: str
    tells: str
    hit: tuple[str, ...] = ()
    alerts: int = 0


class Policy(_Shown, frozen=True, kw_only=True):
    """The policy in force, and what it would have done with the alerts of the last days."""

    digest: str
    enabled: tuple[str, ...]
    days: int
    cases: tuple[Case, ...]
    looked_at: int


class AuditRow(_Shown, frozen=True, kw_only=True):
    """Who did what to what, when and why."""

    seq: int
    at: str
    actor: str
    verb: str
    subject: str
    reason: str
    details: dict[str, Any]
    hash: str


class LockOut(_Shown, frozen=True, kw_only=True):
    """Seconds from the decision to its effect, over the actions of the last seven days."""

    actions: int
    median_s: float | None
    p95_s: float | None


class Day(_Shown, frozen=True, kw_only=True):
    """Alerts of a day, by severity."""

    day: str
    alerts: dict[str, int]


class Coverage(_Shown, frozen=True, kw_only=True):
    """How much is watched: of the keys those seen in logs, of the sources those heard of lately."""

    keys: int
    seen_keys: int
    sources: int
    fresh_sources: int


class Overview(_Shown, frozen=True, kw_only=True):
    """What needs somebody now, and how it goes."""

    held: int
    open_incidents: dict[str, int]
    failed_actions: int
    dead_letters: int
    keys: int
    watched_keys: int
    keys_ending: int
    events: int
    lag_s: float
    lock_out: LockOut
    coverage: Coverage
    enabled: tuple[str, ...]
    days: tuple[Day, ...]


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


class Force(Reason, frozen=True, kw_only=True):
    """`force` also brings back a key whose leak is proven."""

    force: bool = False


class Judgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody thinks of an alert."""

    verdict: Literal["acknowledged", "false", "confirmed"]


class Closing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What becomes of an incident, and why.

    `confirmed` and `false` are also said of each of its alerts, from which the profiles learn.
    """

    state: Literal["acknowledged", "resolved", "confirmed", "false"]
    note: str = ""


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody wants to be remembered."""

    text: str


class Done(_Shown, frozen=True, kw_only=True):
    """What became of it; not changed when it was so already. `waits_for` says who must also."""

    id: str
    changed: bool
    waits_for: str = ""
