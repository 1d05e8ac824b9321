"""Levels: how many requests are usual for a key at each hour, and how a closed day changes them."""

import numpy as np

from detectors import calibration
from detectors.chance import Floats
from detectors.profile import DAY_MS, FAMILIES, HOUR_MS, HOURS, WEEKEND, Rows, alarmed
from detectors.round import Round
from vocabulary.access import Codes, Flags, Ints

HALF_LIFE_DAYS = 21.0
SHRINK_DAYS = 2.0
"""So many days of the day's mean are mixed into each hour's."""
LEAST_PER_DAY = 4.0
LONGEST_GAP_DAYS = 4
SATURDAY = 5
STEADY_H = 14.0
"""Active hours a day, faded, from which on a key is used all day long."""
TURN_DAYS, TURN_KEEP = 3, 0.9
"""Days of one turn of the month are not further apart; of the turn before, so much still counts."""
GROWTH, GROWTH_ALONE = 2.0, 5.0
"""By so much an alarming day may raise the key's records; one on which volume alone alarmed."""
LEAST_REQUESTS = 5
"""Fewer are no flood, however rare."""
FEW_EVENTS = 16
"""Of fewer events a key, only the hours that occur are computed."""


def expected(day: Round) -> tuple[Floats, Floats]:
    """Return how many requests an hour and a day are usual at each event's local time."""
    slot = day.slots()
    weekend = (slot >= WEEKEND).astype(np.int64)
    hour = weekend * 24 + slot % 24
    if len(slot) < FEW_EVENTS * len(day.rows):
        a_day = per_day(day.rows)
        return _at(day.rows, a_day, day.row, hour), a_day[day.row]
    an_hour, a_day = usual(day.rows)
    return an_hour[day.row, hour], a_day[day.row]


def _at(rows: Rows, a_day: Floats, row: Codes, hour: Ints) -> Floats:
    """Return what `usual` gives for one hour of a weekday (0 to 23) or weekend (24 to 47) each."""
    requests, kind = rows["requests"], hour // 24
    hours = ((hour + away) % 24 + 24 * kind for away in (0, -1, 1))
    here, earlier, later = (requests[row, at].astype(np.float64) for at in hours)
    shrink = SHRINK_DAYS * a_day / 24.0
    exposure = rows["exposure"][row, kind].astype(np.float64)
    smooth = 0.5 * here + 0.25 * (earlier + later)
    return np.asarray((smooth + shrink[row]) / (exposure + SHRINK_DAYS))


def usual(rows: Rows) -> tuple[Floats, Floats]:
    """Return the mean requests of each hour of weekday and weekend (k, 48), and of a day (k,)."""
    requests = rows["requests"].astype(np.float64).reshape(-1, 2, 24)
    exposure = rows["exposure"].astype(np.float64)
    a_day = per_day(rows)
    shrink = SHRINK_DAYS * a_day / 24.0
    smooth = 0.5 * requests + 0.25 * (np.roll(requests, 1, axis=2) + np.roll(requests, -1, axis=2))
    an_hour = (smooth + shrink[:, None, None]) / (exposure[:, :, None] + SHRINK_DAYS)
    return an_hour.reshape(-1, 48), a_day


def per_day(rows: Rows) -> Floats:
    """Return the mean requests of a day, shape (k,)."""
    found = np.full(len(rows), LEAST_PER_DAY)
    exposure = rows["exposure"].astype(np.float64)
    days = exposure[:, 0] + exposure[:, 1]
    lived = np.flatnonzero(days > 0)
    requests = rows["requests"][lived].astype(np.float64).reshape(-1, 2, 24)
    total = requests[:, :, 0].copy()
    for hour in range(1, 24):
        total += requests[:, :, hour]
    found[lived] = (total[:, 0] + total[:, 1] + LEAST_PER_DAY) / (days[lived] + 1.0)
    return found


def turning(day: Ints) -> Flags:
    """Return which days (since 1970) are the last two or the first of a month: bills, reports."""
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    return np.asarray(
        ((date + np.timedelta64(2, "D")).astype("datetime64[M]") != month) | (date == month),
        np.bool_,
    )


