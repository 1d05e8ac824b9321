"""Off-hours: use at hours of the week at which this key is not used.

From the active hours of the past (half-life 45 days), smoothed over neighbouring hours and
backed off from the hour of the week to weekday or weekend, to the hour of the day, to nothing:
the chance of a slot is the mass of all slots that are no likelier. Evidence adds over the
distinct hours of a night.
"""

import numpy as np
from numpy.typing import NDArray

from detectors import calibration, windows
from detectors.chance import Floats
from detectors.clocks import renumbered
from detectors.profile import DAY_MS, HOUR_MS, Rows
from detectors.round import Evidence, Round, evidence
from detectors.words import Reason
from vocabulary.access import Flags, Ints

HALF_LIFE_DAYS = 45.0
BACKOFF = 8.0
"""Active hours' worth of belief in the coarser level."""
KERNEL = (0.33, 0.235, 0.085, 0.015)
"""A bell of 1.2 hours around each hour; both sides together make 1."""
TOLERANCE = 1.5
"""A slot counts as no likelier than another up to this ratio: keys that are always on have no
unlikely hours."""
FREE = 0.5
"""Evidence of one hour below this adds nothing."""
GAIN = 1.3
"""What a night counts for beside other evidence; see docs/decisions/0003 for what it costs."""
FULL = 15
"""So many requests in an hour make it count in full: one alone may be a job or a stray click."""
NIGHT_H = 12
ALWAYS_H, RESTS_H = 22.0, 16.0
"""A key that is as likely at so many hours of the day has no night; one below the other has."""
SATURDAY = 5
UNIT = 1000.0


def score(day: Round) -> Evidence:
    """Return the evidence of time, and remember the unusual hours."""
    hour = day.t // HOUR_MS % 24
    now = unusual(day, hour)
    last = np.flatnonzero(np.append((day.row[1:] != day.row[:-1]) | (hour[1:] != hour[:-1]), True))
    day.rows["unusual"][day.row[last], 24 + hour[last]] = now[last]
    e, x = np.zeros(len(now)), np.zeros(len(now))
    judged = day.mature if day.said is None else day.mature | day.said.rows
    known = np.flatnonzero(judged[day.row] & ~day.late)
    if len(known):
        x[known] = (earlier(day, judged, known, hour[known]) + now[known]) / UNIT
        some = known[x[known] > 0]
        used, row = renumbered(day.row[some])
        scale = calibration.scale(day.rows, "hours", used)
        e[some] = GAIN * np.minimum(scale.surprise(row, x[some]), x[some])
        calibration.remember(day.rows, "hours", day.row, x)
    local = day.slots() % 24
    return evidence(e, Reason.OFF_HOURS, local.astype(np.float64), x)


def unusual(day: Round, hour: Ints) -> Ints:
    """Return how unusual the hour (UTC) of each event is, by its requests so far, in units."""
    surprise = day.rows["surprise"][day.row, hour]
    found = np.zeros(len(surprise), np.int64)
    odd = np.zeros(len(day.rows), np.bool_)
    odd[day.row[surprise > 0]] = True
    which = np.flatnonzero(odd[day.row])
    if len(which):
        found[which] = np.rint(surprise[which] * weight(day, which))
    return found


def earlier(day: Round, judged: Flags, which: Ints, hour: Ints) -> Ints:
    """Return how unusual the earlier hours of the same night were, for events of judged keys."""
    rank = np.cumsum(judged) - 1
    night = np.cumsum(day.rows["unusual"][np.flatnonzero(judged)], axis=1, dtype=np.int64)
    row = rank[day.row[which]]
    before: Ints = night[row, 24 + hour - 1] - night[row, 24 + hour - NIGHT_H]
    return before


def weight(day: Round, which: Ints) -> Floats:
    """Return how much the clock hour of each of all events of some keys counts, by its requests."""
    used, row = renumbered(day.row[which])
    hour, clock = day.t[which] // HOUR_MS, day.rows["clock"][used] // HOUR_MS
    counts = (~day.late[which]).astype(np.int64)
    n = windows.count(row, hour, counts, day.rows["hours"][used], clock, (1,)).counts[0]
    share = np.log1p(n / day.crowd[which, 1]) / np.log1p(FULL)
    return np.asarray(np.minimum(share, 1.0), np.float64)


