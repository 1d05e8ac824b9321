"""What an event must be like in order to wait beside its key's row, since it surely says nothing.

A pass over a row costs the same for one event as for many. An event of an ordinary day (a way in
which the key was used today, known endpoints, below every record) waits until one comes of which
something might be said, or until there is no more room. Then all are scored together: any batches
give the same rows and alerts, so that it is all the same when. What follows from a row and its
last event about those to come is written into the row here; see PENDING, and `beside`.
"""

from functools import reduce

import numpy as np

from detectors import calibration, levels
from detectors.behaviour import KNOWN_BY, LEAST_STEPS
from detectors.clocks import segment_starts
from detectors.fuse import FLOOR, HALF_LIFE_MS, THRESHOLDS, UNIT
from detectors.hours import GAIN
from detectors.hours import UNIT as UNUSUAL
from detectors.levels import LEAST_REQUESTS
from detectors.profile import (
    DAY_MS,
    EVENT,
    FAMILIES,
    SCALES,
    WAITING,
    WAY,
    WAYS,
    Rows,
    rows_of,
    words_of,
)
from detectors.rate import BURST_WINDOWS, LEAST_BURST, WINDOWS_H
from detectors.records import field, whole
from detectors.round import Evidence, Round
from detectors.travel import FEW_EVENTS
from detectors.words import Reason
from vocabulary.access import Flags, Ints
from vocabulary.alert import Severity

SURELY = 0.01
"""What is rounded moves evidence by less."""
RARE = 4
"""Uses in rare hours that may wait: together they say less than an alert takes."""
MOST = 255
UNBOUNDED = 1 << 40


def prepare(day: Round, places: Evidence) -> None:
    """Write into rows what an event must be like in order to wait, now that a round was scored.

    Args:
        day: the round.
        places: what was said of its events' networks and clients.
    """
    rows, held = day.rows, day.rows["pending"]
    some = np.flatnonzero(held["count"])
    field(held, "events")[some] = whole(np.zeros(1, EVENT))[0]
    _follow_ways(day, places)
    held["open"] = np.where(is_calm(rows), 1, -1) * (rows["day"] + 1)
    held["since"] = rows["clock"] % DAY_MS
    most = harmless(rows)
    held["most"] = np.minimum(most, MOST)
    held["left"] = np.clip(most - counts(rows), 0, MOST)
    held["any"] = rows["mature_days"] < KNOWN_BY
    room = np.rint((FLOOR - SURELY) / GAIN * UNUSUAL) - rows["unusual"].sum(axis=1, dtype=np.int64)
    surprise = rows["surprise"]
    held["free"] = np.packbits((surprise == 0) & (room >= 0)[:, None], axis=1)
    held["rare"] = np.packbits(surprise <= (room / RARE)[:, None], axis=1)
    held["count"] = held["odd"] = 0


NEWS = (Reason.NEW_NETWORK, Reason.TRAVEL, Reason.SWARM)
"""What is said of events from a network that is new to their key."""


def _follow_ways(day: Round, places: Evidence) -> None:
    """Take the last ways of which nothing is to be said before those of earlier today.

    Of a network that is not new, and of a client, the same is said all day long.
    """
    rows, held, starts = day.rows, day.rows["pending"], segment_starts(day.row)
    same_day = np.abs(held["open"]) == rows["day"] + 1
    before = field(held, "ways").copy().view(WAY)
    known = np.where(same_day, held["known"], 0).astype(np.int64)
    # On a key's first day its first network is news from the second one on.
    steady = (rows["mature_days"] > 0) | (rows["asn_count"] <= 1)
    number = np.arange(len(day.row)) - starts[day.row]
    number += rows["events"][day.row] - np.bincount(day.row)[day.row]
    # Where exactly its first events came from nobody remembers; see `seeds`.
    fits = (places.e < FLOOR - SURELY) & ~np.isin(places.reason, NEWS) & (number >= FEW_EVENTS)
    fits &= steady[day.row]
    mark = _marks(day.place["prefix"], day.agent, day.tls)
    found = np.zeros(len(rows), np.int64)
    taken_marks = np.zeros((len(rows), WAYS), np.uint64)
    for i in range(WAYS):
        last = np.maximum.reduceat(np.where(fits, np.arange(len(fits)), -1), starts)
        some = np.flatnonzero(last >= 0)
        if not len(some):
            break
        at = last[some]
        ways = held["ways"]
        field(ways, "place")[some, i] = whole(day.place).take(at)
        ways["agent"][some, i], ways["tls"][some, i] = day.agent[at], day.tls[at]
        taken_marks[some, i] = mark[at]
        found[some] = i + 1
        fits &= mark != taken_marks[day.row, i]
    _keep_ways(held, before, np.where(steady, known, 0), found, taken_marks)


