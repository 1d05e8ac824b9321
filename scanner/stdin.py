"""What comes in on stdin: a text, or a diff of which only what it adds is new."""

from collections.abc import Callable, Iterator
from typing import IO

from msgspec.structs import replace

from scanner import diff
from scanner.batch import window_batch
from scanner.engine import Engine
from scanner.match import Match
from scanner.options import Progress, ScanOptions
from scanner.receipt import Receipt
from scanner.searcher import Searcher
from scanner.texts import Texts, stdin_texts, tallied
from scanner.windows import windows

_HEAD = 4096
_PART = 1 << 20


class _Joined:
    """A stream with what was read of it put back."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int) -> bytes:
        if not self._head:
            return self._stream.read(size)
        got, self._head = self._head[:size], self._head[size:]
        return got


def texts(
    stream: IO[bytes], options: ScanOptions, engine: Engine, receipt: Receipt, progress: Progress
) -> Texts:
    """Scan stdin; whether it is a diff is what the options say, else what it begins with."""
    head = b""
    while len(head) < _HEAD and (more := stream.read(_HEAD - len(head))):
        head += more
    joined = _Joined(head, stream)
    if diff.begins(head) if options.diff is None else options.diff:
        return _diff(joined.read, engine, receipt, progress)
    return stdin_texts(joined.read, options, engine, receipt, progress)


def _diff(
    read: Callable[[int], bytes], engine: Engine, receipt: Receipt, progress: Progress
) -> Texts:
    searcher, counts, taken = engine.searcher(), diff.Counts(), Texts([], "diff")
    paths: set[str] = set()
    for section in diff.sections(lines(read), counts):
        item = f"{section.place.commit}:{section.place.path}"
        taken.located[item] = (section.place,)
        taken.matches += _added(searcher, section, item)
        paths.add(item)
        receipt.files[1] += sum(map(len, section.lines))
        progress(len(paths), 0)
    receipt.files[0] = len(paths)
    for reason, count in (
        ("lines that a diff removes", counts.removed),
        ("binary files that a diff only mentions", counts.binary),
    ):
        if count:
            receipt.left_out[reason] = count
    tallied(receipt, searcher.tally)
    return taken


def _added(searcher: Searcher, section: diff.Section, item: str) -> Iterator[Match]:
    """Yield what is found on lines that are new, at the line that it has in the new file."""
    text = iter((b"".join(section.lines), b""))
    for window in windows(lambda _: next(text, b"")):
        for match in searcher.search(window_batch(window, item.encode("utf-8", "surrogateescape"))):
            first, last = match.line - 1, min(match.end_line, len(section.numbers))
            if any(section.added[first:last]):
                yield replace(
                    match, line=section.numbers[first], end_line=section.numbers[last - 1]
                )


def lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield what line feeds end; the time is linear in the bytes however long a line is."""
    begun: list[bytes] = []
    while part := read(_PART):
        *whole, rest = part.split(b"\n")
        pieces = [*(piece + b"\n" for piece in whole), *([rest] if rest else [])]
        for piece in pieces:
            begun.append(piece)
            if piece.endswith(b"\n"):
                yield b"".join(begun)
                begun.clear()
    if begun:
        yield b"".join(begun)
