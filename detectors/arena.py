"""The profiles in memory: one structured array, and the place of each key in it."""

from collections.abc import Sequence

import numpy as np

from detectors.profile import Rows, blank
from vocabulary.access import Ints

FIRST = 1024


class Arena:
    """Rows by key; grows by half without copying more than the system must."""

    def __init__(self) -> None:
        self.rows: Rows = blank(FIRST)
        self._slots: dict[str, int] = {}
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def slots(self, keys: Sequence[str]) -> Ints:
        """Return the places of the keys; those that were never seen get a blank row."""
        found = [self._slots.get(key, -1) for key in keys]
        for i, slot in enumerate(found):
            if slot < 0:
                found[i] = self._add(keys[i])
        return np.array(found, np.int64)

    def _add(self, key: str) -> int:
        slot = self._slots[key] = len(self._names)
        self._names.append(key)
        if slot >= len(self.rows):
            grown = blank(slot + slot // 2)
            grown[:slot] = self.rows
            self.rows = grown
        return slot
