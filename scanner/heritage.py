"""Versions of a text scanned by what is new in each; the rest they have from their base.

What a rule says of a place depends on the bytes around it, seldom further than `CONTEXT`. So where
a version has a long stretch from its base, what was found well inside it is there again, and what
was not is not. Hyperscan reads what lies between, and `CONTEXT` of the stretches on either side.
What depends on more than that (a longer match, a mark at the end of a line) is judged anew
wherever its own surroundings did not come over whole.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from scanner.batch import Batch, batch_of
from scanner.chunks import LONG, Chunk, Cutter
from scanner.hits import Hits
from scanner.match import Match
from scanner.searcher import Searcher
from scanner.sources.versions import Version
from scanner.stretches import Hit, Looked, Said, Stretches
from scanner.trace import Trace

CONTEXT = 256
"""Bytes on either side of a change that are read again."""
LEAST = 2 * CONTEXT + 64
"""Bytes of a stretch that is worth being left out."""
_LINE = 4096  # what stands further from a match than this does not matter to it
_BATCH = 1 << 20  # bytes that hyperscan reads at once
_HELD = 4 << 20  # … or of texts that wait for it
_LOOKED = 20_000  # stretches remembered
_NEVER = -2  # no stretch begins so early


class Found(msgspec.Struct, frozen=True):
    """Something at a place of a text, to be looked for in its heirs.

    Attributes:
        match: None where nothing is reported, but might be in an heir.
        hits: what led to it.
        low, high: the bytes on which it depends; -1 and one more than there are for the ends.
    """

    match: Match | None
    hits: tuple[Hit, ...]
    low: int
    high: int


class _Waiting(msgspec.Struct):
    """A version that waits for hyperscan, and the stretches of it that have to be read."""

    version: Version
    pieces: list[tuple[int, int]]
    hits: Hits = msgspec.field(default_factory=dict)


class Heritage(msgspec.Struct):
    """One thread's way to scan versions.

    Attributes:
        searcher: scans.
        name: row of the pack → name of the text.
        wanted: whether a row is to be scanned; others are there for their heirs alone.
        done: told of each version that was scanned.
        clean: whether a row that is not wanted is known to hold nothing, for its heirs.
        looked: what hyperscan said of stretches, by their hash: what changed between two versions
            stands in the differences of many others.
    """

    searcher: Searcher
    name: Callable[[int], bytes]
    wanted: Callable[[int], bool]
    done: Callable[[Version], None] = lambda _: None
    clean: Callable[[int], bool] = lambda _: False
    looked: Looked = msgspec.field(default_factory=dict)
    _cutter: Cutter | None = None

    def matches(self, versions: Iterable[Version]) -> Iterator[Match]:
        """Yield what is found in versions, each of which comes behind its base."""
        waiting: list[_Waiting] = []
        size = held = 0
        for version in versions:
            version.read = self.wanted(version.row)
            if not version.read:
                version.read = version.heirs > 0 and self.clean(version.row)
                version.base = None
                continue
            pieces = _changed(version)
            waiting.append(_Waiting(version, pieces))
            for begin, end in pieces:
                size += end - begin
            held += len(version.text)
            if size >= _BATCH or held >= _HELD:
                yield from self._all_judged(waiting)
                waiting, size, held = [], 0, 0
        yield from self._all_judged(waiting)

    def _all_judged(self, waiting: Sequence[_Waiting]) -> Iterator[Match]:
        """Let hyperscan read what is new in all that wait, and judge each text."""
        self._look(waiting)
        for one in waiting:
            version, base = one.version, one.version.base
            if one.hits or (base is not None and base.record):
                yield from self._judged(one)
            elif version.heirs:
                version.record = ()
            self.done(version)
            version.base = None

    def _look(self, waiting: Sequence[_Waiting]) -> None:
        """Have hyperscan read each stretch once, for all the texts in which it stands."""
        looked, new = self.looked, Stretches()
        for one in waiting:
            text = one.version.text
            for stretch in self._stretches(one):
                lead, begin, end = stretch
                said = looked.get(key := hash(text[lead:end]) + begin - lead)
                if said is None:
                    new.add(key, text, stretch, one.hits)
                    continue
                if said.hits and not said.cleared:  # the text it was told of has been judged
                    self._clear(said, text, begin)
                for number, stop in said.hits:
                    one.hits.setdefault(number, []).append(begin + stop)
        if not new.starts:
            return
        data = new.joined()
        for number, ends in self.searcher.hits(Batch(data, len(data), (), (), ())).items():
            new.tell(number, self._fertile(data, number, ends))
        if len(looked) > _LOOKED:
            looked.clear()
        looked.update(new.said)

    def _clear(self, said: Said, text: bytes, begin: int) -> None:
        """Leave out of what was said of a stretch what has been found to lead to nothing."""
        hits: Hits = {}
        for number, stop in said.hits:
            hits.setdefault(number, []).append(begin + stop)
        said.hits = tuple(
            (number, end - begin)
            for number, ends in hits.items()
            for end in self._fertile(text, number, ends)
        )
        said.cleared = True

    def _fertile(self, data: bytes, number: int, ends: list[int]) -> list[int]:
        confirmers = self.searcher.confirmers
        return confirmers[number].fertile(data, ends) if number < len(confirmers) else ends

    def _stretches(self, one: _Waiting) -> Iterator[Chunk]:
        """Yield what has to be read of a text; in chunks where other versions may have them."""
        for begin, end in one.pieces:
            if one.version.base is None or end - begin < LONG:
                yield begin, begin, end
                continue
            if self._cutter is None:
                self._cutter = Cutter(self.searcher.confirmers)
            yield from self._cutter.chunks(one.version.text, begin, end)

    def _judged(self, one: _Waiting) -> Iterator[Match]:
        version, name = one.version, self.name(one.version.row)
        kept: list[Found] = []
        if version.base is not None and version.base.record and one.pieces != _whole(version):
            kept = _inherited(version, one.hits, name.decode())
        fresh = self._fresh(version, name, one.hits) if one.hits else []
        apart = _apart(kept, fresh)
        if apart is None:
            kept, hits = [], self.searcher.hits(batch_of(version.text, name))
            apart = self._fresh(version, name, hits)
        found = kept + apart
        if version.heirs:
            version.record = sorted(found, key=_low)
        for each in found:
            if each.match is not None:
                yield each.match

    def _fresh(self, version: Version, name: bytes, hits: Hits) -> list[Found]:
        """Judge hits in a text."""
        traces: list[Trace] = []
        sorted_ = {number: sorted(set(ends)) for number, ends in hits.items()}
        matches = list(self.searcher.judged(batch_of(version.text, name), sorted_, traces))
        if not version.heirs:
            return [Found(match, (), _NEVER, 0) for match in matches]
        return list(_traced(matches, traces, version.text))


def _low(found: Found) -> int:
    return found.low


def _whole(version: Version) -> list[tuple[int, int]]:
    return [(0, len(version.text))]


def _changed(version: Version) -> list[tuple[int, int]]:
    """Return the stretches of a text that have to be read."""
    size = len(version.text)
    base = version.base
    if base is None or not base.read or not version.copies:
        return _whole(version) if size else []
    pieces: list[tuple[int, int]] = []
    at = 0
    for begin, source, length in version.copies:
        first = begin + CONTEXT if begin or source else 0
        last = begin + length
        if last < size or source + length < len(base.text):
            last -= CONTEXT
        if first > at:
            pieces.append((at, first))
        at = max(at, last)
    if at < size:
        pieces.append((at, size))
    return [_by_lines(version.text, *piece) for piece in pieces]


def _by_lines(text: bytes, begin: int, end: int) -> tuple[int, int]:
    """Let a stretch begin and end with a line, where one does so near it."""
    line = text.rfind(b"\n", max(0, begin - CONTEXT), begin) + 1 if begin else 0
    stop = text.find(b"\n", end, end + CONTEXT)
    return line or begin, stop + 1 if stop >= 0 else end


def _inherited(version: Version, hits: Hits, name: str) -> list[Found]:
    """Return what the long stretches bring; add to the hits what has to be judged again."""
    assert version.base is not None
    record: list[Found] = version.base.record
    lows = [found.low for found in record]
    size, base_size = len(version.text), len(version.base.text)
    kept: list[Found] = []
    brought: set[int] = set()
    text = batch_of(version.text)
    for begin, source, length in version.copies:
        low = -1 if not begin and not source else source
        ends = begin + length == size and source + length == base_size
        high = source + length + ends
        for number in range(bisect_left(lows, low), bisect_right(lows, high)):
            found = record[number]
            if found.match is not None and found.high <= high:
                brought.add(number)
                kept.append(_moved(found, begin - source, (size, base_size), name, text))
    for number, found in enumerate(record):
        if number not in brought:
            for begin, source, length in version.copies:
                for what, end in found.hits:
                    if source < end <= source + length:
                        hits.setdefault(what, []).append(end + begin - source)
    return kept


def _moved(found: Found, by: int, sizes: tuple[int, int], name: str, text: Batch) -> Found:
    """Give something from the base its place in the heir."""
    match = found.match
    assert match is not None
    start = match.start + by
    line = text.line(0, start) + 1
    wide = "utf-16" in match.decoding
    column = match.column if wide else start - text.data.rfind(b"\n", 0, start)
    moved = replace(
        match,
        item=name,
        start=start,
        end=match.end + by,
        line=line,
        column=column,
        end_line=line + match.end_line - match.line,
    )
    return Found(
        moved,
        tuple((number, end + by) for number, end in found.hits),
        found.low + by if found.low >= 0 else found.low,
        found.high + by if found.high <= sizes[1] else sizes[0] + 1,
    )


def _apart(kept: list[Found], fresh: list[Found]) -> list[Found] | None:
    """Return what is new beside what was inherited; None where the two overlap otherwise."""
    if not kept or not fresh:
        return fresh
    held = sorted((f.match.start, f.match.end, f.match.secret) for f in kept if f.match)
    starts = [start for start, _, _ in held]
    apart = []
    for found in fresh:
        match = found.match
        if match is not None:
            at = bisect_left(starts, match.end)
            if at and held[at - 1][1] > match.start:
                if held[at - 1] != (match.start, match.end, match.secret):
                    return None
                continue
        apart.append(found)
    return apart


def _traced(matches: Sequence[Match], traces: Sequence[Trace], text: bytes) -> Iterator[Found]:
    """Join matches with the hits that led to them; hits that led to nothing stay as such."""
    ordered = sorted(matches, key=lambda match: match.start)
    starts = [match.start for match in ordered]
    hits: list[list[Hit]] = [[] for _ in ordered]
    spans = [(match.start, match.end) for match in ordered]
    for trace in traces:
        own = tuple((trace.number, end) for end in trace.ends)
        at = bisect_left(starts, trace.high) - 1
        if at < 0 or spans[at][1] <= trace.low:
            yield Found(None, own, _NEVER, 0)
            continue
        hits[at] += own
        spans[at] = (min(spans[at][0], trace.low), max(spans[at][1], trace.high))
        if trace.far:
            spans[at] = (_NEVER, 0)
    for match, led, span in zip(ordered, hits, spans, strict=True):
        low, high = _surroundings(text, span) if span[0] >= 0 else span
        yield Found(match, tuple(led), _NEVER if match.packed else low, high)


def _surroundings(text: bytes, span: tuple[int, int]) -> tuple[int, int]:
    """Return the bytes that bear on a match: its lines and those beside them, and the context."""
    start, end = span
    least, most = max(0, start - _LINE), min(len(text), end + _LINE)
    line = text.rfind(b"\n", least, start)
    line = text.rfind(b"\n", least, line) if line >= 0 else -1
    stop = text.find(b"\n", end, most)
    stop = text.find(b"\n", stop + 1, most) if stop >= 0 else -1
    low = min(line if line >= 0 else least, start - CONTEXT)
    high = max(stop + 1 if stop >= 0 else most, end + CONTEXT)
    return (low if low > 0 else -1), (high if high < len(text) else len(text) + 1)