def _keep_ways(
    held: np.ndarray, before: np.ndarray, known: Ints, found: Ints, marks: np.ndarray
) -> None:
    """Put ways of earlier today behind those that were found, as far as there is room."""
    place = before["place"]["prefix"]
    old = _marks(place, before["agent"], before["tls"])
    for i in range(WAYS):
        some = np.flatnonzero((known > i) & (found < WAYS))
        new = np.arange(WAYS) < found[some][:, None]
        some = some[~((marks[some] == old[some, i][:, None]) & new).any(axis=1)]
        field(held, "ways")[some, found[some]] = whole(before)[some, i]
        marks[some, found[some]] = old[some, i]
        found[some] += 1
    held["known"] = found


def _marks(prefix: np.ndarray, agent: np.ndarray, tls: np.ndarray) -> np.ndarray:
    """Return numbers by which ways are told apart; two that share one count as the same way."""
    mixed = prefix.astype(np.uint64) << np.uint64(32) | agent
    return np.asarray((mixed ^ tls) * np.uint64(0x9E3779B97F4A7C15) ^ tls)


def is_calm(rows: Rows) -> Flags:
    """Return of which profiles no evidence is left that could become an alert with a little more.

    Of an event like the last one the network says no more than of that one; so little of every
    family does not add up, except that volume alone may say what is no alert.
    """
    bounds = np.full(len(FAMILIES), np.log2(FLOOR - SURELY))
    bounds[FAMILIES.index("volume")] = np.log2(THRESHOLDS[Severity.LOW] - SURELY)
    level = rows["evidence"] / UNIT - (rows["clock"] / HALF_LIFE_MS)[:, None]
    calm = reduce(np.logical_and, (level < bounds).T) & (rows["severity"] == 0)
    steps = reduce(np.add, rows["steps"].astype(np.int64).T)
    return np.asarray(calm & (steps + WAITING < LEAST_STEPS), np.bool_)


def harmless(rows: Rows) -> Ints:
    """Return the most requests in each window of which nothing can become an alert, shape (k, 5).

    Below the record volume adds nothing to anything; see `rate.record`. Where there is no record
    it never says as much as an alert takes. Of keys that are used all day long a burst in a quiet
    hour counts even below it: for them the quietest hour tells.
    """
    busiest = rows["busiest"].astype(np.float64)
    root = 0.5 + np.sqrt(np.maximum(busiest, 1.0) + 0.25)  # of the n for which n - √n is the record
    most = np.maximum((root * root - SURELY).astype(np.int64) - 1, LEAST_REQUESTS - 1)
    steady = np.flatnonzero(rows["steady"])
    if len(steady):
        bounded = np.minimum(most[steady, : len(BURST_WINDOWS)], LEAST_BURST - 1)
        usually = usual(rows_of(words_of(rows)[steady]))
        most[steady, : len(BURST_WINDOWS)] = np.maximum(bounded, usually)
    return np.where(busiest > 0, most, UNBOUNDED)


WITHIN = (1.0, 1.2, 1.5)
"""So many spreads above the mean of a key's daily maxima, Student's t says less than FLOOR over
what each of these windows counts for (see `rate.GAIN`), whatever its degrees of freedom."""


def usual(rows: Rows) -> Ints:
    """Return the most requests that say nothing in each of BURST_WINDOWS in a key's quietest hour.

    A count above its mean is by no more deviations above it than (n - µ) / √µ; see `chance.excess`.
    """
    quietest = levels.usual(rows)[0].min(axis=1)
    found = []
    for window, spreads in zip(BURST_WINDOWS, WITHIN, strict=True):
        mean = quietest * WINDOWS_H[window] + 0.5
        scale = calibration.scale(rows, SCALES[window])
        z = np.maximum(scale.mean + spreads * scale.spread, 0.0)
        found.append((mean + z * np.sqrt(mean) - SURELY).astype(np.int64))
    return np.stack(found, axis=1)


def counts(rows: Rows) -> Ints:
    """Return the requests in each window that ends with a profile's last event, shape (k, 5)."""
    minutes = np.add.reduceat(rows["minutes"].astype(np.int64), (0, 2, 10), axis=1)
    columns = (
        rows["seconds"].sum(axis=1, dtype=np.int64),
        minutes[:, 0],
        minutes[:, 0] + minutes[:, 1],
        minutes[:, 0] + minutes[:, 1] + minutes[:, 2],
        rows["hours"].sum(axis=1, dtype=np.int64),
    )
    return np.stack(columns, axis=1)
