"""Sessions: a whole clock hour of a key against the key's own hours, by many features at once.

Each hour with a request is a session of ten numbers, normalised by what the key's sessions
usually are. A forest that was trained on the fleet's own history says how unlike the rest their
combination is. It is told by its most unusual features, and says little alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detectors.chance import Floats
from detectors.clocks import segment_starts
from detectors.forest import Forest
from detectors.profile import HOUR_MS, SESSION_FEATURES, Rows
from detectors.round import Evidence, Round, evidence
from detectors.words import SESSION
from vocabulary.access import Ints

FEATURES = SESSION_FEATURES
KNOWN_SESSIONS = 20.0
"""Sessions of a key before anything is said of one."""
LEAST_REQUESTS = 5
HALF_LIFE_DAYS = 45.0
UNIT = 256.0
"""Features are kept as whole numbers of this part, so that sums do not depend on their order."""
FLOOR = np.array((0.5, 0.4, 0.5, 0.3, 0.3, 0.05, 0.1, 0.4, 0.1, 0.3))
"""The least spread of each feature: a key that never varied may vary by this."""
WIDEST, WINSOR = 8.0, 3.0
FREE, MOST = 1.4, 1.5
"""A day has about 24 sessions; and no session alone is worth an alert."""
QUICK_MS = 1000
FORBIDDEN, REFUSED = 403, 400
LARGEST_BODY = 1 << 24
_REQUESTS, _FORBIDDEN, _FAILED, _WRITES, _QUICK, _KIB = range(6)


@dataclass(frozen=True, slots=True)
class Closed:
    """Sessions that are over.

    Attributes:
        row: shape (m,), index of each session's profile.
        at: shape (m,), the event after it, at which it is judged.
        x: shape (m, number of features), in units.
        requests: shape (m,).
    """

    row: Ints
    at: Ints
    x: Ints
    requests: Ints


Collect = Callable[[Rows, Closed], None]


def score(day: Round, forest: Forest | None, collect: Collect | None = None) -> Evidence:
    """Follow the sessions, and return the evidence of those that are over.

    Args:
        day: the round.
        forest: the model; None for no evidence.
        collect: is given the sessions that are over, for training.
    """
    closed = follow(day)
    if collect:
        collect(day.rows, closed)
    learn_today(day.rows, closed)
    e, reason = np.zeros(len(day.t)), np.full(len(day.t), SESSION, np.uint8)
    seen, usual = np.zeros(len(day.t)), np.zeros(len(day.t))
    which = judged(day.rows, closed)
    if forest is None or not len(which):
        return evidence(e, reason, seen, usual)
    z = normal(day.rows, closed)[which]
    at, row = closed.at[which], closed.row[which]
    e[at] = np.clip(forest.surprise(z) - FREE, 0.0, MOST)
    top = np.argsort(-np.abs(z), axis=1, kind="stable")[:, :2]
    reason[at] = SESSION + top[:, 0] * len(FEATURES) + top[:, 1]
    seen[at] = closed.x[which, top[:, 0]] / UNIT
    usual[at] = means(day.rows, row)[np.arange(len(row)), top[:, 0]]
    return evidence(e, reason, seen, usual)


def judged(rows: Rows, closed: Closed) -> Ints:
    """Return which sessions are large enough, of keys that are known well enough."""
    known = rows["sessions"][closed.row] >= KNOWN_SESSIONS
    return np.flatnonzero(known & (closed.requests >= LEAST_REQUESTS))


def normal(rows: Rows, closed: Closed) -> Floats:
    """Return by how many deviations each feature of each session differs from its key's."""
    mean, spread = means(rows, closed.row), spreads(rows, closed.row)
    return np.asarray(np.clip((closed.x / UNIT - mean) / spread, -WIDEST, WIDEST))


def means(rows: Rows, which: Ints) -> Floats:
    """Return the usual value of each feature for some keys, shape (m, number of features)."""
    n = np.maximum(rows["sessions"][which].astype(np.float64), 1.0)
    return rows["session_usual"][which, :, 0].astype(np.float64) / n[:, None]


def spreads(rows: Rows, which: Ints) -> Floats:
    """Return how much each feature usually varies for some keys."""
    n = np.maximum(rows["sessions"][which].astype(np.float64), 1.0)
    second = rows["session_usual"][which, :, 1].astype(np.float64) / n[:, None]
    variance = np.maximum(second - means(rows, which) ** 2, 0.0)
    return np.asarray(np.sqrt(variance + FLOOR**2), np.float64)