def foresee(rows: Rows, today: Ints, offset_ms: Ints) -> None:
    """Write into the profiles how unusual each hour of the day that opens would be.

    In -log10 of the mass of all slots that are no likelier, less what is free; nothing for keys
    that are still learned.
    """
    rows["surprise"] = 0
    which = np.flatnonzero(rows["mature"])
    if not len(which):
        return
    active = rows["active"][which].astype(np.float64)
    first = (today[which] * DAY_MS + offset_ms[which]) // HOUR_MS + 72
    slots = (first + np.arange(24)[:, None]) % 168
    parts = [slice(begin, begin + AT_ONCE) for begin in range(0, len(which), AT_ONCE)]
    shares = np.concatenate([rarer(active[one], slots[:, one]) for one in parts], axis=1)
    unusual = np.maximum(-np.log10(np.maximum(shares, 1e-5)) - FREE, 0.0) * has_nights(active)
    rows["surprise"][which] = np.rint(unusual * UNIT).T


AT_ONCE = 512
"""Keys whose weeks fit the caches."""


def rarer(active: Floats, slots: Ints) -> Floats:
    """Return the mass of all hours of the week that are no likelier than some of them.

    Args:
        active: shape (k, 168), how often each key was active at each hour.
        slots: shape (h, k), hours of the week.

    Returns:
        Shape (h, k).
    """
    chance = likelihood(np.ascontiguousarray(active.T))
    every = chance.sum(axis=0, dtype=np.int32)
    bounds = (np.take_along_axis(chance, slots, axis=0) * TOLERANCE).astype(np.int32)
    mass = [np.where(chance <= bound, chance, 0).sum(axis=0, dtype=np.int32) for bound in bounds]
    return np.asarray(np.stack(mass) / every)


def has_nights(active: Floats) -> Floats:
    """Return from 0 to 1 how much keys of such active hours, shape (k, 168), have a rest."""
    by_hour = active.reshape(-1, 7, 24).sum(axis=1)
    share = by_hour / np.maximum(by_hour.sum(axis=1), 1e-9)[:, None]
    spread = 1.0 / np.maximum((share * share).sum(axis=1), 1e-9)
    return np.asarray(np.clip((ALWAYS_H - spread) / (ALWAYS_H - RESTS_H), 0.0, 1.0))


def likelihood(active: Floats) -> NDArray[np.int32]:
    """Return how likely each hour of the week is, shape (168, k), in whole billionths."""
    smooth = KERNEL[0] * active
    for away, weight in enumerate(KERNEL[1:], 1):
        smooth += weight * (np.roll(active, away, axis=0) + np.roll(active, -away, axis=0))
    days = smooth.reshape(7, 24, -1)
    weekday = days[0] + days[1] + days[2] + days[3] + days[4]
    weekend = days[5] + days[6]
    n = _added(weekday + weekend)
    by_hour = (weekday + weekend + BACKOFF / 24.0) / (n + BACKOFF)
    kinds = []
    for kind, share in ((weekday, 5 / 7), (weekend, 2 / 7)):
        part = (_added(kind) + BACKOFF * share) / (n + BACKOFF)
        kinds.append((kind + BACKOFF * by_hour * part) / (n + BACKOFF))
    slots = [
        (days[i] + BACKOFF * kinds[i >= SATURDAY] / (5 if i < SATURDAY else 2)) / (n + BACKOFF)
        for i in range(7)
    ]
    return np.rint(np.concatenate(slots) * 1e9).astype(np.int32)


def _added(by_hour: Floats) -> Floats:
    """Return the sum of the first axis, added in order."""
    total: Floats = by_hour[0].copy()
    for one in by_hour[1:]:
        total += one
    return total


def learn(rows: Rows, counts: Ints, offset_ms: Ints, elapsed_days: Floats) -> None:
    """Take the closed day's active hours into the week; `counts` are those of `day_counts`."""
    keep = 0.5 ** (elapsed_days / HALF_LIFE_DAYS)
    start = (rows["day"].astype(np.int64) * DAY_MS + offset_ms)[:, None] // HOUR_MS
    slots = (start + np.arange(24) + 72) % 168
    row, hour = np.nonzero(counts)
    at, active = (row, slots[row, hour]), rows["active"]
    used = active[at] * keep[row] + 1.0
    active *= keep[:, None]
    active[at] = used
    yesterday = elapsed_days <= 1.0
    rows["unusual"][:, :24] = np.where(yesterday[:, None], rows["unusual"][:, 24:], 0)
    rows["unusual"][:, 24:] = 0
