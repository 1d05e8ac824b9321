"""Where long texts are cut so that what they have in common is cut alike.

Git stores some versions as differences from which little can be told: lines were indented anew or
moved, and what stands in both was copied in crumbs. Most of such a text has been read in another
version all the same. Cut at lines that are chosen by what stands around them, and by nothing else,
equal parts become equal chunks, each of which is read once.

A match may begin before the chunk in which it ends: in the same line it does not, since chunks are
whole lines; else it is read from `LEAD` before, and from as far as a match may reach where a rule
that spans more lines may be met at all.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import hyperscan
import msgspec
import numpy as np

from scanner.automaton import database_of
from scanner.confirm import REACH, Confirmer
from scanner.singleline import stays_within_line

LONG = 32 << 10
"""Bytes of a stretch that is worth being cut."""
LEAD = 1 << 10
"""Bytes before a chunk that are read with it."""
_BESIDE = 8  # bytes on either side of a line's beginning that choose it
_FEW = np.uint64(57)  # … one in 128 of them: as many bits are left of 64
_MIXED, _STIRRED = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)

_NONE = r"\xff\x00\xff\x00keywatch"
"""Stands in no text; hyperscan compiles one pattern at least."""
Chunk = tuple[int, int, int]
"""Where reading begins, where the chunk begins, and where it ends."""


class Cutter(msgspec.Struct):
    """One thread's way to cut texts; what rules need is found out with the first long text.

    Attributes:
        confirmers: of the rules.
    """

    confirmers: Sequence[Confirmer]
    _database: hyperscan.Database | None = None
    _scratch: hyperscan.Scratch | None = None

    def chunks(self, text: bytes, begin: int, end: int) -> Iterator[Chunk]:
        """Yield a long stretch of a text in chunks."""
        lead, at = REACH if self._spans(text) else LEAD, begin
        for stop in (*_cuts(text, begin, end), end):
            yield max(begin, at - lead), at, stop
            at = stop

    def _spans(self, text: bytes) -> bool:
        """Say whether a match may begin further than `LEAD` before the chunk in which it ends."""
        if self._database is None:
            self._database = _looked_for(_needles(self.confirmers))
            self._scratch = hyperscan.Scratch(self._database)
        met: list[int] = []
        self._database.scan(text, lambda *hit: met.append(hit[2]), scratch=self._scratch)
        return bool(met)


@lru_cache(maxsize=2)
def _looked_for(needles: tuple[str, ...]) -> hyperscan.Database:
    return database_of([_NONE, *needles])


def _needles(confirmers: Sequence[Confirmer]) -> tuple[str, ...]:
    """Return what stands in or near each match that spans lines and may be long."""
    words = {
        word.encode()
        for confirmer in confirmers
        if confirmer.bounds.before > LEAD and not stays_within_line(confirmer.rule.pattern)
        for word in confirmer.rule.keywords or ("\n",)
    }
    return tuple("(?i)" + "".join(f"\\x{byte:02x}" for byte in word) for word in sorted(words))


def _cuts(text: bytes, begin: int, end: int) -> list[int]:
    """Return where lines begin at which a stretch is cut."""
    if end - begin < 2 * _BESIDE:
        return []
    within = np.frombuffer(text, np.uint8, end - begin, begin)
    starts = np.flatnonzero(within[_BESIDE - 1 : -_BESIDE] == ord("\n")) + _BESIDE
    eights = np.ndarray((end - begin - _BESIDE + 1,), "<u8", text, begin, (1,))
    mixed = (eights[starts - _BESIDE] * _MIXED + eights[starts]) * _STIRRED
    chosen: list[int] = (starts[mixed >> _FEW == 0] + begin).tolist()
    return chosen
