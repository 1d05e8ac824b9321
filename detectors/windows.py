"""Counts in sliding windows, exactly, whatever the batches: whole numbers, no decay."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from detectors.clocks import segment_starts
from vocabulary.access import Codes, Ints

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
    past = np.cumsum(ring, axis=1, dtype=np.int64)
    total = np.cumsum(weight, dtype=np.int64)
    before = np.concatenate((np.zeros(1, np.int64), total))
    shift = np.minimum(bucket - head[row], _WIDEST >> 1)
    starts = segment_starts(row)
    # Most windows reach back to before the batch: then all of a key's events so far are inside.
    since_first = shift - shift[starts][row]
    of_batch = total - before[starts][row]
    counts = []
    for width in widths:
        from_new = _inside(row, shift, since_first, width, total, before, of_batch)
        reach = width - 1 - shift
        from_past = np.where(reach >= 0, past[row, np.maximum(reach, 0)], 0)
        counts.append(from_new + from_past)
    return Counted(tuple(counts), row, shift, weight, ring)


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
    # Each ring behind as many zeros: the ring moved on is a window that begins earlier.
    padded = np.zeros((keys, 2 * size), ring.dtype)
    padded[:, size:] = ring
    begin = np.arange(keys) * (2 * size) + size - np.minimum(moved, size)
    kept: NDArray[np.integer] = sliding_window_view(padded.ravel(), size)[begin]
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
