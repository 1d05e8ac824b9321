"""Which keys may have a stored profile, so that keys never seen cost no question."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, select

from database.schema import profiles
from vocabulary.access import Flags, Ints

MANY = 5000
"""Keys that are asked for one by one before all stored ones are read."""

BITS = 1 << 27
"""Of the filter, 16 MiB: with ten million keys one in 250 unknown ones is asked for in vain, with
thirty million one in eight."""

_MARKS = 4
_PART = 1 << 16


class StoredKeys:
    """A Bloom filter of the keys in the table: as large for a hundred million keys as for one.

    Only where nobody else writes profiles, which holds for the file of an embedded database; of
    a server's table nothing is remembered.

    https://doi.org/10.1145/362686.362692 (B. H. Bloom, 1970)
    """

    def __init__(self) -> None:
        self._filter: np.ndarray | None = None
        self._asked = 0

    def among(self, connection: Connection, keys: Sequence[str]) -> list[str]:
        """Return the keys that may have a row."""
        self._asked += len(keys)
        if connection.dialect.name != "sqlite" or self._asked <= MANY:
            return list(keys)
        if self._filter is None:
            self._filter = np.zeros(BITS // 8, np.uint8)
            for some in connection.execute(select(profiles.c.key_id)).scalars().partitions(_PART):
                self.add(some)
        may = self._has(self._filter, _places(keys))
        return [keys[i] for i in np.flatnonzero(may).tolist()]

    def add(self, keys: Sequence[str]) -> None:
        """Add keys that have a row by now."""
        if self._filter is not None:
            places = _places(keys).ravel()
            np.bitwise_or.at(self._filter, places >> 3, _bit(places))

    @staticmethod
    def _has(known: np.ndarray, places: Ints) -> Flags:
        return np.asarray((known[places >> 3] & _bit(places) != 0).all(axis=1))


def _places(keys: Sequence[str]) -> Ints:
    """Return the bits of each key, shape (n, 4), by double hashing."""
    codes = np.fromiter(map(hash, keys), np.int64, len(keys))
    low, high = codes & 0xFFFFFFFF, codes >> 32 & 0xFFFFFFFF | 1
    return np.asarray((low[:, None] + high[:, None] * np.arange(_MARKS)) & BITS - 1)


def _bit(places: Ints) -> np.ndarray:
    return np.asarray(np.left_shift(1, places & 7), np.uint8)
