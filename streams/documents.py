"""JSON documents cut into records, one a line: indented ones, and long `{"Records": […]}`."""

import re
from collections.abc import Callable

from streams.lines import KEPT, LineCutter
from streams.logfile import BLOCK, BOM, LogFile

_HEAD = 4096
_INDENTED = re.compile(
    rb'(?:\{\s*+"Records"\s*+:\s*+\[[ \t\r]*+|\[[ \t\r]*+)?+(?:\{[ \t\r]*+)?+(?:\n|\Z)'
)
_WRAPPED = re.compile(rb'\{\s*+"Records"\s*+:\s*+\[')
_HALF = re.compile(rb'\{\s*+(?:"Records"\s*+:?+\s*+)?+\Z')
_BETWEEN = re.compile(rb"[\s,\[\]}\xef\xbb\xbf]*+")
_NO_RECORD = re.compile(rb"[^{\n]*+")
_OPENING = re.compile(rb"\{\s*+")
_LIST = re.compile(rb"\s*+(:\s*+)?+(\[)?")
_RECORDS = b'"Records"'
_OUTSIDE = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_QUOTE, _OPEN = ord('"'), b"{["

Cut = tuple[list[bytes], list[int]]


def cutter(log: LogFile, offset: int) -> "LineCutter | RecordCutter":
    """Return what cuts a file that is read from this offset of its bytes on.

    Raises:
        TargetError: when the file cannot be read.
    """
    return RecordCutter(offset) if _is_document(log.head) else LineCutter(offset)


def _is_document(head: Callable[[int], bytes]) -> bool:
    """Say whether records are not lines: they go over several, or one line is the file.

    Args:
        head: returns so many of the first bytes, or all that there are.
    """
    begin = head(_HEAD).removeprefix(BOM).lstrip()
    if not begin.startswith((b"{", b"[")):
        return False
    if _INDENTED.match(begin):
        return True
    # In one line, as CloudTrail writes it, a file may be longer than a line is read.
    long = head(BLOCK) if _WRAPPED.match(begin) else b""
    return len(long) == BLOCK and b"\n" not in long.lstrip()


def _is_told(head: bytes) -> bool:
    """Say whether `_is_document` says the same of these first bytes whatever comes after them."""
    begin = head[:_HEAD].removeprefix(BOM).lstrip()
    if begin and not begin.startswith((b"{", b"[")):
        return True
    if len(head) < _HEAD:
        return b"\n" in begin and not _HALF.match(begin)
    return len(head) >= BLOCK or b"\n" in head.lstrip() or not _WRAPPED.match(begin)


class StreamCutter:
    """Cuts what comes bit by bit and cannot be looked at before: its beginning tells how.

    Until that is sure nothing is given: to the first line feed, at most 256 KiB.
    """

    def __init__(self) -> None:
        self._head = b""
        self._cutter: LineCutter | RecordCutter | None = None

    def feed(self, block: bytes) -> Cut:
        """Take bytes; return the records that they end, each in one line, and their offsets."""
        if self._cutter is None:
            self._head += block
            return self._begun() if _is_told(self._head) else ([], [])
        return self._cutter.feed(block)

    def finish(self) -> Cut:
        """Return also what has no end: nothing more will come."""
        lines, offsets = self._begun() if self._cutter is None else ([], [])
        more = self._cutter.finish() if self._cutter else ([], [])
        return lines + more[0], offsets + more[1]

    def _begun(self) -> Cut:
        head, self._head = self._head, b""
        self._cutter = RecordCutter() if _is_document(lambda size: head[:size]) else LineCutter()
        return self._cutter.feed(head)


class RecordCutter:
    """Cuts JSON into its objects, without what is around them; memory is bounded whatever it holds.

    An object that begins with a list `Records`, as CloudTrail's files do, is cut into those.
    Reading may begin behind any record: nothing before has to be known. What is no object is
    given by line.

    Args:
        offset: of the first byte that will be fed.

    Attributes:
        offset: where the first record begins that was not given yet.
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self._record = b""
        self._length = 0
        self._tail = b""
        self._depth = 0
        self._in_string = False

    def feed(self, block: bytes) -> Cut:
        """Take bytes; return the records that they end, each in one line, and their offsets."""
        return self._cut(block, last=False)

    def finish(self) -> Cut:
        """Return also what has no end: nothing more will come."""
        lines, offsets = self._cut(b"", last=True)
        rest = self._record + self._tail
        if rest.strip():
            lines.append(_one_line(rest[:KEPT]))
            offsets.append(self.offset)
        self.offset += self._length + len(self._tail)
        self._record, self._length, self._tail, self._depth = b"", 0, b"", 0
        return lines, offsets

    def _cut(self, block: bytes, *, last: bool) -> Cut:
        buffer, self._tail = self._tail + block, b""
        found: Cut = [], []
        at = 0
        while at < len(buffer):
            if not self._depth:
                at, begun = self._begin(buffer, at, found, last=last)
                if not begun:
                    break
            end = self._scan(buffer, at)
            self._record = (self._record + buffer[at:end])[:KEPT]
            self._length += end - at
            at = end
            if self._depth:
                break
            self._give(found, self._record, self._length)
            self._record, self._length = b"", 0
        self._tail = buffer[at:]
        return found

    def _give(self, found: Cut, line: bytes, length: int) -> None:
        found[0].append(_one_line(line[:KEPT]))
        found[1].append(self.offset)
        self.offset += length

    def _begin(self, buffer: bytes, at: int, found: Cut, *, last: bool) -> tuple[int, bool]:
        """Go to the next object; return where it begins, or from where on more must come first."""
        while True:
            begin = _end(_BETWEEN, buffer, at)
            self.offset += begin - at
            at, full = begin, last or len(buffer) - begin >= KEPT
            if at == len(buffer):
                return at, False
            if buffer[at] != _OPEN[0]:
                end = _end(_NO_RECORD, buffer, at)
                if end == len(buffer) and not full:
                    return at, False
                self._give(found, buffer[at:end], end - at)
                at = end
                continue
            inside = _wrapped(buffer, at)
            if inside is None:
                return at, True
            if inside > len(buffer):
                return at, full
            self.offset += inside - at
            at = inside

    def _scan(self, buffer: bytes, at: int) -> int:
        """Follow an object to its end, or to where more must come."""
        while True:
            if self._in_string:
                at = _end(_INSIDE, buffer, at)
                if buffer[at : at + 1] != b'"':
                    return at
                self._in_string, at = False, at + 1
            at = _end(_OUTSIDE, buffer, at)
            if at == len(buffer):
                return at
            if buffer[at] == _QUOTE:
                self._in_string = True
            else:
                self._depth += 1 if buffer[at] in _OPEN else -1
            at += 1
            if not self._depth:
                return at


def _end(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    found = pattern.match(buffer, at)
    return found.end() if found else at


def _wrapped(buffer: bytes, at: int) -> int | None:
    """Return where the list of `{"Records": [` begins; beyond the end: perhaps; None: nowhere."""
    name = _end(_OPENING, buffer, at)
    if not _RECORDS.startswith(buffer[name : name + len(_RECORDS)]):
        return None
    if len(buffer) - name < len(_RECORDS):
        return len(buffer) + 1
    behind = _LIST.match(buffer, name + len(_RECORDS))
    if behind and behind[2]:
        return behind.end()
    return len(buffer) + 1 if behind and behind.end() == len(buffer) else None


def _one_line(record: bytes) -> bytes:
    # Line feeds stand between the words of JSON, never within one.
    return record.replace(b"\n", b" ").replace(b"\r", b" ")
