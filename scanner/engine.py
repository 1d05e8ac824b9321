"""The engine: texts in, matches out. One pass of hyperscan over many texts laid end to end."""

import io
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any

import hyperscan
import msgspec
from msgspec.structs import replace

from scanner import archive
from scanner.compiled import Compiled, compiled
from scanner.confirm import Confirmed, Confirmer, Data, Memory
from scanner.decode import ENCODINGS, MAX_DEPTH
from scanner.ignore import ignored
from scanner.match import Match
from scanner.region import Region
from scanner.rules import RuleSet
from scanner.windows import MARGIN, Window

_SLACK = 1  # a pattern may take in the byte after a text as context


class Batch(msgspec.Struct):
    """Texts in one buffer, with at least one byte that is no letter before and after each.

    Attributes:
        data: the buffer.
        used: bytes of it that are filled.
        starts, ends, names: of the texts, ascending.
        window: set when the buffer holds a window of a single text.
        counted: beginning of a text, a position in it, and the line breaks between them.
    """

    data: Data
    used: int
    starts: Sequence[int]
    ends: Sequence[int]
    names: Sequence[bytes]
    window: Window | None = None
    counted: tuple[int, int, int] = (0, 0, 0)

    def line(self, low: int, at: int) -> int:
        """Count the line breaks between `low` and `at`, on from where they were counted last."""
        begun, reached, lines = self.counted
        if begun != low or at < reached:
            reached, lines = low, 0
        lines += self.data.count(b"\n", reached, at)
        self.counted = (low, at, lines)
        return lines


def batch_of(text: bytes, name: bytes = b"") -> Batch:
    """Wrap a single text."""
    return Batch(text, len(text), (0,), (len(text),), (name,))


def window_batch(window: Window, name: bytes) -> Batch:
    """Wrap a window of a longer text."""
    size = len(window.data)
    return Batch(window.data, size, (0,), (size,), (name,), window)


class Tally(msgspec.Struct):
    """What the engine did beside finding things.

    Attributes:
        ignored: inline marks that hid a match.
        left_out: why something was not read → (how often, first name).
        opened: containers by kind.
        unfolded: bytes that were decompressed.
        doubtful: names of texts that hold something hidden, or were not read whole.
    """

    ignored: int = 0
    left_out: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)
    opened: Counter[str] = msgspec.field(default_factory=Counter)
    unfolded: int = 0
    doubtful: set[str] = msgspec.field(default_factory=set)

    def leave_out(self, reason: str, name: str) -> None:
        """Count something that was not read."""
        self.doubtful.add(name)
        count, first = self.left_out.get(reason, (0, name))
        self.left_out[reason] = (count + 1, first)

    def add(self, other: "Tally") -> None:
        """Take over the counts of another thread."""
        self.ignored += other.ignored
        self.opened.update(other.opened)
        self.unfolded += other.unfolded
        self.doubtful |= other.doubtful
        for reason, (count, first) in other.left_out.items():
            before, name = self.left_out.get(reason, (0, first))
            self.left_out[reason] = (before + count, name)


class Engine(msgspec.Struct, frozen=True):
    """A rule set ready to scan; shared by threads, each with a `Searcher` of its own.

    Attributes:
        inline_ignores: whether marks in the text are honoured.
    """

    ruleset: RuleSet
    patterns: Compiled
    confirmers: tuple[Confirmer, ...]
    inline_ignores: bool = True

    def searcher(self) -> "Searcher":
        """Return what one thread scans with."""
        return Searcher(self, hyperscan.Scratch(self.patterns.database))

    def search(self, text: bytes, name: str = "") -> list[Match]:
        """Scan one text."""
        return self.searcher().search(batch_of(text, os.fsencode(name)))


def engine_of(ruleset: RuleSet, *, inline_ignores: bool = True, cached: bool = True) -> Engine:
    """Compile a rule set, or take its compiled form from the cache."""
    memory: Memory = {}
    patterns = compiled(ruleset, cached=cached)
    loose = {*patterns.by_keyword, *patterns.everywhere}
    confirmers = tuple(
        Confirmer(rule, memory, exact=number not in loose)
        for number, rule in enumerate(ruleset.rules)
    )
    return Engine(ruleset, patterns, confirmers, inline_ignores)


class _Origin(msgspec.Struct, frozen=True):
    """How a text that was decoded or unpacked came about."""

    decoding: tuple[str, ...] = ()
    archives: int = 0


_ROOT = _Origin()
Hits = dict[int, list[int]]


