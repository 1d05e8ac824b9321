"""What is remembered of a key: one packed row of fixed size, whatever the key does.

A row has a hot part, which every event changes, and a learned part, which changes when a day of
the key's own clock has passed. Every detector scores against the learned part and writes into
the hot one: nothing is learned before it was scored.
"""

import numpy as np
from numpy.typing import NDArray

from detectors.geoip import PLACE

VERSION = 9
"""Goes up whenever PROFILE or SEED changes; see `upgrade`. New fields stand at the end, so that
changes which an older version wrote can still be put onto its rows."""

Rows = NDArray[np.void]

TEN_MS = 600_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

PREFIXES, ASNS, COUNTRIES, AGENTS, ENDPOINTS = 16, 12, 8, 8, 64
"""How many values of each kind a key is known by."""
TLS, NEW_TLS = 8, 6
NEW_PREFIXES, NEW_ASNS, NEW_COUNTRIES, NEW_AGENTS, NEW_ENDPOINTS = 12, 16, 6, 6, 32
"""How many unknown values of a day are kept apart."""

SECONDS, MINUTES, HOURS, TENS = 10, 60, 24, 6
"""Lengths of the rings of counts: per second, minute, hour and ten minutes."""

WEEKEND = 5 * HOURS
"""The hour of the week at which the weekend begins."""

FAMILIES = ("network", "time", "volume", "behaviour")

SCALES = (
    "rate_10s",
    "rate_2min",
    "rate_10min",
    "rate_1h",
    "rate_1d",
    "hours",
    "sequence",
    "denied",
    "objects",
)
"""What is calibrated against the key's own past days."""

SESSION_FEATURES = (
    "requests",
    "endpoints",
    "objects",
    "networks",
    "refused",
    "failed",
    "writes",
    "size",
    "pace",
    "hour",
)
"""What the numbers of a session (a clock hour of use) are, in order."""


def _table(name: str, size: int, new: int) -> list[tuple[object, ...]]:
    # A value, the last day and the number of days on which it was seen; then today's new ones.
    return [
        (name, "u4", (size,)),
        (f"{name}_last", "u2", (size,)),
        (f"{name}_days", "u2", (size,)),
        (f"{name}_new", "u4", (new,)),
        (f"{name}_count", "u2"),
    ]


def padded(fields: list[tuple[object, ...]]) -> "np.dtype[np.void]":
    """Return a structure of whole words: what is compared, moved and stored goes by words."""
    size = np.dtype(fields).itemsize
    return np.dtype([*fields, ("padding", "u1", (-size % WORD,))])


WORD = 8
"""Bytes."""

