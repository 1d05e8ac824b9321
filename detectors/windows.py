"""Counts in sliding windows, exactly, whatever the batches: whole numbers, no decay."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vocabulary.access import Codes, Ints

_WIDEST = np.int64(1) << 40
"""More seconds than any gap: keeps the keys apart in one sorted column."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts after each event, and the rings to remember.

    Attributes:
        counts: per width, shape (n,): weight in the last `width` buckets, this event included.
        ring: shape (k, r), newest bucket first.
    """

    counts: tuple[Ints, ...]
    ring: Ints


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
    place = row.astype(np.int64) * _WIDEST + shift
    counts = []
    for width in widths:
        from_new = total - before[np.searchsorted(place, place - width, side="right")]
        reach = width - 1 - shift
        from_past = np.where(reach >= 0, past[row, np.maximum(reach, 0)], 0)
        counts.append(from_new + from_past)
    return Counted(tuple(counts), _rolled(row, shift, weight, ring))


def _rolled(row: Codes, shift: Ints, weight: Ints, ring: NDArray[np.integer]) -> Ints:
    """Move the rings on to each key's last event, and add the batch to them."""
    keys, size = ring.shape
    last = np.flatnonzero(np.append(row[1:] != row[:-1], True))
    moved = shift[last]
    source = np.arange(size) - moved[:, None]
    kept = np.where(source >= 0, np.take_along_axis(ring, np.maximum(source, 0), axis=1), 0).astype(
        np.int64
    )
    age = moved[row] - shift
    recent = age < size
    flat = row[recent].astype(np.int64) * size + age[recent]
    added = np.bincount(flat, weights=weight[recent], minlength=keys * size)
    return kept + added.astype(np.int64).reshape(keys, size)
