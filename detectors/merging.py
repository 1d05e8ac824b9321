"""Two profiles into one: the key that replaces another goes on where the other was.

Both may have a life of their own: a key may be in use before anybody says whose place it takes.
What is counted adds up, what is a record stays one, what either knows is known; alarms, and what
goes on today, are the heir's alone.
"""

from zlib import crc32

import numpy as np

from detectors import calibration, hours, levels, sessions, tables
from detectors.chance import Floats
from detectors.feedback import ALARMS
from detectors.network import KNOWN
from detectors.profile import Rows
from vocabulary.access import Ints

PERSONAL = (*ALARMS, "late", "stolen", "held_day", "held_spent", "strange", "spotted")
"""What a profile is not given by another."""
NOVELTY_DAYS = 90.0
FADING = {
    "requests": levels.HALF_LIFE_DAYS,
    "exposure": levels.HALF_LIFE_DAYS,
    "active": hours.HALF_LIFE_DAYS,
    "calibration": calibration.HALF_LIFE_DAYS,
    "sessions": sessions.HALF_LIFE_DAYS,
    "session_usual": sessions.HALF_LIFE_DAYS,
    "novelties": NOVELTY_DAYS,
    "mature_days": NOVELTY_DAYS,
    "tls_news": NOVELTY_DAYS,
    "spends": calibration.HALF_LIFE_DAYS,
}
"""Sums that fade, and their half-lives."""
MOST_DAYS = np.iinfo(np.uint16).max


def mark(key: str) -> int:
    """Return what a profile remembers of the key whose profile it took over; never 0."""
    return max(crc32(key.encode("utf-8", "replace")), 1)


def merged(heir: Rows, old: Rows, offset_ms: Ints) -> Rows:
    """Return the profile of a key that replaces another; both stay as they are, and nothing waits.

    Args:
        heir: what is known of the key itself, an array of one.
        old: what is known of the one it replaces, likewise.
        offset_ms: shape (1,), how far the owner's local time is ahead of UTC.
    """
    if old["day"][0] < 0:
        return heir.copy()
    if heir["day"][0] < 0:
        return _inherited(old)
    new = heir.copy()
    day = max(int(heir["day"][0]), int(old["day"][0]))
    for name, half_life in FADING.items():
        new[name] = _faded(heir, name, half_life, day) + _faded(old, name, half_life, day)
    for name in ("events", "days"):
        new[name] = heir[name] + old[name]
    for name in ("busiest", "spent_most", "longest_gap_h", "tolerance", "mature"):
        new[name] = np.maximum(heir[name], old[name])
    new["first"] = np.minimum(heir["first"], old["first"])
    new["kinds"] = heir["kinds"] | old["kinds"]
    new["held_day"], new["held_spent"] = 0, 0
    _merge_turns(new, old)
    for name in KNOWN:
        _merge_tables(new, old, name)
    new["steady"] = levels.is_steady(new)
    hours.foresee(new, new["day"], offset_ms)
    return new


def _inherited(old: Rows) -> Rows:
    new = old.copy()
    for name in PERSONAL:
        new[name] = np.zeros((), new[name].dtype)
    return new


def _faded(rows: Rows, name: str, half_life: float, day: int) -> Floats:
    """Return a sum as it will have faded by a day."""
    values = rows[name].astype(np.float64)
    return np.asarray(values * 0.5 ** ((day - int(rows["day"][0])) / half_life))


def _merge_turns(new: Rows, old: Rows) -> None:
    """Take over what is usual at the turn of a month, from whoever had one last."""
    mine, other = int(new["turned"][0]), int(old["turned"][0])
    if abs(mine - other) <= levels.TURN_DAYS:
        new["turn"] = np.maximum(new["turn"], old["turn"])
    elif other > mine:
        new["turn"] = old["turn"]
    new["turned"] = max(mine, other)


def _merge_tables(new: Rows, old: Rows, name: str) -> None:
    """Know what either knows; where there is no room, the longest unseen give way."""
    known: dict[int, tuple[int, int]] = {}
    for rows in (old, new):
        columns = (rows[name + part][0].tolist() for part in ("", "_last", "_days"))
        for value, last, days in zip(*columns, strict=True):
            before = known.get(value, (0, 0))
            known[value] = (max(before[0], last), min(before[1] + days, MOST_DAYS))
    known.pop(0, None)
    best = sorted(known, key=lambda value: -_worth(*known[value]))[: new[name].shape[1]]
    for part in ("", "_last", "_days"):
        new[name + part] = 0
    for i, value in enumerate(best):
        new[name][0, i] = value
        new[f"{name}_last"][0, i], new[f"{name}_days"][0, i] = known[value]
    waiting = new[f"{name}_new"][0, : new[f"{name}_count"][0]]
    # What waits for the end of the day and is known now waits no more.
    left = waiting[~np.isin(waiting, new[name][0])]
    new[f"{name}_new"] = 0
    new[f"{name}_new"][0, : len(left)], new[f"{name}_count"] = left, len(left)


def _worth(last: int, days: int) -> int:
    return last + tables.LIVES_DAYS * min(days, tables.MOST_LIVES)