class Trace(msgspec.Struct, frozen=True):
    """What led to a match, or would have but for a mark in the text.

    Attributes:
        number: of what hyperscan saw.
        ends: where it saw that.
        low, high: of the match, context included.
        far: whether more than the lines around it bear on it.
    """

    number: int
    ends: tuple[int, ...]
    low: int
    high: int
    far: bool = False


class Searcher(msgspec.Struct):
    """One thread's way to scan: scratch space and counts."""

    engine: Engine
    scratch: hyperscan.Scratch
    tally: Tally = msgspec.field(default_factory=Tally)
    _decoded: dict[tuple[str, bytes], list[Match]] = msgspec.field(default_factory=dict)
    _aside: dict[int, hyperscan.Scratch] = msgspec.field(default_factory=dict)

    def search(self, batch: Batch) -> list[Match]:
        """Return the matches in a batch; of those that overlap the strongest."""
        return list(self._search(batch, _ROOT))

    def _search(self, batch: Batch, origin: _Origin, *, opened: bool = False) -> Iterator[Match]:
        """Yield matches; `opened` where archives among the texts have been opened already."""
        hits = self.hits(batch)
        if hits:
            yield from self._judged(batch, hits, origin, None, opened=opened)

    def judged(self, batch: Batch, hits: Hits, traces: list[Trace]) -> Iterator[Match]:
        """Yield what stands at the hits of a batch.

        Args:
            batch: of one text.
            hits: where it may be, ascending.
            traces: is filled with what led to matches, and to what was near to one.
        """
        yield from self._judged(batch, hits, _ROOT, traces)

    def _judged(
        self,
        batch: Batch,
        hits: Hits,
        origin: _Origin,
        traces: list[Trace] | None,
        *,
        opened: bool = False,
    ) -> Iterator[Match]:
        found = self._found(batch, hits, origin, traces)
        inside: dict[int, set[bytes]] = {}
        for number, ends in ({} if opened else self._containers(hits)).items():
            for text, match in self._unpacked(batch, archive.CONTAINERS[number], ends, origin):
                inside.setdefault(text, set()).add(match.secret)
                yield match
        for text, matches_of in found.items():
            for match in _settled(matches_of):
                # what lies open in an archive is told under its member's name alone
                if match.secret not in inside.get(text, ()):
                    yield replace(match, decoding=(*origin.decoding, *match.decoding))

    def _found(
        self, batch: Batch, hits: Hits, origin: _Origin, traces: list[Trace] | None
    ) -> dict[int, list[Match]]:
        """Return the matches of each text, as it is and decoded."""
        rules = len(self.engine.ruleset.rules)
        found: dict[int, list[Match]] = {}
        for number, ends in sorted(hits.items()):  # of equals the first rule stands, everywhere
            if number < rules:
                matches = self._confirmed(batch, number, ends, traces)
            elif number < rules + len(ENCODINGS) and len(origin.decoding) < MAX_DEPTH:
                matches = self._decoded_of(batch, number - rules, ends, origin, traces)
            else:
                continue
            for text, match in matches:
                found.setdefault(text, []).append(match)
        return found

    def _containers(self, hits: Hits) -> Hits:
        """Return the hits of containers, by their number among those."""
        first = len(self.engine.ruleset.rules) + len(ENCODINGS)
        return {number - first: ends for number, ends in hits.items() if number >= first}

    def hits(self, batch: Batch) -> Hits:
        """Run hyperscan; where patterns end, by the number of what they mean."""
        hits: Hits = {}

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hits.setdefault(number, []).append(end)

        view: Any = batch.data  # its stubs know neither bytearray nor memoryview
        if batch.used < len(batch.data):
            view = memoryview(batch.data)[: batch.used]
        self.engine.patterns.database.scan(view, note, scratch=self.scratch)
        meant: Hits = {}
        for pattern, ends in hits.items():
            self._meaning(batch, pattern, ends, meant)
        for number in self.engine.patterns.everywhere:
            meant[number] = list(batch.ends)
        return meant

    def _meaning(self, batch: Batch, pattern: int, ends: list[int], meant: Hits) -> None:
        """Sort the hits of a pattern to what it stands for."""
        numbers = self.engine.patterns.meanings[pattern]
        if len(numbers) == 1:
            meant.setdefault(numbers[0], []).extend(ends)
            return
        family = self.engine.patterns.families[pattern]
        if pattern not in self._aside:
            self._aside[pattern] = hyperscan.Scratch(family.database)
        told = family.told_apart(batch.data, ends, batch.used, self._aside[pattern])
        for number, near in told.items():
            meant.setdefault(number, []).extend(near)

    def _by_text(self, batch: Batch, ends: list[int]) -> Iterator[tuple[int, list[int]]]:
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

    def _confirmed(
        self, batch: Batch, number: int, ends: list[int], traces: list[Trace] | None
    ) -> Iterator[tuple[int, Match]]:
        confirmer = self.engine.confirmers[number]
        for text, inside in self._by_text(batch, ends):
            if traces is not None and confirmer.far:
                traces.append(Trace(number, tuple(inside), 0, 0, far=True))
            low, high = batch.starts[text], batch.ends[text]
            seen: set[int] = set()
            for base, found in confirmer.around(batch.data, inside, low, high):
                start, end = base + found.start, base + found.end
                if start in seen or start < low or end > high or not _reported(batch, start, end):
                    continue
                seen.add(start)
                if traces is not None:
                    traces.append(_trace(number, confirmer, inside, base, found))
                if self._hidden(batch, text, start, end):
                    continue
                yield text, _match(batch, text, confirmer, found, (start, end))

    def _hidden(self, batch: Batch, text: int, start: int, end: int) -> bool:
        low, high = batch.starts[text], batch.ends[text]
        if self.engine.inline_ignores and ignored(batch.data, start, end, low, high):
            self.tally.ignored += 1
            self.tally.doubtful.add(os.fsdecode(batch.names[text]))
            return True
        return False

    def _decoded_of(
        self,
        batch: Batch,
        number: int,
        ends: list[int],
        origin: _Origin,
        traces: list[Trace] | None,
    ) -> Iterator[tuple[int, Match]]:
        encoding = ENCODINGS[number]
        for text, inside in self._by_text(batch, ends):
            low, high, done = batch.starts[text], batch.ends[text], 0
            for end in inside:
                if end <= done or end > high:
                    continue
                region = encoding.decode(batch.data, end, low, high)
                if region is None or not region.text:
                    continue
                done = region.end
                found = list(self._within(batch, text, encoding.name, region, origin))
                if found and traces is not None:
                    number_ = len(self.engine.ruleset.rules) + number
                    traces.append(Trace(number_, (end,), region.start, region.end))
                for match in found:
                    yield text, match

    def _within(
        self, batch: Batch, text: int, encoding: str, region: Region, origin: _Origin
    ) -> Iterator[Match]:
        """Scan decoded text; what is in it stands where the encoded run stands."""
        key = (encoding, region.text)
        inner = self._decoded.get(key)
        if inner is None:
            below = _Origin((*origin.decoding, encoding), origin.archives)
            inner = [
                replace(match, decoding=match.decoding[len(origin.decoding) :])
                for match in self._search(batch_of(region.text), below)
            ]
            if len(self._decoded) > _REMEMBERED:
                self._decoded.clear()
            self._decoded[key] = inner
        if region.spots:
            yield from self._mapped(batch, text, inner, region)
            return
        if not inner or not _reported(batch, region.start, region.end):
            return
        _low, _high = batch.starts[text], batch.ends[text]
        plain = bytes(batch.data[region.start : region.end])
        new = [match for match in inner if match.secret not in plain]
        if new and self._hidden(batch, text, region.start, region.end):
            return
        for match in new:
            yield _moved(batch, text, match, region, wide=encoding == "utf-16")

    def _mapped(
        self, batch: Batch, text: int, inner: Sequence[Match], region: Region
    ) -> Iterator[Match]:
        """Give matches in a text that was only rearranged the places that they had before."""
        _low, _high = batch.starts[text], batch.ends[text]
        for match in inner:
            start, end = region.was_at(match.start), region.was_at(match.end - 1) + 1
            if _reported(batch, start, end) and not self._hidden(batch, text, start, end):
                yield _placed(batch, text, match, (start, end))

    def _unpacked(
        self, batch: Batch, kind: archive.Container, ends: list[int], origin: _Origin
    ) -> Iterator[tuple[int, Match]]:
        """Open the texts that are containers."""
        for text, inside in self._by_text(batch, ends):
            low, high, name = batch.starts[text], batch.ends[text], batch.names[text]
            if inside[0] != low + kind.at or (batch.window and not batch.window.first):
                continue
            if batch.window and (batch.window.opened or not batch.window.last):
                if not batch.window.opened:
                    self.tally.leave_out("archive is too large to be opened", os.fsdecode(name))
                continue
            raw = io.BytesIO(bytes(batch.data[low:high]))
            for match in self.open(kind, raw, name, origin):
                yield text, match

    def open(
        self, kind: archive.Container, raw: IO[bytes], name: bytes, origin: _Origin = _ROOT
    ) -> Iterator[Match]:
        """Scan the members of an archive, which is read from where it stands."""
        budget = archive.Budget(_size(raw))
        for piece in archive.unfold(kind, raw, budget, depth=origin.archives + 1):
            names = [os.fsencode(inner) for inner in piece.names]
            data = piece.data
            inner = Batch(data, len(data), piece.starts, piece.ends, names, piece.window)
            below = _Origin((*origin.decoding, *piece.kinds), piece.depth)
            for match in self._search(inner, below, opened=True):
                yield replace(match, item=os.fsdecode(name), inside=match.item + match.inside)
        self.tally.opened.update(budget.opened)
        self.tally.unfolded += budget.used
        for note in budget.notes:
            # an encoded archive that is cut short is an example in a text, not an archive
            if not (origin.decoding and "damaged" in note):
                self.tally.leave_out(note, os.fsdecode(name))


