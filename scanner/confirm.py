"""From "a pattern may end here" to a confirmed secret: `re` on a bounded piece, then a judge."""

import re
from collections.abc import Generator, Iterator

import msgspec
from msgspec.structs import replace

from scanner.allow import compiled, lets_pass
from scanner.batch import Data
from scanner.judging import Confirmed, judged
from scanner.rules import Rule

REACH = 8 << 10
"""Bytes around a hit that are read at most; a longer match is no secret."""
_TO_LINE = 512  # how far a piece grows to begin and end with a line
_KEPT = 100_000  # pieces remembered
_SHORT = 2 << 10  # … if they are no longer than this
_CLUSTER = 4 << 10
_OFTEN = 20  # pieces that are worth knowing how a rule may open
_BEARS = 200  # bytes of a long line that bear on a match, on either side


Memory = dict[int, tuple[Confirmed, ...]]
"""What was said of a piece of text by a rule: versions of one file repeat the same lines.

By a hash of both, for the pieces are long; Python hashes bytes with a key that nobody knows.
"""


class Bounds(msgspec.Struct, frozen=True, array_like=True):
    """How far the matches of a rule reach.

    Attributes:
        reach: bytes from a hit to either end of the match, at most.
        before: bytes from a hit back to where the match begins, at most.
        lined: matches stay within a line, so that each line is read by itself.
        exact: hits are ends of the pattern, loosened; else a keyword stands there.
    """

    reach: int
    before: int
    lined: bool
    exact: bool


