"""Profiles in the database: small differences with every batch, whole rows now and then.

A batch writes one row of differences: for each key it touched, the words of its profile that are
no longer what they were. Whole profiles follow a bounded number at a time, those that have
waited longest first; differences older than all that wait are deleted. A restart takes the
whole rows and applies the differences that are younger, which gives the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from sqlalchemy import Connection, Engine, LargeBinary, cast, delete, func, select

from database import bulk
from database.listed import among
from database.schema import profile_deltas, profiles, side_inputs
from database.transaction import reading
from detectors import endpoints, packing
from detectors.packing import Changed, CorruptError, Packer, Sown, pack, unpack
from detectors.profile import VERSION, Rows, Words, blank
from detectors.seeds import Seeds
from detectors.stored import StoredKeys
from detectors.waiting import Waiting
from vocabulary.access import Flags, Ints

__all__ = ["Changes", "CorruptError", "ProfileStore", "pack", "unpack"]

LEAST_CHECKPOINT = 1000
SHARE_CHECKPOINT, SHARE_SOWN = 4, 16
"""Whole profiles written with a batch: the larger of the least and a share of its events; a smaller
share of those that were merely kept, since there are few of a key, and small."""
ASKED_AT_ONCE = 500
FLEET, QUARANTINE, REBUILT = "fleet", "quarantine:", "rebuilt:"
_ROWS = select(
    profiles.c.key_id,
    profiles.c.version,
    profiles.c.as_of,
    cast(profiles.c.data, LargeBinary),  # SQLite lets somebody store a text there
)
"""Names of side inputs; of the latter two the key follows."""

SlotsOf = Callable[[Sequence[str]], Ints]
"""Keys → their places in memory; keys that are not there are loaded first."""
KeptAt = Callable[[Ints], tuple[list[str], list[Words | Seeds]]]
"""Places → their keys, and their rows or seeds."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch writes: its difference, whole rows, what may be forgotten, side inputs.

    And the profiles that could not be read, as they were; and rebuilt ones that were taken up.
    """

    batch: int
    delta: bytes
    whole: list[tuple[str, bytes]]
    oldest: int
    side: dict[str, bytes]
    quarantine: list[tuple[str, int, bytes]]
    done: list[str]
    shard: str = ""

    def write(self, connection: Connection) -> None:
        """Write all of it in the caller's transaction."""
        if self.delta:
            row = {
                "shard": self.shard,
                "batch": self.batch,
                "version": VERSION,
                "data": self.delta,
            }
            connection.execute(profile_deltas.insert(), [row])
        bulk.replace(connection, profiles, [(key, VERSION, self.batch, d) for key, d in self.whole])
        side = [(name, VERSION, data) for name, data in self.side.items()]
        bulk.replace(connection, side_inputs, [*side, *self.quarantine])
        if self.done:
            connection.execute(delete(side_inputs).where(side_inputs.c.name.in_(self.done)))
        connection.execute(
            delete(profile_deltas).where(
                profile_deltas.c.shard == self.shard, profile_deltas.c.batch < self.oldest
            )
        )


def offer(connection: Connection, key: str, data: bytes) -> None:
    """Leave a key's profile for the watcher to take up; see `ProfileStore.rebuilt`."""
    bulk.replace(connection, side_inputs, [(f"{REBUILT}{key}", VERSION, data)])


@dataclass(frozen=True, slots=True)
class Work:
    """What a batch did to profiles.

    Attributes:
        keys: those that it touched.
        slots: shape (k,), their places in memory.
        parts: the changes of rows, which point into `keys`.
        sown: the new seeds, likewise.
        events: how many it had.
        side: the side inputs as they are now.
    """

    keys: list[str]
    slots: Ints
    parts: Sequence[Changed]
    sown: Sown
    events: int
    side: dict[str, bytes]


