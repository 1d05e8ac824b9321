"""Stretches of many texts that hyperscan reads at once, each of them once.

What changed between two versions stands in the differences of many others: it is read where it is
met first, and what was said of it holds wherever it stands.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from scanner.hits import Hits

Hit = tuple[int, int]
"""The number of what hyperscan saw, and where it ended."""
Looked = dict[int, Sequence[Hit]]
"""Hash of a stretch → hits in it, counted from its beginning."""


_BETWEEN = b"\n\0\n"


class Stretches:
    """Stretches that hyperscan reads at once, each with the texts in which it stands."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.said: Looked = {}
        self._keys: list[int] = []
        self._owners: dict[int, list[tuple[Hits, int]]] = {}
        self._pieces: list[bytes] = [b"\n"]
        self._size = 1

    def add(self, key: int, stretch: bytes, hits: Hits, begin: int) -> None:
        """Take in a stretch of the text whose hits these are."""
        owners = self._owners.setdefault(key, [])
        owners.append((hits, begin))
        if len(owners) > 1:
            return
        self._keys.append(key)
        self.said[key] = ()
        self.starts.append(self._size)
        self._pieces += (stretch, _BETWEEN)
        self._size += len(stretch) + len(_BETWEEN)

    def joined(self) -> bytes:
        """Return all stretches, with something between them."""
        return b"".join(self._pieces)

    def tell(self, number: int, ends: Iterable[int]) -> None:
        """Pass hits on to all texts in which they stand."""
        for end in ends:
            at = max(bisect_right(self.starts, end - 1) - 1, 0)
            key, stop = self._keys[at], end - self.starts[at]
            self.said[key] = (*self.said[key], (number, stop))
            for hits, begin in self._owners[key]:
                hits.setdefault(number, []).append(begin + stop)
