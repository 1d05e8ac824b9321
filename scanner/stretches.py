"""Stretches of many texts that hyperscan reads at once, each of them once.

What changed between two versions stands in the differences of many others: it is read where it is
met first, and what was said of it holds wherever it stands.
"""

from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from scanner.hits import Hits

Hit = tuple[int, int]
"""The number of what hyperscan saw, and where it ended."""


class Said(msgspec.Struct):
    """What hyperscan said of a stretch.

    Attributes:
        hits: counted from its beginning.
        cleared: whether those that have been found to lead to nothing are left out.
    """

    hits: tuple[Hit, ...] = ()
    cleared: bool = False


Looked = dict[int, Said]
"""Hash of a stretch → what was said of it."""

_BETWEEN = b"\n\0\n"


class Stretches:
    """Stretches that hyperscan reads at once, each with the texts in which it stands."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.said: Looked = {}
        self._keys: list[int | None] = []
        self._owners: dict[int, list[tuple[Hits, int]]] = {}
        self._pieces: list[bytes] = [b"\n"]
        self._size = 1
        self._last: tuple[bytes, int] = (b"", -1)

    def add(self, key: int, text: bytes, stretch: tuple[int, int, int], hits: Hits) -> None:
        """Take in a stretch of the text whose hits these are.

        Args:
            key: hash of what is read.
            text: in which it stands.
            stretch: where reading begins, where the stretch begins, and where it ends; hits that
                end before it begins are another's.
            hits: of the text.
        """
        lead, begin, end = stretch
        owners = self._owners.setdefault(key, [])
        owners.append((hits, begin))
        if len(owners) > 1:
            return
        if self._last[0] is not text or self._last[1] != begin:
            self._put(_BETWEEN)
            if lead < begin:
                self._begin(None)
                self._put(text[lead:begin])
        self._begin(key)
        self.said[key] = Said()
        self._put(text[begin:end])
        self._last = text, end

    def _begin(self, key: int | None) -> None:
        self._keys.append(key)
        self.starts.append(self._size)

    def _put(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)

    def joined(self) -> bytes:
        """Return all stretches, with something between them."""
        return b"".join((*self._pieces, _BETWEEN))

    def tell(self, number: int, ends: Iterable[int]) -> None:
        """Pass hits on to all texts in which they stand."""
        said: dict[int, list[Hit]] = {}
        for end in ends:
            at = max(bisect_right(self.starts, end - 1) - 1, 0)
            key, stop = self._keys[at], end - self.starts[at]
            if key is None:
                continue
            said.setdefault(key, []).append((number, stop))
            for hits, begin in self._owners[key]:
                hits.setdefault(number, []).append(begin + stop)
        for key, more in said.items():
            self.said[key].hits += tuple(more)
