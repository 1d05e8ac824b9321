"""Where hyperscan says that something may end, sorted to what it may be and to its text."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import hyperscan
import msgspec

from scanner.batch import Batch
from scanner.compiled import Compiled

Hits = dict[int, list[int]]
"""Ends, by the number of what they mean (see `Compiled.meanings`)."""
_SLACK = 1  # a pattern may take in the byte after a text as context


class Spotter(msgspec.Struct):
    """One thread's way to run hyperscan.

    Attributes:
        scratch: for the database of all patterns.
    """

    patterns: Compiled
    scratch: hyperscan.Scratch
    _aside: dict[int, hyperscan.Scratch] = msgspec.field(default_factory=dict)

    def hits(self, batch: Batch) -> Hits:
        """Return where patterns end in a batch."""
        hits: Hits = {}

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hits.setdefault(number, []).append(end)

        view: Any = batch.data  # its stubs know neither bytearray nor memoryview
        if batch.used < len(batch.data):
            view = memoryview(batch.data)[: batch.used]
        self.patterns.database.scan(view, note, scratch=self.scratch)
        meant: Hits = {}
        for pattern, ends in hits.items():
            self._meaning(batch, pattern, ends, meant)
        for number in self.patterns.everywhere:
            meant[number] = list(batch.ends)
        return meant

    def _meaning(self, batch: Batch, pattern: int, ends: list[int], meant: Hits) -> None:
        """Sort the hits of a pattern to what it stands for."""
        numbers = self.patterns.meanings[pattern]
        if len(numbers) == 1:
            meant.setdefault(numbers[0], []).extend(ends)
            return
        family = self.patterns.families[pattern]
        if pattern not in self._aside:
            self._aside[pattern] = hyperscan.Scratch(family.database)
        told = family.told_apart(batch.data, ends, batch.used, self._aside[pattern])
        for number, near in told.items():
            meant.setdefault(number, []).extend(near)


def by_text(batch: Batch, ends: list[int]) -> Iterator[tuple[int, list[int]]]:
    """Group hits by the text in which they lie; those between texts are dropped."""
    ends.sort()
    at = 0
    while at < len(ends):
        text = bisect_left(batch.ends, ends[at] - _SLACK)
        if text == len(batch.ends):
            return
        begin = at
        limit = batch.ends[text] + _SLACK
        while at < len(ends) and ends[at] <= limit:
            at += 1
        inside = [end for end in ends[begin:at] if end > batch.starts[text]]
        if inside:
            yield text, inside
