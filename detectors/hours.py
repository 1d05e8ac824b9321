"""Off-hours: use at hours of the week at which this key is not used.

From the active hours of the past (half-life 45 days), smoothed over neighbouring hours and
backed off from the hour of the week to weekday or weekend, to the hour of the day, to nothing:
the chance of a slot is the mass of all slots that are no likelier. Evidence adds over the
distinct hours of a night.
"""

import numpy as np

from detectors import calibration
from detectors.chance import Floats
from detectors.profile import DAY_MS, HOUR_MS, SCALES, Rows
from detectors.rate import day_counts
from detectors.round import Evidence, Round, evidence, largest
from detectors.words import Reason
from vocabulary.access import Ints

HALF_LIFE_DAYS = 45.0
BACKOFF = 8.0
"""Active hours' worth of belief in the coarser level."""
KERNEL = (0.33, 0.235, 0.085, 0.015)
"""A bell of 1.2 hours around each hour; both sides together make 1."""
TOLERANCE = 1.5
"""A slot counts as no likelier than another up to this ratio: keys that are always on have no
unlikely hours."""
FREE = 1.0
"""Evidence of one hour below this adds nothing."""
NIGHT_H = 12
UNIT = 1000.0


def score(day: Round) -> Evidence:
    """Return the evidence of time, and remember the unusual hours."""
    hour = day.t // HOUR_MS % 24
    mark(day, hour)
    night = np.cumsum(day.rows["unusual"], axis=1, dtype=np.int64)
    x = (night[day.row, 24 + hour] - night[day.row, 24 + hour - NIGHT_H]) / UNIT
    x = np.where(day.late | ~day.mature[day.row], 0.0, x)
    e = np.minimum(calibration.scale(day.rows, "hours").surprise(day.row, x), x)
    scale = SCALES.index("hours")
    highest = day.rows["highest"]
    highest[:, scale] = np.maximum(highest[:, scale], largest(day.row, x, len(day.rows)))
    local = day.slots() % 24
    return evidence(e, Reason.OFF_HOURS, local.astype(np.float64), x)


def mark(day: Round, hour: Ints) -> None:
    """Write into the profiles how unusual each distinct hour of the batch is."""
    counted = np.flatnonzero(~day.late)
    slot = day.slots()[counted]
    pair, first = np.unique(day.row[counted].astype(np.int64) << 8 | slot, return_index=True)
    owner, slot = pair >> 8, pair & 255
    chance = likelihood(day.rows)
    mine = chance[owner, slot]
    table = chance[owner]
    mass = np.where(table <= (mine * TOLERANCE)[:, None].astype(np.int64), table, 0).sum(axis=1)
    p = mass / chance[:, :].sum(axis=1)[owner]
    unusual = np.maximum(-np.log10(np.maximum(p, 1e-5)) - FREE, 0.0)
    day.rows["unusual"][owner, 24 + hour[counted][first]] = np.rint(unusual * UNIT)


def likelihood(rows: Rows) -> Ints:
    """Return how likely each hour of the week is, shape (k, 168), in whole billionths."""
    active = rows["active"].astype(np.float64)
    smooth = KERNEL[0] * active
    for away, weight in enumerate(KERNEL[1:], 1):
        smooth += weight * (np.roll(active, away, axis=1) + np.roll(active, -away, axis=1))
    grid = smooth.reshape(-1, 7, 24)
    days = [np.ascontiguousarray(grid[:, i]) for i in range(7)]
    weekday = days[0] + days[1] + days[2] + days[3] + days[4]
    weekend = days[5] + days[6]
    total = (weekday + weekend)[:, 0].copy()
    for h in range(1, 24):
        total += weekday[:, h] + weekend[:, h]
    n = total[:, None]
    by_hour = (weekday + weekend + BACKOFF / 24.0) / (n + BACKOFF)
    kinds = []
    for kind, share in ((weekday, 5 / 7), (weekend, 2 / 7)):
        mass = kind[:, 0].copy()
        for h in range(1, 24):
            mass += kind[:, h]
        part = ((mass + BACKOFF * share) / (total + BACKOFF))[:, None]
        kinds.append((kind + BACKOFF * by_hour * part) / (n + BACKOFF))
    slots = [
        (days[i] + BACKOFF * kinds[i >= 5] / (5 if i < 5 else 2)) / (n + BACKOFF) for i in range(7)
    ]
    return np.rint(np.concatenate(slots, axis=1) * 1e9).astype(np.int64)


def learn(rows: Rows, offset_ms: Ints, elapsed_days: Floats) -> None:
    """Take the closed day's active hours into the week."""
    keep = 0.5 ** (elapsed_days / HALF_LIFE_DAYS)
    used = day_counts(rows) > 0
    start = (rows["day"].astype(np.int64) * DAY_MS + offset_ms)[:, None] // HOUR_MS
    slots = (start + np.arange(24) + 72) % 168
    active = rows["active"] * keep[:, None]
    k = np.arange(len(rows))
    for hour in range(24):
        active[k, slots[:, hour]] += used[:, hour]
    rows["active"] = active
    yesterday = elapsed_days <= 1.0
    rows["unusual"][:, :24] = np.where(yesterday[:, None], rows["unusual"][:, 24:], 0)
    rows["unusual"][:, 24:] = 0