_REMEMBERED = 2_000


def _trace(
    number: int, confirmer: Confirmer, ends: list[int], base: int, found: Confirmed
) -> Trace:
    low, high = base + found.match_start, base + found.match_end
    first = bisect_left(ends, low - confirmer.reach)
    last = bisect_left(ends, high + confirmer.reach + 1)
    return Trace(number, tuple(ends[first:last]), low, high, far=confirmer.far)


def _reported(batch: Batch, start: int, end: int) -> bool:
    """Say whether this window, of those that overlap here, is the one to report a match."""
    window = batch.window
    if window is None:
        return True
    return (window.first or start >= MARGIN) and (window.last or end <= batch.used - MARGIN)


def _placed(batch: Batch, text: int, match: Match, span: tuple[int, int]) -> Match:
    """Move a match to another place of the text."""
    start, end = span
    low, data = batch.starts[text], batch.data
    before = batch.window.line if batch.window else 0
    offset = batch.window.offset if batch.window else 0
    line = before + batch.line(low, start) + 1
    return replace(
        match,
        item=os.fsdecode(batch.names[text]),
        start=offset + start - low,
        end=offset + end - low,
        line=line,
        column=start - max(data.rfind(b"\n", low, start) + 1, low) + 1,
        end_line=line + data.count(b"\n", start, end),
    )


