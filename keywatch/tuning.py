"""`keywatch tune`: a user's own history, twice: what would be told, at which sensitivity."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detectors.chance import Floats
from detectors.facts import KeyFacts
from detectors.fuse import THRESHOLDS
from detectors.geoip import GeoReader
from detectors.profile import DAY_MS
from detectors.watcher import Watcher, WatchSettings
from vocabulary.access import EventBatch
from vocabulary.alert import Alert, Severity
from vocabulary.moments import moment_of

MOST = 2.0
"""By so much, in powers of ten, history may move the threshold, either way."""
STEP = 0.05
LEAST = THRESHOLDS[Severity.MEDIUM] - MOST
SAME_S = 12 * 3600.0
"""Alerts about a key within so long are about the same thing."""

Batches = Callable[[], Iterator[EventBatch]]
Facts = Callable[[Sequence[str], float], Mapping[str, KeyFacts]]
"""Keys and a shift of sensitivity → what is known of the keys."""


@dataclass(slots=True)
class Totals:
    """The most that the evidence of each key came to, day by day."""

    days: dict[int, dict[str, float]] = field(default_factory=dict)

    def take(self, names: list[str], day: int, totals: Floats) -> None:
        """Take the highest total of some keys of a day, a part of it perhaps."""
        here = self.days.setdefault(day, {})
        for i in np.flatnonzero(totals >= LEAST).tolist():
            here[names[i]] = max(here.get(names[i], 0.0), float(totals[i]))

    def scored(self) -> list[int]:
        """Return the days that count: those behind the learning, if there are as many again."""
        every, learning = sorted(self.days), WatchSettings().learning_days
        return every[learning:] if len(every) >= 2 * learning else every

    def shift(self, per_day: float) -> float:
        """Return the shift of sensitivity that lets about so many keys a day through."""
        days = self.scored()
        found = np.sort([total for day in days for total in self.days[day].values()])[::-1]
        wanted = round(per_day * len(days))
        medium = THRESHOLDS[Severity.MEDIUM]
        if wanted >= len(found):
            return MOST
        # Between what is told last and what is left out first.
        edge = (found[wanted - 1] + found[wanted]) / 2 if wanted else found[0] + STEP
        shift = math.floor((medium - edge) / STEP) * STEP
        return float(min(max(shift, -MOST), MOST))


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning came to.

    Attributes:
        days: days of history that were counted.
        shift: by how much the sensitivity of all keys should change.
        before, after: incidents of medium or more on those days, each by its first alert.
    """

    days: int
    shift: float
    before: tuple[Alert, ...]
    after: tuple[Alert, ...]

    def lost(self) -> list[Alert]:
        """Return what would no longer be told."""
        return [alert for alert in self.before if not told(self.after, alert.key, _at(alert))]

    def gained(self) -> list[Alert]:
        """Return what would be told now."""
        return [alert for alert in self.after if not told(self.before, alert.key, _at(alert))]

    def public(self) -> dict[str, Any]:
        """Return the JSON contract."""
        return {
            "days": self.days,
            "shift": round(self.shift, 2),
            "before_per_day": round(len(self.before) / max(self.days, 1), 3),
            "after_per_day": round(len(self.after) / max(self.days, 1), 3),
            "lost": [_told(alert) for alert in self.lost()],
            "gained": [_told(alert) for alert in self.gained()],
        }


def tune(
    batches: Batches, facts: Facts, geo: GeoReader, per_day: float, lateness_s: float = 0.0
) -> Tuned:
    """Choose how sensitive to be, and say what that would have told.

    Args:
        batches: gives the history, from its beginning, each time.
        facts: what is known of keys, at a shift of sensitivity.
        geo: where addresses are.
        per_day: alerts of medium or more that are wanted a day.
        lateness_s: how far behind its key's newest an event may come and count; 0: as usual.
    """
    totals, clock = Totals(), time.time

    def alerts(watcher: Watcher, shift: float) -> list[Alert]:
        return [
            alert
            for batch in batches()
            for alert in watcher.step(batch, facts(batch.keys, shift), (), lateness_s).alerts
            if alert.key and Severity.of(alert.severity) >= Severity.MEDIUM
        ]

    first = alerts(Watcher(None, geo, totals=totals.take, clock=clock), 0.0)
    shift = totals.shift(per_day)
    second = alerts(Watcher(None, geo, clock=clock), shift) if shift else first
    days = totals.scored()
    begin = days[0] * DAY_MS / 1000 if days else 0.0
    before, after = (
        _incidents([alert for alert in found if _at(alert) >= begin]) for found in (first, second)
    )
    return Tuned(len(days), shift, before, after)


def told(alerts: Sequence[Alert], key: str, at: float) -> bool:
    """Return whether one of the alerts is about this key at about this time (epoch seconds)."""
    return any(alert.key == key and abs(_at(alert) - at) <= SAME_S for alert in alerts)


def judged(tuned: Tuned, alerts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return how many alerts that people have judged would be told, before and after.

    Args:
        tuned: the result.
        alerts: rows with key, ts and feedback.
    """
    found: dict[str, dict[str, int]] = {}
    for row in alerts:
        if not row.get("key") or not row["feedback"]:
            continue
        at = moment_of(row["ts"], 0.0)
        counts = found.setdefault(row["feedback"], {"of": 0, "before": 0, "after": 0})
        counts["of"] += 1
        counts["before"] += told(tuned.before, row["key"], at)
        counts["after"] += told(tuned.after, row["key"], at)
    return found


def _incidents(alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    """Leave out what only says more of an incident that was told."""
    latest: dict[str, float] = {}
    kept = []
    for alert in sorted(alerts, key=_at):
        if _at(alert) - latest.get(alert.key, -math.inf) > SAME_S:
            kept.append(alert)
        latest[alert.key] = _at(alert)
    return tuple(kept)


def _at(alert: Alert) -> float:
    return moment_of(alert.ts, 0.0)


def _told(alert: Alert) -> dict[str, str]:
    names = ("ts", "key", "severity", "family", "summary")
    return {name: getattr(alert, name) for name in names}