def is_steady(rows: Rows) -> Flags:
    """Return which keys are used in most hours of every day: their hour of the day tells much."""
    hours = rows["active"].astype(np.float64).sum(axis=1)
    return np.asarray((hours >= STEADY_H * rows["mature_days"]) & (rows["mature"] > 0))


def learn(rows: Rows, in_an_hour: Ints, offset_ms: Ints, elapsed_days: Floats) -> None:
    """Take the closed day into the levels; `in_an_hour` is what `day_counts` gives."""
    keep = 0.5 ** (elapsed_days / HALF_LIFE_DAYS)
    slots = local_hours(rows, offset_ms)
    where = (slots >= WEEKEND) * 24 + slots % 24
    counts = taught(rows, in_an_hour, where)
    k = np.arange(len(rows))
    exposure = rows["exposure"] * keep[:, None]
    # Each hour of a day is another one of a weekday's or a weekend's.
    row, hour = np.nonzero(in_an_hour)
    at, requests = (row, where[row, hour]), rows["requests"]
    used = requests[at] * keep[row] + counts[row, hour]
    requests *= keep[:, None]
    requests[at] = used
    resting = (slots >= WEEKEND).sum(axis=1)
    exposure += np.stack((24 - resting, resting), axis=1) / 24.0
    for away in range(1, LONGEST_GAP_DAYS + 1):
        # Days without a request teach that there was none; a long absence teaches no more.
        weekend = (slots[:, 12] // 24 + away) % 7 >= SATURDAY
        exposure[k, weekend.astype(np.int64)] += away < elapsed_days
    rows["exposure"] = exposure
    fade = 0.5 ** (elapsed_days / 90.0)
    # What was alarming is not at once what this key may do.
    alone = rows["families"] == 1 << FAMILIES.index("volume")
    most = np.where(alone, GROWTH_ALONE, GROWTH)[:, None]
    grown = np.maximum(most * rows["busiest"], LEAST_REQUESTS)
    peaks = np.where(alarmed(rows)[:, None], np.minimum(rows["peaks"], grown), rows["peaks"])
    rows["busiest"] = np.maximum(rows["busiest"] * fade[:, None], peaks)
    _learn_turn(rows)
    rows["peaks"] = 0


def _learn_turn(rows: Rows) -> None:
    """Take a closed day at the turn of a month into what is usual there."""
    which = np.flatnonzero(turning(rows["day"]))
    if not len(which):
        return
    day, before = rows["day"][which], rows["turn"][which].astype(np.float64)
    same = day - rows["turned"][which] <= TURN_DAYS
    kept = np.where(same[:, None], before, before * TURN_KEEP)
    rows["turn"][which] = np.maximum(kept, rows["peaks"][which])
    rows["turned"][which] = day


def local_hours(rows: Rows, offset_ms: Ints) -> Ints:
    """Return the local hour of the week of each hour (UTC) of the open day, shape (k, 24)."""
    start = rows["day"].astype(np.int64) * DAY_MS + offset_ms
    return (start[:, None] // HOUR_MS + np.arange(24) + 72) % 168


def taught(rows: Rows, in_an_hour: Ints, where: Ints) -> Floats:
    """Return what each hour of the open day teaches: a flood no more than a busy hour."""
    counts = in_an_hour.astype(np.float64)
    trusted = rows["exposure"].sum(axis=1) >= calibration.SETTLED_DAYS
    most = 3.0 * np.take_along_axis(usual(rows)[0], where, axis=1) + 10.0
    return np.where(trusted[:, None], np.minimum(counts, most), counts)


def day_counts(rows: Rows) -> Ints:
    """Return the requests in each hour (UTC) of the open day, from the ring of hours."""
    head = rows["clock"] // HOUR_MS
    hour = rows["day"].astype(np.int64)[:, None] * 24 + np.arange(24)
    age = head[:, None] - hour
    inside = (age >= 0) & (age < HOURS)
    counts = np.take_along_axis(rows["hours"], np.clip(age, 0, 23), axis=1)
    return np.where(inside, counts, 0).astype(np.int64)
