"""Which profiles wait to be written whole, those that have waited longest first."""

from collections import deque

import numpy as np

from vocabulary.access import Flags, Ints

FIRST = 1024


class Waiting:
    """A queue of places, each at most once, with the batch since which it waits."""

    def __init__(self) -> None:
        self._since: Ints = np.zeros(FIRST, np.int64)
        self._queue: deque[tuple[int, Ints]] = deque()

    def add(self, slots: Ints, batch: int) -> None:
        """Have distinct places wait; those that do already keep their turn."""
        if not len(slots):
            return
        highest = int(slots.max()) + 1
        if highest > len(self._since):
            self._since.resize(max(highest, len(self._since) * 3 // 2), refcheck=False)
        new = slots[self._since[slots] == 0]
        if len(new):
            self._since[new] = batch
            self._queue.append((batch, new))

    def take(self, most: int) -> Ints:
        """Return the places that have waited longest, so many at most; they wait no more."""
        found = [np.zeros(0, np.int64)]
        while self._queue and most > 0:
            batch, slots = self._queue.popleft()
            found.append(slots[:most])
            if len(slots) > most:
                self._queue.appendleft((batch, slots[most:]))
            most -= len(found[-1])
        taken = np.concatenate(found)
        self._since[taken] = 0
        return taken

    def oldest(self) -> int:
        """Return the batch since which the first one waits; 0 where none does."""
        return self._queue[0][0] if self._queue else 0

    def waits(self, slots: Ints) -> Flags:
        """Say of each place whether it waits."""
        inside = slots < len(self._since)
        return np.asarray(inside & (self._since[np.where(inside, slots, 0)] > 0), np.bool_)
