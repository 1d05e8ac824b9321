"""Leaked secrets, redacted."""

from typing import Any

from keywatch.desk.contract.shared import Shown


class Finding(Shown, frozen=True, kw_only=True):
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


class LeakPlace(Shown, frozen=True, kw_only=True):
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
