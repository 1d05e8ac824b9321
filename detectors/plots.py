"""Where the rows of all keys lie in memory: in plots that never move, each twice the one before.

One array would have to be moved whenever it grows, and what it grows into is touched at once. A
plot is asked of the system when all others are full and takes no memory but where rows are.
"""

import mmap
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import numpy as np

from detectors.profile import PROFILE, WORD, WORDS, Words, offset_of
from vocabulary.access import Ints

FIRST = 1 << 13
"""Rows of the first plot: 30 MB, enough for the system to give pages of 2 MB."""


class Plots:
    """Rows, as words, by number; number 0 stands for no row."""

    def __init__(self) -> None:
        self._plots: list[Words] = []
        self._edges = [0]
        self._used = 1
        self._free: list[int] = []

    def one(self, at: int) -> Words:
        """Return a row in its place, shape (WORDS,)."""
        i = bisect_right(self._edges, at) - 1
        row: Words = self._plots[i][at - self._edges[i]]
        return row

    def taken(self, at: Ints) -> Words:
        """Return copies of rows, shape (k, WORDS); quickest where their numbers increase."""
        rows = np.empty((len(at), WORDS), np.uint64)
        for plot, which, place in self._parts(at):
            if isinstance(which, slice):
                # With "clip" numpy writes into `out` at once; no place is outside.
                plot.take(place, axis=0, out=rows[which], mode="clip")
            else:
                rows[which] = plot[place]
        return rows

    def put(self, at: Ints, rows: Words) -> None:
        """Put rows, shape (k, WORDS), to where those of these distinct numbers are."""
        for plot, which, place in self._parts(at):
            plot[place] = rows[which]

    def field(self, at: Ints, name: str) -> np.ndarray:
        """Return copies of one field of rows, as records that numpy does not look into."""
        found = np.empty(len(at), f"V{PROFILE[name].itemsize}")
        for plot, which, place in self._parts(at):
            found[which] = _field(plot, name)[place]
        return found

    def put_field(self, at: Ints, name: str, values: np.ndarray) -> None:
        """Put one field of rows of distinct numbers, as `field` gives it."""
        for plot, which, place in self._parts(at):
            _field(plot, name)[place] = values[which]

    def more(self, count: int) -> Ints:
        """Return the numbers of so many rows that are nobody's, whatever is in them."""
        again = min(len(self._free), count)
        found = self._free[len(self._free) - again :]
        del self._free[len(self._free) - again :]
        begin, self._used = self._used, self._used + count - again
        while self._used > self._edges[-1]:
            size = max(self._edges[-1], FIRST)
            self._plots.append(_zeros(size))
            self._edges.append(self._edges[-1] + size)
        return np.array(found + list(range(begin, self._used)), np.int64)

    def free(self, at: Ints) -> None:
        """Give numbers back."""
        self._free += at.tolist()

    def _parts(self, at: Ints) -> Iterator[tuple[Words, slice | Ints, Ints]]:
        """Yield each plot that some rows are in, which of them, and where in it."""
        rising = bool((at[1:] > at[:-1]).all())
        order = None if rising else np.argsort(at, kind="stable")
        ends = np.searchsorted(at if order is None else at[order], self._edges)
        for i, (begin, end) in enumerate(pairwise(ends.tolist())):
            if begin < end:
                which = slice(begin, end) if order is None else order[begin:end]
                yield self._plots[i], which, at[which] - self._edges[i]


def _field(plot: Words, name: str) -> np.ndarray:
    """Return the same memory as one field, shape (rows,)."""
    one = np.dtype(
        {
            "names": [name],
            "formats": [f"V{PROFILE[name].itemsize}"],
            "offsets": [offset_of(name)],
            "itemsize": PROFILE.itemsize,
        }
    )
    found: np.ndarray = plot.view(one).reshape(len(plot))[name]
    return found


def _zeros(rows: int) -> Words:
    """Return a plot of its own pages: given by the system, and given back to it as a whole.

    The allocator would soon take even plots from its heap: there it zeroes all of a plot itself,
    and what is freed may stay.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return np.zeros((rows, WORDS), np.uint64)
    memory = mmap.mmap(-1, rows * WORDS * WORD, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(AttributeError, OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint64).reshape(rows, WORDS)
