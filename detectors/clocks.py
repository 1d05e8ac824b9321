"""Each key's own clock: the running maximum of its events' times, in order of arrival."""

from dataclasses import dataclass

import numpy as np

from vocabulary.access import Codes, Flags, Ints


@dataclass(frozen=True, slots=True)
class Clocked:
    """Events with their times on their keys' clocks.

    Attributes:
        t: shape (n,), effective epoch milliseconds, never decreasing within a key.
        late: shape (n,), True for events too far behind their key's clock.
    """

    t: Ints
    late: Flags


def effective(row: Codes, ts_ms: Ints, clock: Ints, lateness_ms: int) -> Clocked:
    """Put events on their keys' clocks.

    Args:
        row: shape (n,), index of each event's key, never decreasing.
        ts_ms: shape (n,), the times that the events claim, not negative.
        clock: shape (k,), the keys' clocks before the batch; 0 for a new key.
        lateness_ms: how far behind its key's clock an event may be.
    """
    start = segment_starts(row)
    lifted = ts_ms.copy()
    lifted[start] = np.maximum(ts_ms[start], clock[row[start]])
    running = running_maximum(row, lifted)
    return Clocked(running, ts_ms < running - lateness_ms)


def segment_starts(row: Codes) -> Ints:
    """Return the index of the first event of each key; `row` never decreases."""
    if not len(row):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))


def renumbered(row: Codes) -> tuple[Ints, Codes]:
    """Return the rows that occur, in order, and for each event which of them it is of."""
    starts = segment_starts(row)
    lengths = np.diff(np.append(starts, len(row)))
    return row[starts].astype(np.int64), np.repeat(np.arange(len(starts), dtype=np.int32), lengths)


def reordered(which: Ints, row: Codes, order: Ints) -> tuple[Ints, Codes]:
    """Return events sorted by key for keys in another order, and the rows they then are of.

    Args:
        which: shape (n,), the events, sorted by row.
        row: shape (n,), never decreasing, every row present.
        order: shape (k,), the rows as they are to follow one another.
    """
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    new = rank[row]
    by_rank = np.argsort(new, kind="stable")
    return which[by_rank], new[by_rank]


def running_maximum(row: Codes, values: Ints) -> Ints:
    """Return the largest value so far within each segment, exactly.

    Values are lifted by segment so that one pass over the whole column does it; they must span
    less than 2**63 / number of segments.
    """
    if not len(values):
        return values
    low = values.min()
    span = np.int64(values.max() - low + 1)
    lift = row.astype(np.int64) * span
    highest = np.maximum.accumulate(values - low + lift)
    return np.asarray(highest - lift + low, np.int64)


def running_index(row: Codes, marked: Flags) -> Ints:
    """Return for each event the index of the last marked one so far in its segment, or -1."""
    index = np.where(marked, np.arange(len(marked)), -1)
    latest = np.maximum.accumulate(index) if len(index) else index
    starts = segment_starts(row)
    first = np.repeat(starts, np.diff(np.append(starts, len(row))))
    return np.where(latest >= first, latest, -1)