@dataclass(slots=True)
class ProfileStore:
    """Where the watcher's profiles come from and go to.

    Attributes:
        engine: the database; None for a watcher that keeps nothing.
        shard: whose profiles; each shard has one writer at a time, and keys that are in no other.
        batch: number of the last batch of the shard.
        told: sentences about profiles that had to be given up, for the next step.
    """

    engine: Engine | None
    shard: str = ""
    batch: int = 0
    told: list[str] = field(default_factory=list)
    _waiting: Waiting = field(default_factory=Waiting)
    _dirty: dict[str, int] = field(default_factory=dict)
    _quarantine: list[tuple[str, int, bytes]] = field(default_factory=list)
    _done: list[str] = field(default_factory=list)
    _urgent: list[str] = field(default_factory=list)
    _read: dict[int, packing.Changes] = field(default_factory=dict)
    _behind: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    _stored: StoredKeys = field(default_factory=StoredKeys)
    _packer: Packer = field(default_factory=Packer)

    def names(self) -> dict[int, str]:
        """Return the names of endpoints that are kept."""
        if self.engine is None:
            return {}
        with reading(self.engine) as connection:
            return endpoints.load(connection)

    def open(self) -> dict[str, bytes]:
        """Read the differences that are not in whole rows yet; return the side inputs."""
        if self.engine is None:
            return {}
        with reading(self.engine) as connection:
            for batch, version, data in connection.execute(
                select(profile_deltas.c.batch, profile_deltas.c.version, profile_deltas.c.data)
                .where(profile_deltas.c.shard == self.shard)
                .order_by(profile_deltas.c.batch)
            ):
                self.batch = int(batch)
                if not self._take(int(batch), int(version), bytes(data)):
                    break
            as_of = connection.execute(select(func.max(profiles.c.as_of)))
            self.batch = max(self.batch, int(as_of.scalar() or 0))
            self._forget_whole(connection)
            asked = select(*side_inputs.c).where(side_inputs.c.name == self.fleet)
            side = connection.execute(asked).first()
        readable = side is not None and packing.is_known(int(side.version))
        return {FLEET: bytes(side.data)} if side is not None and readable else {}

    @property
    def fleet(self) -> str:
        """The name of the fleet's state, as this shard sees it."""
        return f"{FLEET}:{self.shard}" if self.shard else FLEET

    @property
    def unwritten(self) -> list[str]:
        """The keys of which differences are read, and no whole row holds them."""
        return list(self._dirty)

    def load(self, keys: Sequence[str]) -> dict[str, Rows | Seeds]:
        """Return the profiles of those keys that have one, each as one row or as its seeds."""
        found: dict[str, Rows | Seeds] = {}
        if self.engine is None:
            return found
        behind = self._behind and {k: self._behind.pop(k) for k in keys if k in self._behind}
        with reading(self.engine) as connection:
            for key, version, batch, data in self._asked(connection, keys):
                why = self._fill(found, key, version, data)
                young = [one for one in behind.pop(key, ()) if one[0] > batch]
                if why:
                    self._give_up(key, why, version, data)
                elif young:
                    behind[key] = young
        for key, parts in behind.items():
            kept = found.get(key, blank(1))
            for batch, part in parts:
                kept = self._read[batch].apply(part, kept)
            found[key] = kept
        if not self._behind:
            self._read.clear()
        return found

    def changes(self, work: Work, slots_of: SlotsOf, kept_at: KeptAt) -> Changes | None:
        """Return what a batch writes, or None for a watcher that keeps nothing.

        Args:
            work: what the batch did.
            slots_of: finds the profiles that are to be written whole.
            kept_at: gives them.
        """
        if self.engine is None:
            return None
        self.batch += 1
        self._waiting.add(work.slots, self.batch)
        kept = len(work.sown.seeds)
        share = (work.events - kept) // SHARE_CHECKPOINT + kept // SHARE_SOWN
        whole = kept_at(self._chosen(max(LEAST_CHECKPOINT, share), slots_of))
        waiting = [self._waiting.oldest(), *islice(self._dirty.values(), 1)]
        oldest = min(filter(None, waiting), default=self.batch + 1)
        delta = packing.pack_changes(work.keys, work.parts, work.sown)
        told = self._quarantine.copy(), self._done.copy()
        side = {self.fleet: work.side[FLEET]} if FLEET in work.side else {}
        self._quarantine.clear()
        self._done.clear()
        return Changes(self.batch, delta, self._packed(*whole), oldest, side, *told, self.shard)

    def _chosen(self, budget: int, slots_of: SlotsOf) -> Ints:
        """Return the places of so many profiles that have waited longest, and of urgent ones."""
        # What waits since before the start, by name, has waited longest.
        names = list(dict.fromkeys([*self._urgent, *islice(self._dirty, budget)]))
        self._urgent.clear()
        for name in names:
            self._dirty.pop(name, None)
        slots = slots_of(names) if names else np.zeros(0, np.int64)
        more = self._waiting.take(budget - len(names))
        return np.concatenate((slots, more[~np.isin(more, slots)])) if names else more

    def is_whole(self, keys: Sequence[str], slots: Ints) -> Flags:
        """Say of which keys the stored profile is all there is to know."""
        if self.engine is None:
            return np.zeros(len(keys), np.bool_)
        waits = self._waiting.waits(slots)
        if self._dirty:
            waits |= np.fromiter(map(self._dirty.__contains__, keys), np.bool_, len(keys))
        return ~waits

    def gone(self, keys: Sequence[str]) -> None:
        """Take note that these keys are in memory no more, and must be asked for again."""
        self._stored.add(keys)

    def _packed(
        self, keys: Sequence[str], kept: Sequence[Words | Seeds]
    ) -> list[tuple[str, bytes]]:
        pack = self._packer.pack
        return [(key, pack(key, one)) for key, one in zip(keys, kept, strict=True)]

    def _asked(
        self, connection: Connection, keys: Sequence[str]
    ) -> Iterator[tuple[str, int, int, bytes]]:
        """Yield the stored rows of those keys that have one."""
        keys = self._stored.among(connection, keys)
        for begin in range(0, len(keys), ASKED_AT_ONCE):
            some = keys[begin : begin + ASKED_AT_ONCE]
            found = connection.execute(_ROWS.where(among(profiles.c.key_id, some)))
            for key, version, batch, data in found:
                yield key, int(version), int(batch), bytes(data)

    def _forget_whole(self, connection: Connection) -> None:
        """Drop the differences that whole rows hold already."""
        keys = list(self._behind)
        for begin in range(0, len(keys), ASKED_AT_ONCE):
            some = keys[begin : begin + ASKED_AT_ONCE]
            found = select(profiles.c.key_id, profiles.c.as_of).where(
                among(profiles.c.key_id, some)
            )
            for key, as_of in connection.execute(found):
                young = [(batch, part) for batch, part in self._behind[key] if batch > as_of]
                if young:
                    self._behind[key] = young
                    self._dirty[key] = young[0][0]
                else:
                    del self._behind[key], self._dirty[key]
        self._dirty = dict(sorted(self._dirty.items(), key=lambda one: one[1]))

    def _take(self, batch: int, version: int, data: bytes) -> bool:
        try:
            delta = packing.unpack_changes(version, data)
        except CorruptError as error:
            self.told.append(
                f"the profiles' changes since batch {batch} cannot be read ({error}): "
                "profiles go on from their last whole state"
            )
            return False
        self._read[batch] = delta
        for key, part in delta.parts():
            self._behind.setdefault(key, []).append((batch, part))
            self._dirty.setdefault(key, batch)
        return True

    def _fill(self, found: dict[str, Rows | Seeds], key: str, version: int, data: bytes) -> str:
        try:
            found[key] = unpack(key, data, version)
        except CorruptError as error:
            return f"cannot be read ({error})"
        return ""

    def rebuilt(self, key: str) -> Rows | Seeds | None:
        """Return the profile that was put together for a key from its history, once."""
        if self.engine is None:
            return None
        name = f"{REBUILT}{key}"
        with reading(self.engine) as connection:
            asked = select(*side_inputs.c).where(side_inputs.c.name == name)
            found = connection.execute(asked).first()
        if found is None:
            return None
        self._done += [name, f"{QUARANTINE}{key}"]
        try:
            return unpack(key, bytes(found.data), int(found.version))
        except CorruptError as error:
            self.told.append(f"the rebuilt profile of {key} cannot be read ({error})")
            return None

    def _give_up(self, key: str, why: str, version: int, data: bytes) -> None:
        self.told.append(
            f"the profile of {key} {why}: it is kept aside, and the key is learned anew "
            f"(`keywatch keys rebuild {key}` puts it together from logs)"
        )
        self._quarantine.append((f"{QUARANTINE}{key}", version, data))
        self._urgent.append(key)
