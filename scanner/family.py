"""Rules that share one loose pattern of hyperscan, told apart by a second look at its hits."""

from bisect import bisect_right

import hyperscan
import msgspec

from scanner.confirm import Data

_BEFORE, _AFTER = 256, 256
_BETWEEN = b"\n\0\n"


class Family(msgspec.Struct):
    """The members' own patterns as a database that is tried only around hits of the shared one.

    Attributes:
        serialized: the database, loaded when the shared pattern is first met.
        members: for each pattern of the database, the number of its rule.
    """

    serialized: memoryview
    members: tuple[int, ...]
    _loaded: hyperscan.Database | None = None

    @property
    def database(self) -> hyperscan.Database:
        """The members' patterns; `scratch` is made for it."""
        if self._loaded is None:
            self._loaded = hyperscan.loadb(bytes(self.serialized), hyperscan.HS_MODE_BLOCK)
        return self._loaded

    def told_apart(
        self, data: Data, ends: list[int], used: int, scratch: hyperscan.Scratch
    ) -> dict[int, list[int]]:
        """Return, for each rule whose own pattern is near, where it ends.

        Args:
            data: the buffer.
            ends: where the shared pattern ended; sorted here.
            used: how much of the buffer is filled.
            scratch: of this family's database.
        """
        ends.sort()
        text, starts, origins = _pieces(data, ends, used)
        found: dict[int, list[int]] = {}

        def note(member: int, _start: int, end: int, _flags: int, _context: object) -> None:
            piece = bisect_right(starts, end - 1) - 1
            found.setdefault(self.members[member], []).append(origins[piece] + end - starts[piece])

        self.database.scan(text, note, scratch=scratch)
        return found


def _pieces(data: Data, ends: list[int], used: int) -> tuple[bytes, list[int], list[int]]:
    """Cut out what stands around the hits; hits close to one another share a piece.

    Returns:
        The pieces in one text, where each begins in it, and where each comes from.
    """
    pieces: list[bytes] = []
    starts: list[int] = []
    origins: list[int] = []
    at, first, last = 0, ends[0], ends[0]

    def cut() -> None:
        nonlocal at
        low = max(0, first - _BEFORE)
        pieces.append(bytes(data[low : min(used, last + _AFTER)]))
        starts.append(at)
        origins.append(low)
        at += len(pieces[-1]) + len(_BETWEEN)

    for end in ends:
        if end - last > _BEFORE + _AFTER:
            cut()
            first = end
        last = end
    cut()
    return _BETWEEN.join(pieces), starts, origins
