"""A stretch of a buffer that says something else than it shows."""

import re
from bisect import bisect_right

import msgspec

from scanner.batch import Data

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

    def stood(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the buffer a stretch of the text began and ended."""
        after = bisect_right(self.spots, (end, -1))
        if after and self.spots[after - 1][0] == end - 1 and after < len(self.spots):
            return self.was_at(start), min(self.spots[after][1], self.end)  # it ends in an escape
        return self.was_at(start), self.was_at(end - 1) + 1


def beginning(backwards: re.Pattern[bytes], data: Data, at: int, low: int) -> int:
    """Return where the run that ends at `at` begins, by a pattern for reversed text."""
    start = at
    for reach in (2048, RUN):
        bound = max(low, at - reach)
        found = backwards.match(bytes(data[bound:at])[::-1])
        start = at - (found.end() if found else 0)
        if start > bound or bound == low:
            break
    return start
