"""The profiles in memory: rows in one structured array, first events in another, by key."""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat

import numpy as np

from detectors import terms
from detectors.plots import Plots
from detectors.profile import (
    ENDPOINTS,
    NEW_ENDPOINTS,
    PENDING,
    PROFILE,
    Rows,
    Words,
    blank,
    last_of,
    latest,
    rows_of,
    words_of,
)
from detectors.records import taken, whole
from detectors.scoring import networks
from detectors.seeds import SEED, SeedBed, Seeds
from vocabulary.access import Codes, Flags, Ints

FIRST = 1024
ROOM = 16
"""When there are too many keys, one in so many makes room at once."""
Load = Callable[[Sequence[str]], Mapping[str, Rows | Seeds]]
MayGo = Callable[[Sequence[str], Ints], Flags]

_SLOT = {
    "codes": np.int64,
    "clock": np.int64,
    "count": np.uint8,
    "network": np.uint32,
    "_last": np.int64,
    "_row": np.int64,
    "_used": np.int64,
}


class Arena:
    """Profiles by key. A key has a place; there is a row, or there are seeds, or nothing yet.

    Args:
        load: gives the rows or seeds of keys that are not here yet, if they have any.

    Attributes:
        codes: by place, a hash of the key's name.
        clock: by place, the key's clock; 0 for a key that was never seen.
        count: by place, the number of its seeds.
        network: by place, where its seeds came from.
    """

    codes: Ints
    clock: Ints
    count: np.ndarray
    network: np.ndarray
    _last: Ints
    _row: Ints
    _used: Ints

    def __init__(self, load: Load) -> None:
        self._load = load
        self._slots: dict[str, int] = {}
        self._names: list[str] = []
        self._free: list[int] = []
        for name, kind in _SLOT.items():
            setattr(self, name, np.zeros(FIRST, kind))
        self._rows = Plots()
        self._bed = SeedBed()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def names(self) -> list[str]:
        """The keys that are here."""
        return list(self._slots)

    def slots(self, keys: Sequence[str]) -> Ints:
        """Return the places of distinct keys; those that are not here are loaded."""
        found = np.fromiter(map(self._slots.get, keys, repeat(-1)), np.int64, len(keys))
        missing = np.flatnonzero(found < 0)
        if len(missing):
            names = list(keys) if len(missing) == len(keys) else [keys[i] for i in missing.tolist()]
            found[missing] = self._placed(names)
        self._turn += 1
        self._used[found] = self._turn
        return found

    def in_order(self, keys: Sequence[str]) -> tuple[Ints, Ints | None]:
        """Return the places of distinct keys as their rows lie in memory, and which key is where.

        None for the keys' own order: so they are where few of them have rows.
        """
        slots = self.slots(keys)
        rows = self._row[slots]
        few = 2 * np.count_nonzero(rows) < len(rows)
        if few or bool((rows[1:] >= rows[:-1]).all()):
            return slots, None
        order = np.argsort(rows, kind="stable")
        return slots[order], order

    def has_row(self, slots: Ints) -> Flags:
        """Return of which places there is a row."""
        return np.asarray(self._row[slots] > 0, np.bool_)

    def heir_of(self, slot: int) -> int:
        """Return the mark of the key whose profile the one at this place took over; 0 for none."""
        at = int(self._row[slot])
        return int(rows_of(self._rows.one(at)[None])["heir"][0]) if at else 0

    def gathered(self, slots: Ints) -> Rows:
        """Return copies of the rows at these places; where there is none, of an unseen key."""
        at = self._row[slots]
        there = np.flatnonzero(at)
        if len(there) == len(at):
            return rows_of(self._rows.taken(at))
        if not len(there):
            return blank(len(at))
        # Number 0 is nobody's, and its row is empty.
        rows = rows_of(self._rows.taken(at))
        rows["day"][at == 0] = -1
        return rows

    def put(self, slots: Ints, rows: Rows) -> None:
        """Put rows to their places, instead of seeds if there are any."""
        new = slots[self._row[slots] == 0]
        if len(new):
            self._row[new] = self._rows.more(len(new))
            self._uproot(new)
        self._rows.put(self._row[slots], words_of(rows))
        self.clock[slots] = latest(rows)

    def pending(self, slots: Ints) -> np.ndarray:
        """Return copies of what waits beside the rows at these places; see `pending`."""
        return self._rows.field(self._row[slots], "pending").view(PENDING)

    def wait(self, slots: Ints, held: np.ndarray) -> None:
        """Put what waits beside rows, of each at least one event."""
        self._rows.put_field(self._row[slots], "pending", whole(held))
        self.clock[slots] = last_of(held)

    def knows(self, slots: Ints, endpoint: np.ndarray) -> Flags:
        """Say whether there is an endpoint in each of these rows, known or waiting to be."""
        at, wanted = self._row[slots], endpoint.astype(np.uint32)[:, None]
        known = self._rows.field(at, "endpoint").view(np.uint32).reshape(-1, ENDPOINTS)
        found = np.asarray((known == wanted).any(axis=1), np.bool_)
        rest = np.flatnonzero(~found)
        new = self._rows.field(at[rest], "endpoint_new").view(np.uint32)
        found[rest] = (new.reshape(-1, NEW_ENDPOINTS) == wanted[rest]).any(axis=1)
        return found

    def seeds(self, slots: Ints) -> tuple[Codes, Seeds]:
        """Return the seeds at these places in order, and for each the index of its place."""
        return self._bed.of(self._last[slots], self.count[slots].astype(np.int64))

    def sow(self, slots: Ints, row: Codes, seeds: Seeds) -> None:
        """Add seeds, in order of their places, to places that have no row.

        Args:
            slots: distinct places.
            row: shape (n,), index of each seed's place, never decreasing, every place present.
            seeds: shape (n,).
        """
        self._last[slots] = self._bed.sow(row, seeds, self._last[slots])
        self.count[slots] += np.bincount(row, minlength=len(slots)).astype(np.uint8)
        last = np.append(np.flatnonzero(row[1:] != row[:-1]), len(row) - 1)
        self.clock[slots] = seeds["t"][last]
        self.network[slots] = networks(taken(seeds, last))

    def kept_at(self, slots: Ints) -> tuple[list[str], list[Words | Seeds]]:
        """Return the keys at distinct places, and their rows (as words) or seeds."""
        row, seeds = self.seeds(slots)
        edges = np.searchsorted(row, np.arange(len(slots) + 1))
        at, word = self._row[slots].tolist(), self._rows.one
        names = list(map(self._names.__getitem__, slots.tolist()))
        return names, [word(n) if n else seeds[edges[i] : edges[i + 1]] for i, n in enumerate(at)]

    def make_room(self, most: int, may_go: MayGo) -> list[str]:
        """Let go of the keys that were used longest ago, if there are more than `most`.

        Args:
            most: keys.
            may_go: says of keys and their places whether their profiles can be had again.

        Returns:
            The keys that are gone.
        """
        if len(self) <= most:
            return []
        here = np.fromiter(self._slots.values(), np.int64, len(self))
        count = len(self) - most + most // ROOM
        oldest = here[np.argsort(self._used[here], kind="stable")[:count]]
        at = oldest[may_go([self._names[slot] for slot in oldest.tolist()], oldest)]
        gone = [self._names[slot] for slot in at.tolist()]
        self._free += [self._slots.pop(name) for name in gone]
        self._rows.free(self._row[at[self._row[at] > 0]])
        self._row[at] = 0
        self._uproot(at)
        return gone

    def _uproot(self, slots: Ints) -> None:
        """Forget the seeds at these places."""
        self._bed.forget(int(self.count[slots].sum()))
        self._last[slots], self.count[slots] = 0, 0
        if self._bed.wasteful():
            living = np.flatnonzero(self.count)
            row, seeds = self.seeds(living)
            self._bed.clear()
            self._last[living] = self._bed.sow(row, seeds, np.zeros(len(living), np.int64))

    def _placed(self, names: list[str]) -> Ints:
        """Load profiles and give them places: those that became free, then new ones."""
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
        placed = np.array(slots, np.int64)
        self.clock[placed] = 0
        self.codes[placed] = terms.keys(names)
        self._fill(stored)
        return placed

    def _fill(self, stored: Mapping[str, Rows | Seeds]) -> None:
        """Put to their places what was loaded."""
        rows = {name: one for name, one in stored.items() if one.dtype == PROFILE}
        seeds = {name: one for name, one in stored.items() if one.dtype == SEED and len(one)}
        if rows:
            slots = np.array([self._slots[name] for name in rows], np.int64)
            self.put(slots, rows_of(np.concatenate([words_of(one) for one in rows.values()])))
        if seeds:
            slots = np.array([self._slots[name] for name in seeds], np.int64)
            lengths = [len(one) for one in seeds.values()]
            row = np.repeat(np.arange(len(seeds), dtype=np.int32), lengths)
            self.sow(slots, row, np.concatenate(list(seeds.values())))

    def _reserve(self, count: int) -> None:
        if count > len(self.codes):
            size = max(count, len(self.codes) * 3 // 2)
            for name in _SLOT:
                getattr(self, name).resize(size, refcheck=False)
