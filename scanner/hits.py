"""Where hyperscan says that something may end, sorted to what it may be and to its text."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import hyperscan
import msgspec

from scanner.batch import Batch
from scanner.compiled import SILENT, Compiled, Loaded

Hits = dict[int, list[int]]
"""Ends, by the number of what they mean: of a rule, or, counted on from those, of what a trigger
announces (see `compiled.Part`)."""
_SLACK = 1  # a pattern may take in the byte after a text as context


class Spotter(msgspec.Struct):
    """One thread's way to run hyperscan."""

    patterns: Compiled
    _scratch: dict[int, hyperscan.Scratch] = msgspec.field(default_factory=dict)

    def hits(self, batch: Batch) -> Hits:
        """Return where patterns end in a batch."""
        meant: Hits = {}
        for part in self.patterns.parts:
            for pattern, ends in self._ends(part.database, batch).items():
                self._meaning(batch, part, pattern, ends, meant)
        for number in self.patterns.everywhere:
            meant[number] = list(batch.ends)
        return meant

    def _ends(self, database: hyperscan.Database, batch: Batch) -> Hits:
        """Return where patterns of a database end, by their number."""
        hits: Hits = {}

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hits.setdefault(number, []).append(end)

        view: Any = batch.data  # its stubs know neither bytearray nor memoryview
        if batch.used < len(batch.data):
            view = memoryview(batch.data)[: batch.used]
        database.scan(view, note, scratch=self._scratch_of(database))
        return hits

    def _meaning(
        self, batch: Batch, part: Loaded, pattern: int, ends: list[int], meant: Hits
    ) -> None:
        """Sort the hits of a pattern to what it stands for."""
        if pattern >= len(part.meanings):
            kind = part.triggers[pattern - len(part.meanings)]
            if kind != SILENT:
                meant.setdefault(len(self.patterns.bounds) + kind, []).extend(ends)
        elif (numbers := part.meanings[pattern]) and pattern in part.families:
            family = part.families[pattern]
            scratch = self._scratch_of(family.database)
            told = family.told_apart(batch.data, ends, batch.used, scratch)
            for number, near in told.items():
                meant.setdefault(number, []).extend(near)
        else:
            for number in numbers:
                meant.setdefault(number, []).extend(ends)

    def _scratch_of(self, database: hyperscan.Database) -> hyperscan.Scratch:
        scratch = self._scratch.get(id(database))
        if scratch is None:
            scratch = self._scratch[id(database)] = hyperscan.Scratch(database)
        return scratch


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