def _match(
    batch: Batch, text: int, confirmer: Confirmer, found: Confirmed, span: tuple[int, int]
) -> Match:
    start, end = span
    low, data = batch.starts[text], batch.data
    before = batch.window.line if batch.window else 0
    offset = batch.window.offset if batch.window else 0
    line = before + batch.line(low, start) + 1
    column = start - max(data.rfind(b"\n", low, start) + 1, low) + 1
    return Match(
        rule=confirmer.rule,
        secret=bytes(data[start:end]),
        item=os.fsdecode(batch.names[text]),
        start=offset + start - low,
        end=offset + end - low,
        line=line,
        column=column,
        end_line=line + data.count(b"\n", start, end),
        confidence=found.confidence,
        checksum=found.checksum,
        reasons=found.reasons,
        label=found.label,
        candidate=found.candidate,
    )


def _settled(matches: list[Match]) -> list[Match]:
    """Let the strongest of overlapping matches stand, and all that one encoded run holds.

    Where another rule is surer of the same secret, the one that stands is as sure as that.
    """
    taken: list[Match] = []
    for match in sorted(matches, key=lambda match: match.strength, reverse=True):
        over = next((n for n, other in enumerate(taken) if _excludes(other, match)), None)
        if over is None:
            taken.append(match)
        elif match.rank > taken[over].rank and match.secret == taken[over].secret:
            taken[over] = replace(taken[over], confidence=match.confidence)
    return taken


def _excludes(taken: Match, match: Match) -> bool:
    if taken.rule.placed and not match.rule.placed:
        return False  # it may turn out not to stand there
    if match.decoding and (taken.start, taken.end) == (match.start, match.end):
        return taken.secret == match.secret
    return match.end > taken.start and match.start < taken.end


def _moved(batch: Batch, text: int, match: Match, region: Region, *, wide: bool) -> Match:
    """Give a match in decoded text the place of the encoded run, or its own in wide characters."""
    moved = _placed(batch, text, match, (region.start, region.end))
    if not wide:
        return moved
    line = moved.line + match.line - 1
    return replace(
        moved, line=line, column=match.column, end_line=line + match.end_line - match.line
    )


def _size(raw: IO[bytes]) -> int:
    size = raw.seek(0, io.SEEK_END)
    raw.seek(0)
    return size
