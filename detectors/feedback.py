"""What people say of alerts, taken into the profiles.

What was the owner's is no longer news: its networks, clients, endpoints, hours and volumes become
usual at once. What was a thief's leaves the profile again: new values of that time are forgotten,
its hours and requests taken out, and a day that is still open is not learned.
"""

from collections.abc import Iterable

import numpy as np

from detectors import tables, tokens
from detectors.levels import day_counts, local_hours, taught
from detectors.network import KNOWN
from detectors.profile import DAY_MS, HOUR_MS, HOURS, WEEKEND, Rows, alarmed
from detectors.tables import TRUSTED_DAYS
from vocabulary.access import Flags, Ints
from vocabulary.lesson import Lesson

USUAL_HOURS = 3.0
"""An hour that the owner says is theirs counts like so many weeks of it."""
STEP, MOST = 0.25, 1.0
"""By how much a false alarm raises what it takes to alert about this key again, and the most."""
CONFIRMED, FALSE = "confirmed", "false"
ALARMS = (
    "evidence", "severity", "alarmed", "families", "unusual", "sustained", "suspect", "suspected",
    "suspects", "pending",
)  # fmt: skip
LEARNED = (
    "requests", "active", "busiest", "turn", "turned", "calibration", "sessions", "session_usual",
    "novelties", "kinds", "tls_news", "spends", "spent_most",
    *(f"{name}{part}" for name in KNOWN for part in ("", "_last", "_days")),
)  # fmt: skip


def teach(one: Rows, lesson: Lesson, offset_ms: int) -> None:
    """Take a lesson into a profile, an array of one, whose owner is so far ahead of UTC."""
    if one["day"][0] < 0:
        return
    if lesson.verdict == CONFIRMED:
        _forget(one, lesson, offset_ms)
    else:
        _accept(one, lesson, offset_ms)
        if lesson.verdict == FALSE:
            one["tolerance"] = np.minimum(one["tolerance"] + STEP, MOST)
    for name in ALARMS:
        one[name] = np.zeros((), one[name].dtype)


def _accept(one: Rows, lesson: Lesson, offset_ms: int) -> None:
    since = lesson.first_ms // DAY_MS
    for name in KNOWN:
        tables.learn(one, name)
        recent = (one[f"{name}_last"] >= since) & (one[name] != 0)
        days = one[f"{name}_days"]
        one[f"{name}_days"] = np.where(recent, np.maximum(days, TRUSTED_DAYS), days)
    one["kinds"] |= one["kinds_new"]
    one["busiest"] = np.maximum(one["busiest"], one["peaks"])
    tokens.accept(one)
    for hour in hours_of(lesson):
        one["active"][0, (hour + offset_ms // HOUR_MS + 72) % (7 * HOURS)] += USUAL_HOURS
    # What the owner may do once, today's highest scores among it, the owner may do again.
    top = one["highest"].astype(np.float64)
    one["calibration"] += np.stack((np.ones_like(top), top, top * top), axis=2)


def hours_of(lesson: Lesson) -> Iterable[int]:
    """Return the clock hours since 1970 of a lesson's events, a week of them at most."""
    first, last = lesson.first_ms // HOUR_MS, max(lesson.last_ms, lesson.first_ms) // HOUR_MS
    return range(first, min(last, first + 7 * HOURS - 1) + 1)


def _forget(one: Rows, lesson: Lesson, offset_ms: int) -> None:
    since = lesson.first_ms // DAY_MS
    for name in KNOWN:
        one[f"{name}_new"], one[f"{name}_count"] = 0, 0
        # Values that can only have come since then; when in doubt they go, and are news again.
        span = one["day"] - since + 1
        young = (one[f"{name}_last"] >= since) & (one[f"{name}_days"] <= span[:, None])
        one[name] = np.where(young, 0, one[name])
        one[f"{name}_days"] = np.where(young, 0, one[f"{name}_days"])
    one["kinds_new"] = 0
    if one["day"][0] >= since:
        one["stolen"] = one["day"] + 1
    if one["held_day"][0] and one["held_day"][0] - 1 >= since:
        _take_out(one, offset_ms)


def _take_out(one: Rows, offset_ms: int) -> None:
    """Undo what the alarmed day that was closed last has taught."""
    start = (int(one["held_day"][0]) - 1) * HOURS + offset_ms // HOUR_MS + 72
    slots = (start + np.arange(HOURS)) % (7 * HOURS)
    where = (slots >= WEEKEND) * HOURS + slots % HOURS
    said = one["held_hours"][0].astype(np.float64)
    one["requests"][0, where] = np.maximum(one["requests"][0, where] - said, 0.0)
    one["active"][0, slots] = np.maximum(one["active"][0, slots] - (said > 0), 0.0)
    one["busiest"] = one["held_busiest"]
    if one["turned"][0] == one["held_day"][0] - 1:
        one["turn"] = 0
    one["calibration"] = one["held_calibration"]
    tokens.take_out(one)
    one["held_day"] = 0


def hold(rows: Rows, offset_ms: Ints) -> None:
    """Keep of an alarmed day that is about to be learned what would undo it."""
    which = np.flatnonzero(alarmed(rows) & ~stolen(rows))
    if len(which):
        some = rows[which]
        slots = local_hours(some, offset_ms[which])
        some["held_day"] = some["day"] + 1
        where = (slots >= WEEKEND) * HOURS + slots % HOURS
        some["held_hours"] = taught(some, day_counts(some), where)
        some["held_busiest"], some["held_calibration"] = some["busiest"], some["calibration"]
        rows[which] = some


def stolen(rows: Rows) -> Flags:
    """Return which open days are a confirmed theft's."""
    return np.asarray(rows["stolen"] == rows["day"] + 1, np.bool_)


def unlearn(rows: Rows, which: Ints, before: Rows) -> None:
    """Give days that were a confirmed theft's no part in what is usual.

    Args:
        rows: profiles that have learned the day.
        which: those whose day it was, by `stolen`.
        before: what these were before.
    """
    for name in LEARNED if len(which) else ():
        rows[name][which] = before[name]
