"""A search: texts in, matches out. What is encoded or packed is searched as what it says."""

import io
import os
from collections.abc import Iterator, Sequence
from typing import IO

import msgspec
from msgspec.structs import replace

from scanner.archives.kinds import CONTAINERS, Container
from scanner.batch import Batch, batch_of
from scanner.confirm import Confirmer
from scanner.decode import ENCODINGS, MAX_DEPTH
from scanner.hits import Hits, Spotter, by_text
from scanner.ignore import ignored
from scanner.match import Match
from scanner.placing import match_of, moved, placed
from scanner.region import Region
from scanner.settle import settled
from scanner.tally import Tally
from scanner.trace import Trace, trace_of

_REMEMBERED = 2_000  # encoded runs


class _Origin(msgspec.Struct, frozen=True):
    """How a text that was decoded or unpacked came about."""

    decoding: tuple[str, ...] = ()
    archives: int = 0


_ROOT = _Origin()


class Searcher(msgspec.Struct):
    """One thread's way to scan: its scratch space and its counts.

    Attributes:
        confirmers: of each rule, shared by threads.
        inline_ignores: whether marks in the text are honoured.
    """

    confirmers: Sequence[Confirmer]
    spotter: Spotter
    inline_ignores: bool
    tally: Tally = msgspec.field(default_factory=Tally)
    _decoded: dict[tuple[str, bytes], list[Match]] = msgspec.field(default_factory=dict)

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
            for text, match in self._unpacked(batch, CONTAINERS[number], ends, origin):
                inside.setdefault(text, set()).add(match.secret)
                yield match
        for text, matches_of in found.items():
            for match in settled(matches_of):
                # what lies open in an archive is told under its member's name alone
                if match.secret not in inside.get(text, ()):
                    yield replace(match, decoding=(*origin.decoding, *match.decoding))

    def _found(
        self, batch: Batch, hits: Hits, origin: _Origin, traces: list[Trace] | None
    ) -> dict[int, list[Match]]:
        """Return the matches of each text, as it is and decoded."""
        rules = len(self.confirmers)
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
        first = len(self.confirmers) + len(ENCODINGS)
        return {number - first: ends for number, ends in hits.items() if number >= first}

    def hits(self, batch: Batch) -> Hits:
        """Run hyperscan; where patterns end, by the number of what they mean."""
        return self.spotter.hits(batch)

    def _confirmed(
        self, batch: Batch, number: int, ends: list[int], traces: list[Trace] | None
    ) -> Iterator[tuple[int, Match]]:
        confirmer = self.confirmers[number]
        for text, inside in by_text(batch, ends):
            if traces is not None and confirmer.far:
                traces.append(Trace(number, tuple(inside), 0, 0, far=True))
            low, high = batch.starts[text], batch.ends[text]
            seen: set[int] = set()
            for base, found in confirmer.around(batch.data, inside, low, high):
                start, end = base + found.start, base + found.end
                if start in seen or start < low or end > high or not batch.reports(start, end):
                    continue
                seen.add(start)
                if traces is not None:
                    traces.append(trace_of(number, confirmer, inside, base, found))
                if self._hidden(batch, text, start, end):
                    continue
                yield text, match_of(batch, text, confirmer, found, (start, end))

    def _hidden(self, batch: Batch, text: int, start: int, end: int) -> bool:
        low, high = batch.starts[text], batch.ends[text]
        if self.inline_ignores and ignored(batch.data, start, end, low, high):
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
        for text, inside in by_text(batch, ends):
            low, high, done = batch.starts[text], batch.ends[text], 0
            for end in inside:
                if end <= done or end > high:
                    continue
                region = encoding.decode(batch.data, end, low, high)
                if region is None:
                    continue
                done = region.end
                if not region.text:
                    continue
                found = list(self._within(batch, text, encoding.name, region, origin))
                if found and traces is not None:
                    number_ = len(self.confirmers) + number
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
        if not inner or not batch.reports(region.start, region.end):
            return
        plain = bytes(batch.data[region.start : region.end])
        new = [match for match in inner if match.secret not in plain]
        if new and self._hidden(batch, text, region.start, region.end):
            return
        for match in new:
            yield moved(batch, text, match, region, wide=encoding == "utf-16")

    def _mapped(
        self, batch: Batch, text: int, inner: Sequence[Match], region: Region
    ) -> Iterator[Match]:
        """Give matches in a text that was only rearranged the places that they had before."""
        for match in inner:
            start, end = region.stood(match.start, match.end)
            if batch.reports(start, end) and not self._hidden(batch, text, start, end):
                yield placed(batch, text, match, (start, end))

    def _unpacked(
        self, batch: Batch, kind: Container, ends: list[int], origin: _Origin
    ) -> Iterator[tuple[int, Match]]:
        """Open the texts that are containers."""
        for text, inside in by_text(batch, ends):
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
        self, kind: Container, raw: IO[bytes], name: bytes, origin: _Origin = _ROOT
    ) -> Iterator[Match]:
        """Scan the members of an archive, which is read from where it stands."""
        from scanner.archives.unfold import Budget, unfold  # noqa: PLC0415  (few texts are one)

        budget = Budget(_size(raw))
        for piece in unfold(kind, raw, budget, depth=origin.archives + 1):
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


def _size(raw: IO[bytes]) -> int:
    size = raw.seek(0, io.SEEK_END)
    raw.seek(0)
    return size
