"""How it goes: sources, the policy, the audit log, the overview."""

from typing import Any

from keywatch.desk.contract.shared import Shown


class Source(Shown, frozen=True, kw_only=True):
    """Where events come from, how far it was read, and what waits, as `keywatch status` has it.

    `lag_s` is how old its newest event (`newest`) was at its commit, `behind` what waited then:
    bytes of a file, records of a partition; `late` counts events that came too late to be scored,
    `failed` says why it cannot be read just now. Null where the source does not say.
    """

    name: str
    position: dict[str, Any]
    committed_at: str
    age_s: float | None
    newest: str
    lag_s: float | None
    behind: int | None
    events_per_s: float
    dead: int
    late: int
    failed: str


class DeadLetter(Shown, frozen=True, kw_only=True):
    """A line that was no event; `raw` is redacted."""

    id: int
    source: str
    position: dict[str, Any]
    reason: str
    raw: str
    at: str


class Case(Shown, frozen=True, kw_only=True):
    """A case of the policy; `hit` is how many keys it would have met lately."""

    line: str
    name: str
    when: str
    then: str
    tells: str
    hit: tuple[str, ...] = ()
    alerts: int = 0


class Policy(Shown, frozen=True, kw_only=True):
    """The policy in force, and what it would have done with the alerts of the last days."""

    digest: str
    enabled: tuple[str, ...]
    days: int
    cases: tuple[Case, ...]
    looked_at: int


class AuditRow(Shown, frozen=True, kw_only=True):
    """Who did what to what, when and why."""

    seq: int
    at: str
    actor: str
    verb: str
    subject: str
    reason: str
    details: dict[str, Any]
    hash: str


class LockOut(Shown, frozen=True, kw_only=True):
    """Seconds from the decision to its effect, over the actions of the last seven days."""

    actions: int
    median_s: float | None
    p95_s: float | None


class Day(Shown, frozen=True, kw_only=True):
    """Alerts of a day, by severity."""

    day: str
    alerts: dict[str, int]


class Coverage(Shown, frozen=True, kw_only=True):
    """How much is watched: of the keys those seen in logs, of the sources those heard of lately."""

    keys: int
    seen_keys: int
    sources: int
    fresh_sources: int


class Overview(Shown, frozen=True, kw_only=True):
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
