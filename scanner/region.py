"""A stretch of a buffer that says something else than it shows."""

from bisect import bisect_right

import msgspec

RUN = 256 * 1024
"""Bytes of an encoded run that are decoded, at most, on either side of its trigger."""


class Region(msgspec.Struct, frozen=True):
    """An encoded stretch of a buffer and what it says.

    Attributes:
        spots: of a text that was only rearranged: where in it something begins that stood
            elsewhere in the buffer, and where there, ascending.
    """

    start: int
    end: int
    text: bytes
    spots: tuple[tuple[int, int], ...] = ()

    def was_at(self, position: int) -> int:
        """Return where in the buffer a position of the text was."""
        new, old = self.spots[max(0, bisect_right(self.spots, (position, self.end + 1)) - 1)]
        return min(old + position - new, self.end)