def follow(day: Round) -> Closed:
    """Add the events to the sessions they belong to; return the sessions that are over."""
    hour = day.t // HOUR_MS
    head = np.concatenate(([True], (day.row[1:] != day.row[:-1]) | (hour[1:] != hour[:-1])))
    edge = np.flatnonzero(head)
    row, now = day.row[edge].astype(np.int64), hour[edge]
    counts = np.add.reduceat(_counts(day), edge, axis=0)
    sets = np.bitwise_or.reduceat(_sets(day), edge, axis=0)
    begins = segment_starts(row.astype(np.int32))
    rows, owner = day.rows, row[begins]
    same = rows["session_hour"][owner] == now[begins]
    counts[begins] += np.where(same[:, None], rows["session_counts"][owner], 0)
    sets[begins] |= np.where(same[:, None], rows["session_sets"][owner], 0).astype(np.uint64)
    over = np.flatnonzero(~same & (rows["session_hour"][owner] > 0))
    before = owner[over]
    ends = np.append(begins[1:], len(edge)) - 1
    over_within = np.ones(len(edge), np.bool_)
    over_within[ends] = False
    inner = np.flatnonzero(over_within)
    closed_row = np.concatenate((before, row[inner]))
    closed_hour = np.concatenate((rows["session_hour"][before], now[inner]))
    closed_counts = np.concatenate((rows["session_counts"][before].astype(np.int64), counts[inner]))
    x = features(
        rows, closed_row, closed_hour, closed_counts,
        np.concatenate((rows["session_sets"][before], sets[inner])),
    )  # fmt: skip
    at = np.concatenate((edge[begins[over]], edge[np.minimum(inner + 1, len(edge) - 1)]))
    rows["session_hour"][owner] = now[ends]
    rows["session_counts"][owner] = np.minimum(counts[ends], np.iinfo(np.uint32).max)
    rows["session_sets"][owner] = sets[ends]
    return Closed(closed_row, at, x, closed_counts[:, _REQUESTS])


def features(rows: Rows, row: Ints, hour: Ints, counts: Ints, sets: np.ndarray) -> Ints:
    """Return the features of sessions, in units."""
    n = np.maximum(counts[:, _REQUESTS], 1).astype(np.float64)
    # Distinct values by the bits that are set: linear counting (Whang and others, 1990).
    empty = np.maximum(64 - np.bitwise_count(sets).astype(np.float64), 0.5)
    kinds = np.log2(1.0 + 64.0 * np.log(64.0 / empty))
    columns = (
        np.log2(1.0 + counts[:, _REQUESTS]),
        kinds[:, 0], kinds[:, 1], kinds[:, 2],
        np.log2(1.0 + counts[:, _FORBIDDEN]),
        counts[:, _FAILED] / n,
        counts[:, _WRITES] / n,
        np.log2(1.0 + counts[:, _KIB] / n),
        counts[:, _QUICK] / n,
        rows["surprise"][row, hour % 24] / 1000.0,
    )  # fmt: skip
    return np.rint(np.stack(columns, axis=1) * UNIT).astype(np.int64)


def _counts(day: Round) -> Ints:
    gap = np.diff(day.t, prepend=day.t[:1])
    starts = segment_starts(day.row)
    gap[starts] = day.t[starts] - day.rows["clock"][day.row[starts]]
    columns = (
        np.ones(len(day.t), bool),
        day.status == FORBIDDEN,
        (day.status >= REFUSED) & (day.status != FORBIDDEN),
        day.writes,
        gap < QUICK_MS,
    )
    kib = np.minimum(day.size, LARGEST_BODY) >> 10
    every = np.stack((*(c.astype(np.int64) for c in columns), kib), axis=1)
    return np.where(day.late[:, None], 0, every)


def _sets(day: Round) -> np.ndarray:
    hashes = (day.endpoint, day.thing, day.place["prefix"])
    bits = [np.where(h != 0, np.left_shift(np.uint64(1), _mixed(h)), np.uint64(0)) for h in hashes]
    return np.where(day.late[:, None], np.uint64(0), np.stack(bits, axis=1))


def _mixed(values: np.ndarray) -> np.ndarray:
    # Fibonacci hashing (Knuth): the upper six bits choose one of 64.
    return (values.astype(np.uint32) * np.uint32(2654435769) >> np.uint32(26)).astype(np.uint64)


def learn_today(rows: Rows, closed: Closed) -> None:
    """Add the sessions that are over to the day's sums; a flood must not make floods usual."""
    if not len(closed.row):
        return
    x = closed.x
    known = np.flatnonzero(rows["sessions"][closed.row] >= KNOWN_SESSIONS)
    if len(known):
        most, mean = WINSOR * spreads(rows, closed.row[known]), means(rows, closed.row[known])
        x = x.copy()
        x[known] = np.rint(np.clip(x[known], (mean - most) * UNIT, (mean + most) * UNIT))
    # Whole numbers add up exactly, in any order.
    order = np.argsort(closed.row, kind="stable")
    starts = segment_starts(closed.row[order].astype(np.int32))
    which = closed.row[order][starts]
    powers = np.stack((x, x * x), axis=2)[order]
    number = np.diff(np.append(starts, len(order)))
    rows["session_today"][which] += number.astype(np.uint16)
    rows["session_sums"][which] += np.add.reduceat(powers, starts, axis=0)


def learn(rows: Rows, elapsed_days: Floats) -> None:
    """Take the closed day's sessions into what is usual."""
    keep = 0.5 ** (elapsed_days / HALF_LIFE_DAYS)
    sums = rows["session_sums"] / np.array((UNIT, UNIT * UNIT))
    rows["sessions"] = rows["sessions"] * keep + rows["session_today"]
    rows["session_usual"] = rows["session_usual"] * keep[:, None, None] + sums
    rows["session_today"], rows["session_sums"] = 0, 0
