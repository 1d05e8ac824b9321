"""Bytes cut into whole lines, with where each begins."""

from itertools import accumulate

from streams.parsed import MAX_LINE

KEPT = MAX_LINE + 1
"""Bytes kept of a line that is too long: enough for a format to see that it is."""


class LineCutter:
    """Cuts a stream of bytes into lines; memory is bounded whatever the lines' length.

    Args:
        offset: of the first byte that will be fed.

    Attributes:
        offset: where the first line begins that was not given yet.
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self._held = b""
        self._dropped = 0

    def feed(self, block: bytes) -> tuple[list[bytes], list[int]]:
        """Take bytes; return the lines that they end, and their offsets."""
        *lines, rest = (self._held + block).split(b"\n")
        if not lines:
            self._hold(rest, self._dropped)
            return [], []
        lengths = [len(line) + 1 for line in lines]
        lengths[0] += self._dropped
        *offsets, self.offset = accumulate(lengths, initial=self.offset)
        self._hold(rest, 0)
        if max(lengths) > KEPT:
            lines = [line[:KEPT] for line in lines]
        return lines, offsets

    def finish(self) -> tuple[list[bytes], list[int]]:
        """Return the last line, if it has no line feed: nothing more will come."""
        if not self._held:
            return [], []
        line, offset = self._held, self.offset
        self.offset += len(line) + self._dropped
        self._hold(b"", 0)
        return [line], [offset]

    def _hold(self, rest: bytes, dropped: int) -> None:
        self._held = rest[:KEPT]
        self._dropped = dropped + len(rest) - len(self._held)
