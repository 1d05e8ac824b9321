"""A stream of text passed through with every secret replaced, wherever its blocks are cut."""

from collections.abc import Iterable, Iterator

from scanner.batch import Batch
from scanner.engine import Engine
from scanner.findings import redacted
from scanner.searcher import Searcher

HOLD = 16 << 10
"""Bytes that are looked at again around each cut: a secret, and what must stand near it."""

BULK = 512 << 10
"""Bytes that are gathered before a search, as long as more comes at once."""

_MARK = b"[REDACTED]"
_BEGIN, _END = b"-----BEGIN ", b"-----END "


class _Unnumbered(Batch):
    """A text whose lines nobody asks the numbers of: counting them takes long."""

    def line(self, low: int, at: int) -> int:
        """Say that it is the first."""
        del low, at
        return 0


def _unnumbered(text: bytes) -> Batch:
    return _Unnumbered(text, len(text), (0,), (len(text),), (b"",))


class Passing:
    """Passes text through; what is not clean yet is held back, whatever happens.

    Args:
        engine: of the rules whose secrets are replaced.

    Attributes:
        replaced: secrets so far.
    """

    def __init__(self, engine: Engine) -> None:
        self._searcher: Searcher = engine.searcher()
        self._text = b""
        self._given = 0
        self.replaced = 0

    def feed(self, block: bytes, *, hurried: bool) -> bytes:
        """Take bytes in; return what may go out.

        Args:
            block: any bytes.
            hurried: whether somebody waits: whole lines go out at once. Else the last of them
                wait for what comes behind, so that neither blocks nor lines cut a secret.
        """
        self._text += block
        pending = len(self._text) - self._given
        if not hurried and pending < BULK:
            return b""
        return self._passed(self._cut(hurried=hurried))

    def finish(self) -> bytes:
        """Return the rest: nothing more will come."""
        return self._passed(len(self._text))

    def _cut(self, *, hurried: bool) -> int:
        """Return up to where the text may go out: a line's end, and not within a PEM block."""
        size = len(self._text)
        end = self._text.rfind(b"\n", self._given, size if hurried else size - HOLD) + 1
        if not end:
            # One line without an end: all goes out but what a secret at its end could take.
            return size - HOLD if size - self._given >= BULK else self._given
        begun = self._text.rfind(_BEGIN, max(self._given, end - HOLD), end)
        unended = begun >= 0 and self._text.find(_END, begun, end) < 0
        return begun if unended else end

    def _passed(self, cut: int) -> bytes:
        """Return the text from where the last left off to the cut, or on to a secret's end."""
        if cut <= self._given and cut < len(self._text):
            return b""
        text, begin = self._text, self._given
        spans = list(_apart(self._found(text)))
        cut = max([cut, *(end for start, end, _ in spans if start < cut)])
        out, at = [], begin
        for start, end, word in spans:
            if end <= begin or start >= cut:
                continue
            out += [text[at : max(start, begin)], word if start >= begin else _MARK]
            at = end
            self.replaced += 1
        out.append(text[at:cut])
        kept = max(0, cut - HOLD)
        self._text, self._given = text[kept:], cut - kept
        return b"".join(out)

    def _found(self, text: bytes) -> Iterator[tuple[int, int, bytes]]:
        for match in self._searcher.search(_unnumbered(text)):
            if not match.packed:
                yield match.start, match.end, redacted(match).encode("utf-8", "backslashreplace")


def redacted_text(searcher: Searcher, text: bytes) -> bytes:
    """Return a text of its own with every secret replaced."""
    matches = [match for match in searcher.search(_unnumbered(text)) if not match.packed]
    if not matches:
        return text
    out, at = [], 0
    for start, end, word in _apart(
        (one.start, one.end, redacted(one).encode("utf-8", "backslashreplace")) for one in matches
    ):
        out += [text[at:start], word]
        at = end
    return b"".join([*out, text[at:]])


def _apart(spans: Iterable[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
    """Yield spans in order; what overlaps is one, under the word of the first."""
    begin, end, word = -1, -1, b""
    for start, stop, mark in sorted(spans):
        if start < end:
            end = max(end, stop)
            continue
        if begin >= 0:
            yield begin, end, word
        begin, end, word = start, stop, mark
    if begin >= 0:
        yield begin, end, word
