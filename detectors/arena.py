"""The profiles in memory: one structured array, and the place of each key in it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat

import numpy as np

from detectors.fleet import hashes
from detectors.profile import PROFILE, Rows, Words, picked, words_of
from vocabulary.access import Ints

FIRST = 1024
ROOM = 16
"""When there are too many rows, one in so many makes room at once."""
Load = Callable[[Sequence[str]], Mapping[str, Rows]]
MayGo = Callable[[str], bool]


class Arena:
    """Rows by key.

    Args:
        load: gives the rows of keys that are not here yet, if they have any.

    Attributes:
        codes: by place, a hash of the key's name.
    """

    def __init__(self, load: Load) -> None:
        self.rows: Rows = np.zeros(FIRST, PROFILE)
        self._load = load
        self._slots: dict[str, int] = {}
        self._names: list[str] = []
        self._free: list[int] = []
        self.codes: Ints = np.zeros(FIRST, np.int64)
        self._used = np.zeros(FIRST, np.int64)
        self._turn = 0

    def __len__(self) -> int:
        return len(self._slots)

    def slots(self, keys: Sequence[str]) -> Ints:
        """Return the places of distinct keys; those that are not here are loaded."""
        found = np.fromiter(map(self._slots.get, keys, repeat(-1)), np.int64, len(keys))
        missing = np.flatnonzero(found < 0)
        if len(missing):
            names = [keys[i] for i in missing.tolist()]
            found[missing] = self._placed(names)
        self._turn += 1
        self._used[found] = self._turn
        return found

    def of(self, keys: Sequence[str]) -> Rows:
        """Return copies of the rows of distinct keys."""
        return self.gathered(self.slots(keys))

    def gathered(self, slots: Ints) -> Rows:
        """Return copies of the rows at these places."""
        return picked(self.rows, slots)

    def put(self, slots: Ints, rows: Rows) -> Words:
        """Put rows back to their places; return what was there."""
        words = words_of(self.rows)
        before = words.take(slots, axis=0)
        words[slots] = words_of(rows)
        return before

    def make_room(self, most: int, may_go: MayGo) -> list[str]:
        """Let go of the rows that were used longest ago, if there are more than `most`.

        Args:
            most: rows.
            may_go: says of a key whether its row can be had again.

        Returns:
            The keys whose rows are gone.
        """
        if len(self) <= most:
            return []
        here = np.fromiter(self._slots.values(), np.int64, len(self))
        count = len(self) - most + most // ROOM
        oldest = here[np.argsort(self._used[here], kind="stable")[:count]]
        gone = [name for name in map(self._names.__getitem__, oldest.tolist()) if may_go(name)]
        self._free += [self._slots.pop(name) for name in gone]
        return gone

    def _placed(self, names: list[str]) -> Ints:
        """Load rows and give them places: those that became free, then new ones."""
        stored = self._load(names)
        again = min(len(self._free), len(names))
        begin, more = len(self._names), len(names) - again
        slots = self._free[len(self._free) - again :] + list(range(begin, begin + more))
        del self._free[len(self._free) - again :]
        self._reserve(begin + more)
        self._names.extend(names[again:])
        for slot, name in zip(slots[:again], names, strict=False):
            self._names[slot] = name
        self._slots.update(zip(names, slots, strict=True))
        # New memory is zero, and stays untouched until there is something to remember.
        words_of(self.rows)[slots[:again]] = 0
        placed = np.array(slots, np.int64)
        self.rows["day"][placed] = -1
        self.codes[placed] = hashes(names)
        for name, row in stored.items():
            self.rows[self._slots[name]] = row[0]
        return placed

    def _reserve(self, count: int) -> None:
        if count > len(self.rows):
            size = max(count, len(self.rows) * 3 // 2)
            # In place: the system moves the pages, and untouched ones cost nothing.
            self.rows.resize(size, refcheck=False)
            self._used.resize(size, refcheck=False)
            self.codes.resize(size, refcheck=False)
