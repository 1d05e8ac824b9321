"""Which keys may have a stored profile, so that keys never seen cost no question."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, select

from database.schema import profiles
from vocabulary.access import Ints

MANY = 5000
"""Keys that are asked for one by one before all stored ones are read."""
YOUNG = 1 << 16


class StoredKeys:
    """The hashes of the keys in the table, eight bytes each.

    Only where nobody else writes profiles, which holds for the file of an embedded database; of
    a server's table nothing is remembered.
    """

    def __init__(self) -> None:
        self._known: Ints | None = None
        self._young: set[int] = set()
        self._asked = 0

    def among(self, connection: Connection, keys: Sequence[str]) -> list[str]:
        """Return the keys that may have a row."""
        self._asked += len(keys)
        if connection.dialect.name != "sqlite" or self._asked <= MANY:
            return list(keys)
        if self._known is None:
            found = connection.execute(select(profiles.c.key_id)).scalars()
            self._known = np.unique(np.fromiter(map(hash, found), np.int64))
        if not len(self._known) and not self._young:
            return []
        codes = np.fromiter(map(hash, keys), np.int64, len(keys))
        may = self._among(self._known, codes)
        if self._young:
            may |= np.fromiter(map(self._young.__contains__, codes.tolist()), np.bool_, len(keys))
        return [keys[i] for i in np.flatnonzero(may).tolist()]

    def add(self, keys: Sequence[str]) -> None:
        """Add keys that have a row by now."""
        self._young.update(map(hash, keys))
        if self._known is not None and len(self._young) > YOUNG:
            young = np.fromiter(self._young, np.int64, len(self._young))
            self._known = np.unique(np.concatenate((self._known, young)))
            self._young.clear()

    @staticmethod
    def _among(known: Ints, codes: Ints) -> np.ndarray:
        if not len(known):
            return np.zeros(len(codes), np.bool_)
        place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return np.asarray(known[place] == codes)
