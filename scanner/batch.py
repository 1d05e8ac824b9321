"""Texts laid end to end in one buffer, as hyperscan reads them."""

from collections.abc import Sequence

import msgspec

from scanner.windows import MARGIN, Window

Data = bytes | bytearray


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

    def reports(self, start: int, end: int) -> bool:
        """Say whether this window, of those that overlap here, is the one to report a match."""
        window = self.window
        if window is None:
            return True
        return (window.first or start >= MARGIN) and (window.last or end <= self.used - MARGIN)


def batch_of(text: bytes, name: bytes = b"") -> Batch:
    """Wrap a single text."""
    return Batch(text, len(text), (0,), (len(text),), (name,))


def window_batch(window: Window, name: bytes) -> Batch:
    """Wrap a window of a longer text."""
    size = len(window.data)
    return Batch(window.data, size, (0,), (size,), (name,), window)