WAITING, WAYS = 7, 3
"""Events that may wait beside a row, and ways of use that they may be of, three at most."""
EVENT = np.dtype(
    [
        ("moment", "u4"),
        ("endpoint", "u4"),
        ("thing", "u4"),
        ("kib", "u2"),
        ("status", "u2"),
        ("number", "i8"),
        ("crowd", "u2", (3,)),
    ]
)
"""An event that waits; of its moment the lowest bit says that it writes, the next two which way it
came, and above them are the milliseconds of its day."""
BITS = 3
WAY = np.dtype([("place", PLACE), ("agent", "u4"), ("tls", "u4")])
"""From where, and by which client, a key was used today without anything to be said of it."""
PENDING = np.dtype(
    [
        # the open day plus one, below 0 while none may wait; the row's clock within that day
        ("open", "i4"),
        ("since", "u4"),
        # hours (UTC, a bit each) in which use says nothing, and in which four uses say nothing
        ("free", "u1", (HOURS // 8,)),
        ("rare", "u1", (HOURS // 8,)),
        # per window, the most requests that say nothing, and how many are left of them
        ("most", "u1", (5,)),
        ("left", "u1", (5,)),
        # whether any endpoint will do; how many events wait, and how many of them in rare hours
        ("any", "u1"),
        ("count", "u1"),
        ("odd", "u1"),
        # the ways that will do, the last one first, and how many there are
        ("known", "u1"),
        ("ways", WAY, (WAYS,)),
        ("events", EVENT, (WAITING,)),
        ("gap", "u1"),
    ]
)
"""See `pending`."""

PROFILE = padded(
    [
        # clocks, in effective milliseconds, and the open day since 1970 (-1 for none)
        ("clock", "i8"),
        ("first", "i8"),
        ("day", "i4"),
        ("events", "u4"),
        ("late", "u4"),
        ("days", "u4"),
        ("mature", "u1"),
        ("steady", "u1"),
        # counts of the last seconds, minutes and hours, newest first, up to `clock`
        ("seconds", "u4", (SECONDS,)),
        ("minutes", "u4", (MINUTES,)),
        ("hours", "u4", (HOURS,)),
        # per ten minutes: refused (403), failed (5xx), steps to the next id
        ("refused", "u2", (TENS,)),
        ("failed", "u2", (TENS,)),
        ("steps", "u2", (TENS,)),
        ("fresh", "u2", (TENS,)),
        # the last request's object, and whether it came from a new network
        ("object", "i8"),
        ("strange", "u1"),
        ("switched", "i8"),
        ("kinds", "u1"),
        ("kinds_new", "u1"),
        ("distinct", "u1", (64,)),
        # how unusual each hour of today would be, and what hours of yesterday and today were
        ("surprise", "u2", (HOURS,)),
        ("unusual", "u2", (2 * HOURS,)),
        ("highest", "f4", (len(SCALES),)),
        ("peaks", "u4", (5,)),
        # fusion: per family the strongest evidence that still counts, and what it was
        ("evidence", "i8", (len(FAMILIES),)),
        ("reason", "u1", (len(FAMILIES),)),
        ("observed", "f8", (len(FAMILIES),)),
        ("expected", "f8", (len(FAMILIES),)),
        ("severity", "u1"),
        ("alarmed", "u1"),
        ("families", "u1"),
        ("alerted", "i8"),
        # suspicious events: the first and the last of the running series, and their number
        ("suspect", "i8"),
        ("suspected", "i8"),
        ("suspects", "u4"),
        # the open session, and sums of today's closed ones
        ("session_hour", "i8"),
        ("session_counts", "u4", (6,)),
        ("session_sets", "u8", (3,)),
        ("session_today", "u2"),
        ("session_sums", "i8", (len(SESSION_FEATURES), 2)),
        # feedback: what more it takes to alert, the day (plus one) of a confirmed theft, and what
        # undoes the alarmed day that was learned last (its day plus one)
        ("tolerance", "f4"),
        ("stolen", "i4"),
        ("held_day", "i4"),
        ("held_hours", "f4", (HOURS,)),
        ("held_busiest", "f4", (5,)),
        ("held_calibration", "f4", (len(SCALES), 3)),
        # learned: requests an hour by kind of day and hour, active hours of the week
        ("requests", "f4", (2 * HOURS,)),
        ("exposure", "f4", (2,)),
        ("active", "f4", (7 * HOURS,)),
        ("busiest", "f4", (5,)),
        ("calibration", "f4", (len(SCALES), 3)),
        ("longest_gap_h", "f4"),
        ("sustained", "f4"),
        ("mature_days", "f4"),
        ("novelties", "f4", (5,)),
        ("sessions", "f4"),
        ("session_usual", "f4", (len(SESSION_FEATURES), 2)),
        *_table("prefix", PREFIXES, NEW_PREFIXES),
        *_table("asn", ASNS, NEW_ASNS),
        *_table("country", COUNTRIES, NEW_COUNTRIES),
        *_table("agent", AGENTS, NEW_AGENTS),
        *_table("endpoint", ENDPOINTS, NEW_ENDPOINTS),
        # since version 5: the busiest windows around the turn of a month, and the last such day
        ("turn", "u4", (5,)),
        ("turned", "i4"),
        # since version 6: where the key was used last (degrees), and when; of which key it took
        # the profile over
        ("spot", "f4", (2,)),
        ("spotted", "i8"),
        ("heir", "u4"),
        # since version 7: fingerprints of TLS hellos, and how many days brought a new one
        *_table("tls", TLS, NEW_TLS),
        ("tls_news", "f4"),
        # since version 8: events that wait to be scored; after a gap, since it goes by words. A row
        # of 4096 bytes would be slower: a field of all rows would then share few places of a cache
        ("gap", "u1", (2,)),
        ("pending", PENDING),
        # since version 9: AI tokens of the open day, of past days (number, sum and sum of squares
        # of logarithms), of the busiest; and what the last alarmed day that was learned has taught
        ("spent", "u4"),
        ("spends", "f4", (3,)),
        ("spent_most", "f4"),
        ("held_spent", "f4"),
    ]
)


Words = NDArray[np.uint64]
"""Rows as words, shape (k, WORDS)."""
WORDS = PROFILE.itemsize // WORD


def alarmed(rows: Rows) -> NDArray[np.bool_]:
    """Return of which profiles the open day has led to an alert of at least medium."""
    return np.asarray((rows["alerted"] // DAY_MS == rows["day"]) & (rows["families"] > 0), np.bool_)


def offset_of(name: str) -> int:
    """Return where a field stands in a row, in bytes."""
    fields = PROFILE.fields
    return int(fields[name][1]) if fields else 0


def latest(rows: Rows) -> NDArray[np.int64]:
    """Return the clocks of the keys of some profiles: of the last event that waits, if any does."""
    clock = rows["clock"].astype(np.int64)
    held = rows["pending"]
    some = np.flatnonzero(held["count"])
    clock[some] = last_of(held[some])
    return clock


def last_of(held: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the time of the last event that waits, of those of which one does."""
    moment = held["events"]["moment"]
    last = moment[np.arange(len(held)), held["count"].astype(np.int64) - 1]
    return np.asarray((held["open"].astype(np.int64) - 1) * DAY_MS + (last >> BITS), np.int64)


def blank(count: int) -> Rows:
    """Return rows of keys that were never seen."""
    rows = np.zeros(count, PROFILE)
    rows["day"] = -1
    return rows


def words_of(rows: Rows) -> Words:
    """Return the same memory as words."""
    return rows.view(np.uint64).reshape(len(rows), WORDS)


def rows_of(words: Words) -> Rows:
    """Return the same memory as rows."""
    return words.view(PROFILE).reshape(len(words))


def picked(rows: Rows, which: NDArray[np.int64]) -> Rows:
    """Return copies of some rows; numpy itself would copy them field by field."""
    return rows_of(words_of(rows).take(which, axis=0))