class Confirmer(msgspec.Struct):
    """One rule, ready to be tried; its patterns are compiled when it is first needed.

    Attributes:
        barren: hashes of lines in which there is nothing, whatever stands around them.
    """

    rule: Rule
    memory: Memory
    bounds: Bounds
    barren: set[int] = msgspec.field(default_factory=set)
    _pattern: re.Pattern[bytes] | None = None
    _opening: re.Pattern[bytes] | None = None
    _tried: int = 0

    def around(
        self, data: Data, ends: list[int], low: int, high: int
    ) -> Iterator[tuple[int, Confirmed]]:
        """Yield what is confirmed around hits, with where its piece begins.

        The same secret may come twice where pieces overlap.

        Args:
            data: the buffer.
            ends: where hyperscan saw the pattern end, ascending.
            low: where the text begins.
            high: where it ends.
        """
        if self.bounds.lined:
            ends = yield from self._by_line(data, ends, low, high)
            if not ends:
                return
        for first, last in self._clusters(ends):
            if self.bounds.lined:  # a part of a long line: no more of it than bears on the match
                start = max(low, first - self.bounds.before - _BEARS)
                stop = min(high, last + self.bounds.reach + _BEARS)
            else:
                start, stop = self._left(data, first, low), self._right(data, last, high)
            begin, end = (first - self.bounds.before, last) if self.bounds.exact else (start, stop)
            for found in self._piece(data, (start, stop), (begin, end), low):
                if self._surrounded(data, start - 1, found, low, high):
                    yield start - 1, found

    def _by_line(
        self, data: Data, ends: list[int], low: int, high: int
    ) -> Generator[tuple[int, Confirmed], None, list[int]]:
        """Confirm line by line; return the hits in lines that are too long to be remembered."""
        left, done, long = [], low - 1, low
        for end in ends:
            if end <= done:
                continue
            if end <= long:
                left.append(end)
                continue
            least = max(low, end - 1 - _SHORT)
            start = max(data.rfind(b"\n", least, max(low, end - 1)) + 1, least)
            stop = data.find(b"\n", max(start, end - 1), min(high, start + _SHORT + 1))
            if stop < 0:
                stop = min(high, start + _SHORT + 1)
            if stop - start > _SHORT or (start == least and least > low):
                left.append(end)
                long = stop
                continue
            done = stop
            pieces = self._piece(data, (start, min(stop + 1, high)), (start, stop), low)
            if not pieces:
                self._note_barren(bytes(data[start:stop]))
            for found in pieces:
                if self._surrounded(data, start - 1, found, low, high):
                    yield start - 1, found
        return left

    def _note_barren(self, line: bytes) -> None:
        if len(self.barren) >= _KEPT:
            self.barren.clear()
        self.barren.add(hash(line))

    def fertile(self, data: bytes, ends: list[int]) -> list[int]:
        """Leave out the hits in whole lines that are known to hold nothing.

        Args:
            data: a buffer.
            ends: where hyperscan saw the pattern end; sorted here.
        """
        barren = self.barren
        if not barren:
            return ends
        ends.sort()
        kept, done = [], -1
        for end in ends:
            if end <= done:
                continue
            start = data.rfind(b"\n", max(0, end - _SHORT), end - 1)
            stop = data.find(b"\n", end - 1, end + _SHORT)
            if start >= 0 and stop >= 0 and hash(data[start + 1 : stop]) in barren:
                done = stop
            else:
                kept.append(end)
        return kept

    def _clusters(self, ends: list[int]) -> Iterator[tuple[int, int]]:
        """Join hits that stand close, so that no byte is read more than a few times."""
        reach = self.bounds.reach
        most = max(_CLUSTER, 8 * reach)
        if self.bounds.lined:
            most = max(_SHORT - self.bounds.before - reach - 2 * _BEARS - 1, 0)
        first = last = ends[0]
        for end in ends[1:]:
            if end > last + reach or end > first + most:
                yield first, last
                first = end
            last = end
        yield first, last

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """The rule's own pattern."""
        if self._pattern is None:
            self._pattern = re.compile(self.rule.pattern.encode(), re.MULTILINE)
        return self._pattern

    def _left(self, data: Data, end: int, low: int) -> int:
        start = max(low, end - self.bounds.reach)
        line = data.rfind(b"\n", max(low, start - _TO_LINE), start) + 1
        return line or max(low, start - _TO_LINE)

    def _right(self, data: Data, end: int, high: int) -> int:
        stop = min(high, end + self.bounds.reach)
        line = data.find(b"\n", stop, min(high, stop + _TO_LINE))
        return line if line >= 0 else min(high, stop + _TO_LINE)

    def _piece(
        self, data: Data, span: tuple[int, int], begins: tuple[int, int], low: int
    ) -> tuple[Confirmed, ...]:
        """Confirm a piece; the character before it is read as context only.

        Args:
            data: the buffer.
            span: of the piece.
            begins: between what positions a match may begin.
            low: where the text begins.
        """
        start, stop = span
        piece = (bytes(data[start - 1 : start]) if start > low else b"\n") + bytes(data[start:stop])
        first, last = max(begins[0] - start, 0) + 1, begins[1] - start + 1
        if len(piece) > _SHORT:
            return tuple(self._confirmed(piece, first, last))
        key = hash((self.rule.id, piece, first, last))
        known = self.memory.get(key)
        if known is None:
            known = tuple(self._confirmed(piece, first, last))
            if len(self.memory) >= _KEPT:
                self.memory.clear()
            self.memory[key] = known
        return known

    def _confirmed(self, piece: bytes, first: int, last: int) -> Iterator[Confirmed]:
        groups = self.pattern.groupindex
        for found in self._matches(piece, first, last):
            span = found.span("secret") if "secret" in groups else found.span()
            if span[0] >= span[1]:
                continue
            name = found.span("name") if "name" in groups and found["name"] else None
            said = judged(self.rule, piece, span, name)
            if said and not self._passes(piece, found.span(), (said.start, said.end)):
                yield replace(said, match_start=found.start(), match_end=found.end())

    def _matches(self, piece: bytes, first: int, last: int) -> Iterator[re.Match[bytes]]:
        """Yield the matches that begin between two positions, as `finditer` does."""
        pattern = self.pattern
        self._tried += 1
        if self._tried == _OFTEN:
            from scanner.opening import opening  # noqa: PLC0415  (not for a few pieces)

            self._opening = opening(self.rule.pattern.encode())
        if self._opening is None:
            for found in pattern.finditer(piece, first):
                if found.start() > last:
                    return
                yield found
            return
        opens, at = self._opening.search(piece, first), first
        while opens and opens.start() <= last:
            at = opens.start()
            if (match := pattern.match(piece, at)) is not None:
                yield match
                at = max(match.end(), at + 1) - 1
            opens = self._opening.search(piece, at + 1)

    def _passes(self, piece: bytes, match: tuple[int, int], span: tuple[int, int]) -> bool:
        """Say whether the rule lets a match pass, wherever it stands."""
        if not self.rule.allow:
            return False
        start = piece.rfind(b"\n", 0, span[0]) + 1
        stop = piece.find(b"\n", span[1])
        line = piece[start : stop if stop >= 0 else len(piece)]
        return lets_pass(self.rule.allow, piece[slice(*span)], piece[slice(*match)], line)

    @property
    def far(self) -> bool:
        """Whether more bears on a match than the lines beside it."""
        return any(near.lines > 1 for near in self.rule.requires)

    def _surrounded(self, data: Data, base: int, found: Confirmed, low: int, high: int) -> bool:
        """Look for a keyword on the lines around, and for what the rule requires further out."""
        rule = self.rule
        begin, end = max(base + found.match_start, low), base + found.match_end
        if rule.keywords and not any(
            word.encode() in bytes(data[begin:end]).lower() for word in rule.keywords
        ):
            near = _lines(data, (begin, end), 1, (low, high)).lower()
            if not any(word.encode() in near for word in rule.keywords):
                return False
        return all(
            compiled(near.pattern).search(_lines(data, (begin, end), near.lines, (low, high)))
            for near in rule.requires
        )


def _lines(data: Data, span: tuple[int, int], count: int, bounds: tuple[int, int]) -> bytes:
    """Return the lines of a span and `count` more on either side, within bounds."""
    low, high = max(bounds[0], span[0] - REACH), min(bounds[1], span[1] + REACH)
    first, last = span
    for _ in range(count + 1):
        first = max(data.rfind(b"\n", low, first), low)
    for _ in range(count + 1):
        found = data.find(b"\n", last + 1, high)
        last = found if found >= 0 else high
    return bytes(data[first:last])
