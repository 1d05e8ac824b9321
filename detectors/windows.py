"""Counts in sliding windows, exactly, whatever the batches: whole numbers, no decay."""

from collections.abc import Sequence
from functools import cached_property, reduce

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from detectors.clocks import renumbered, segment_starts
from detectors.profile import Rows
from vocabulary.access import Codes, Flags, Ints

_WIDEST = np.int64(1) << 40
"""More seconds than any gap: keeps the keys apart in one sorted column."""


class Counted:
    """Counts after each event, and the rings to remember.

    Attributes:
        counts: per width, shape (n,): weight in the last `width` buckets, this event included.
    """

    def __init__(
        self,
        counts: tuple[Ints, ...],
        row: Codes,
        shift: Ints,
        weight: Ints,
        ring: NDArray[np.integer],
    ) -> None:
        self.counts = counts
        self._row, self._shift, self._weight, self._ring = row, shift, weight, ring

    @cached_property
    def ring(self) -> NDArray[np.integer]:
        """Return the rings, shape (k, r), newest bucket first; a count stops at its type's end."""
        return _rolled(self._row, self._shift, self._weight, self._ring)


def count(
    row: Codes,
    bucket: Ints,
    weight: Ints,
    ring: NDArray[np.integer],
    head: Ints,
    widths: Sequence[int],
) -> Counted:
    """Count the weights of events in windows that end at each event's bucket.

    Args:
        row: shape (n,), index of each event's key, never decreasing, every key present.
        bucket: shape (n,), time divided by the bucket's length, never decreasing within a key.
        weight: shape (n,), not negative.
        ring: shape (k, r), counts of the past, newest first; none is younger than the batch.
        head: shape (k,), bucket of the ring's first column.
        widths: windows in buckets, at most r.
    """
    total = np.cumsum(weight, dtype=np.int64)
    before = np.concatenate((np.zeros(1, np.int64), total))
    shift = np.minimum(bucket - head[row], _WIDEST >> 1)
    starts = segment_starts(row)
    # Most windows reach back to before the batch: then all of a key's events so far are inside.
    since_first = shift - shift[starts][row]
    of_batch = total - before[starts][row]
    past = _past(ring, shift[starts])
    counts = []
    for width in widths:
        found = _inside(row, shift, since_first, width, total, before, of_batch)
        if past is not None:
            sums, index = past
            # Column 0 stands for a window that does not reach the past, row 0 for none to reach.
            found = found + sums[index[row], np.maximum(width - shift, 0)]
        counts.append(found)
    return Counted(tuple(counts), row, shift, weight, ring)


def flagged(
    rows: Rows, ring: str, row: Codes, bucket: Ints, flag: Flags, length_ms: int, width: int
) -> Ints:
    """Count flagged events in a window that ends at each event, and roll the rings on in place.

    Most keys have none and had none lately: nothing is computed for those.

    Args:
        rows: the profiles.
        ring: name of the ring.
        row: as for `count`.
        bucket: as for `count`.
        flag: shape (n,).
        length_ms: of a bucket.
        width: of the window, in buckets.
    """
    kept = np.ascontiguousarray(rows[ring])
    some = reduce(np.bitwise_or, kept.T) != 0
    some[row[flag]] = True
    found = np.zeros(len(row), np.int64)
    which = np.flatnonzero(some[row])
    if len(which):
        used, few = renumbered(row[which])
        head, weight = rows["clock"][used] // length_ms, flag[which].astype(np.int64)
        counted = count(few, bucket[which], weight, kept[used], head, (width,))
        found[which] = counted.counts[0]
        rows[ring][used] = counted.ring
    return found


def _past(ring: NDArray[np.integer], shift: Ints) -> tuple[Ints, Ints] | None:
    """Return sums over the newest 0, 1, … buckets, and each key's row of them; row 0 is zero.

    Of most keys the ring holds nothing that the events are near to: those share row 0, and where
    all do there is nothing to return.
    """
    keys, size = ring.shape
    live = _near(ring, shift)
    if not len(live):
        return None
    sums = np.zeros((len(live) + 1, size + 1), np.int64)
    np.cumsum(ring[live], axis=1, out=sums[1:, 1:])
    index = np.zeros(keys, np.int64)
    index[live] = np.arange(1, len(live) + 1)
    return sums, index


def _near(ring: NDArray[np.integer], moved: Ints) -> Ints:
    """Return of which keys the ring is not empty once it has moved on so far."""
    size = ring.shape[1]
    near = np.flatnonzero(moved < size)
    if size <= SMALL and len(near):
        # Column by column: numpy takes longer for many short sums than for few long ones.
        near = near[reduce(np.bitwise_or, ring[near].T) != 0]
    return near


SMALL = 12
"""Rings of so few buckets are looked through before anything is done with them."""


def _inside(
    row: Codes, shift: Ints, since_first: Ints, width: int, total: Ints, before: Ints, all_new: Ints
) -> Ints:
    """Return the weight of the batch's own events in the window that ends at each event."""
    far = np.flatnonzero(since_first >= width)
    if not len(far):
        return all_new
    place = row.astype(np.int64) * _WIDEST + shift
    found = all_new.copy()
    found[far] = total[far] - before[np.searchsorted(place, place[far] - width, side="right")]
    return found


def _rolled(
    row: Codes, shift: Ints, weight: Ints, ring: NDArray[np.integer]
) -> NDArray[np.integer]:
    """Move the rings on to each key's last event, and add the batch to them."""
    keys, size = ring.shape
    moved = shift[np.append(segment_starts(row)[1:], len(row)) - 1]
    kept = np.zeros((keys, size), ring.dtype)
    live = _near(ring, moved)
    if len(live):
        # Each ring behind as many zeros: the ring moved on is a window that begins earlier.
        padded = np.zeros((len(live), 2 * size), ring.dtype)
        padded[:, size:] = ring[live]
        begin = np.arange(len(live)) * (2 * size) + size - moved[live]
        kept[live] = sliding_window_view(padded.ravel(), size)[begin]
    if not weight.any():
        return kept
    runs = np.flatnonzero(
        np.concatenate(([True], (row[1:] != row[:-1]) | (shift[1:] != shift[:-1])))
    )
    sums, key = np.add.reduceat(weight, runs), row[runs]
    age = moved[key] - shift[runs]
    new = np.flatnonzero((age < size) & (sums > 0))
    key, age = key[new], age[new]
    most = int(np.iinfo(ring.dtype).max)
    kept[key, age] = np.minimum(kept[key, age].astype(np.int64) + sums[new], most)
    return kept
