"""The profiles in memory: one structured array, and the place of each key in it."""

from collections.abc import Callable, Sequence

import numpy as np

from detectors.profile import PROFILE, Rows
from vocabulary.access import Ints

FIRST = 1024
Load = Callable[[Sequence[str]], Rows]


class Arena:
    """Rows by key.

    Args:
        load: gives the rows of keys that are not here yet.
    """

    def __init__(self, load: Load) -> None:
        self.rows: Rows = np.zeros(FIRST, PROFILE)
        self._load = load
        self._slots: dict[str, int] = {}
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def slots(self, keys: Sequence[str]) -> Ints:
        """Return the places of distinct keys; those that are not here are loaded."""
        found = np.array([self._slots.get(key, -1) for key in keys], np.int64)
        missing = np.flatnonzero(found < 0)
        if len(missing):
            names = [keys[i] for i in missing.tolist()]
            begin = len(self._names)
            found[missing] = np.arange(begin, begin + len(names))
            self._reserve(begin + len(names))
            self.rows[begin : begin + len(names)] = self._load(names)
            self._slots.update(zip(names, range(begin, begin + len(names)), strict=True))
            self._names.extend(names)
        return found

    def of(self, keys: Sequence[str]) -> Rows:
        """Return copies of the rows of distinct keys."""
        return self.rows[self.slots(keys)]

    def _reserve(self, count: int) -> None:
        if count > len(self.rows):
            # In place: the system moves the pages, and untouched ones cost nothing.
            self.rows.resize(max(count, len(self.rows) * 3 // 2), refcheck=False)
