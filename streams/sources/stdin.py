"""Standard input, or any other stream of bytes that cannot be read twice."""

import os
import select
import sys
from secrets import token_hex

from streams.checkpoint import Position
from streams.chunk import Chunk
from streams.documents import StreamCutter
from streams.logfile import BLOCK, BOM, refuse_binary
from streams.sources.closing import Closing
from vocabulary.errors import TargetError

MAX_CHUNK = 8 * 1024 * 1024


class StdinSource(Closing):
    """Lines, or records of JSON documents, from a descriptor.

    There is no going back but over the chunk that was given last.

    Args:
        descriptor: an open pipe, socket, terminal or file; standard input by default.
    """

    name = "stdin"

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._cutter = StreamCutter()
        self._lines: list[bytes] = []
        self._given = 0
        self._run = token_hex(8)
        self._last: Chunk | None = None
        self._begun = self._ended = False

    @property
    def done(self) -> bool:
        """Whether the other side has closed and all was given."""
        return self._ended and not self._lines

    def open(self, position: Position | None) -> None:
        """Begin, or give the last chunk again when it was not committed.

        What an earlier run read was another stream, and says nothing of this one.
        """
        if self._last is not None and position != self._last.position:
            self._lines = [*self._last.lines, *self._lines]
            self._given -= len(self._last.lines)
        self._last = None

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return the lines that there are, or None when none came within the time.

        Raises:
            TargetError: when it is not text, or cannot be read.
        """
        size = 0
        while len(self._lines) < max_lines and size < MAX_CHUNK and self._ready(timeout_s):
            size += self._more()
            timeout_s = 0
        return self._taken(max_lines) if self._lines else None

    def close(self) -> None:
        """Leave the descriptor to whoever opened it."""

    def _ready(self, timeout_s: float) -> bool:
        if self._ended:
            return False
        wait_s = 0 if self._lines else timeout_s
        return bool(select.select([self._descriptor], [], [], wait_s)[0])

    def _more(self) -> int:
        try:
            block = os.read(self._descriptor, BLOCK)
        except OSError as error:
            what = (error.strerror or "unreadable").lower()
            raise TargetError(what, where="stdin", remedy="pipe a log into it") from error
        self._ended = not block
        if not self._begun:
            refuse_binary("stdin", block)
            block, self._begun = block.removeprefix(BOM), True
        self._lines += self._cutter.finish()[0] if self._ended else self._cutter.feed(block)[0]
        return len(block)

    def _taken(self, max_lines: int) -> Chunk:
        lines, self._lines = self._lines[:max_lines], self._lines[max_lines:]
        numbers = list(range(self._given + 1, self._given + len(lines) + 1))
        self._given += len(lines)
        position = {"run": self._run, "lines": self._given}
        self._last = Chunk(self.name, lines, numbers, position)
        return self._last
