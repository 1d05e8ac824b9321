"""Profiles in the database: small differences with every batch, whole rows now and then.

A batch writes one row of differences: for each key it touched, the bytes of its profile after
the batch, exclusive-or those before. Whole profiles follow a bounded number at a time, those that
have waited longest first; differences older than all that wait are deleted. A restart takes
the whole rows and applies the differences that are younger, which gives the same bytes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from zlib import crc32

import msgspec
import numpy as np
import zstandard
from sqlalchemy import Connection, Engine, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from database.schema import profile_deltas, profiles, side_inputs
from database.transaction import reading
from detectors.profile import PROFILE, VERSION, Rows, blank

LEAST_CHECKPOINT = 1000
SHARE_CHECKPOINT = 4
"""Whole rows written with a batch: the larger of the least and a share of its events."""
ASKED_AT_ONCE = 500

RowsOf = Callable[[Sequence[str]], Rows]
"""Keys → their rows; keys that are not in memory are loaded first."""


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """The difference that a batch made: `bits` holds one row of exclusive-or a key."""

    keys: list[str]
    bits: bytes


class CorruptError(ValueError):
    """The stored bytes are not what was written."""


def pack(key: str, row: Rows) -> bytes:
    """Return the row, compressed, behind a checksum of key and row."""
    raw = row.tobytes()
    check = crc32(raw, crc32(key.encode())).to_bytes(4, "big")
    return check + zstandard.ZstdCompressor(level=1).compress(raw)


def unpack(key: str, data: bytes) -> Rows:
    """Return the row that `pack` packed.

    Raises:
        CorruptError: when the bytes are damaged or belong to another key.
    """
    try:
        raw = zstandard.ZstdDecompressor().decompress(data[4:], max_output_size=PROFILE.itemsize)
    except zstandard.ZstdError as error:
        raise CorruptError("cannot be decompressed") from error
    check = crc32(raw, crc32(key.encode())).to_bytes(4, "big")
    if len(raw) != PROFILE.itemsize or check != data[:4]:
        raise CorruptError("wrong checksum")
    return np.frombuffer(raw, PROFILE).copy()


def difference(keys: list[str], before: Rows, after: Rows) -> bytes:
    """Return the compressed difference between two states of some keys."""
    bits = before.view(np.uint8) ^ after.view(np.uint8)
    raw = msgspec.msgpack.encode(Delta(keys, bits.tobytes()))
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(raw)


def unpack_difference(version: int, data: bytes) -> Delta:
    """Return the difference that `difference` compressed.

    Raises:
        CorruptError: when the bytes are damaged or of another version.
    """
    if version != VERSION:
        raise CorruptError(f"of version {version}")
    try:
        raw = zstandard.ZstdDecompressor().decompress(data)
        return msgspec.msgpack.decode(raw, type=Delta)
    except (zstandard.ZstdError, msgspec.DecodeError) as error:
        raise CorruptError("damaged") from error


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch writes: its difference, whole rows, what may be forgotten, side inputs."""

    batch: int
    delta: bytes
    whole: list[tuple[str, bytes]]
    oldest: int
    side: dict[str, bytes]

    def write(self, connection: Connection) -> None:
        """Write all of it in the caller's transaction."""
        if self.delta:
            row = {"batch": self.batch, "version": VERSION, "data": self.delta}
            connection.execute(profile_deltas.insert(), [row])
        rows = [
            {"key_id": key, "version": VERSION, "as_of": self.batch, "data": data}
            for key, data in self.whole
        ]
        _replace(connection, profiles, rows)
        named = [{"name": n, "version": VERSION, "data": data} for n, data in self.side.items()]
        _replace(connection, side_inputs, named)
        connection.execute(delete(profile_deltas).where(profile_deltas.c.batch < self.oldest))


@dataclass(slots=True)
class ProfileStore:
    """Where the watcher's profiles come from and go to.

    Attributes:
        engine: the database; None for a watcher that keeps nothing.
        batch: number of the last batch.
        told: sentences about profiles that had to be given up, for the next step.
    """

    engine: Engine | None
    batch: int = 0
    told: list[str] = field(default_factory=list)
    _dirty: dict[str, int] = field(default_factory=dict)
    _urgent: list[str] = field(default_factory=list)
    _behind: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)

    def open(self) -> dict[str, bytes]:
        """Read the differences that are not in whole rows yet; return the side inputs."""
        if self.engine is None:
            return {}
        with reading(self.engine) as connection:
            for batch, version, data in connection.execute(
                select(*profile_deltas.c).order_by(profile_deltas.c.batch)
            ):
                self.batch = int(batch)
                if not self._take(int(batch), int(version), bytes(data)):
                    break
            as_of = connection.execute(select(func.max(profiles.c.as_of)))
            self.batch = max(self.batch, int(as_of.scalar() or 0))
            self._forget_whole(connection)
            sides = connection.execute(select(*side_inputs.c)).all()
        return {name: bytes(data) for name, version, data in sides if version == VERSION}

    def load(self, keys: Sequence[str]) -> Rows:
        """Return the profiles of keys that are not in memory, blank where there is none."""
        rows = blank(len(keys))
        if self.engine is None:
            return rows
        place = {key: i for i, key in enumerate(keys)}
        as_of = dict.fromkeys(keys, -1)
        lost: set[str] = set()
        with reading(self.engine) as connection:
            for begin in range(0, len(keys), ASKED_AT_ONCE):
                some = keys[begin : begin + ASKED_AT_ONCE]
                found = connection.execute(select(*profiles.c).where(profiles.c.key_id.in_(some)))
                for key, version, batch, data in found:
                    as_of[key] = int(batch)
                    why = self._fill(rows, place[key], key, int(version), bytes(data))
                    if why:
                        lost.add(key)
                        self._give_up(key, why)
        view = rows.view(np.uint8).reshape(len(rows), PROFILE.itemsize)
        for key in keys:
            for batch, bits in self._behind.pop(key, ()):
                if batch > as_of[key] and key not in lost:
                    view[place[key]] ^= np.frombuffer(bits, np.uint8)
        return rows

    def changes(
        self, keys: list[str], before: Rows, after: Rows, events: int, side: dict[str, bytes],
        rows_of: RowsOf,
    ) -> Changes | None:  # fmt: skip
        """Return what this batch writes, or None for a watcher that keeps nothing."""
        if self.engine is None:
            return None
        self.batch += 1
        for key in keys:
            self._dirty.setdefault(key, self.batch)
        budget = max(LEAST_CHECKPOINT, events // SHARE_CHECKPOINT)
        chosen = list(dict.fromkeys([*self._urgent, *islice(self._dirty, budget)]))
        self._urgent.clear()
        for key in chosen:
            self._dirty.pop(key, None)
        whole = [(key, pack(key, row)) for key, row in zip(chosen, rows_of(chosen), strict=True)]
        oldest = next(iter(self._dirty.values()), self.batch + 1)
        delta = difference(keys, before, after) if keys else b""
        return Changes(self.batch, delta, whole, oldest, side)

    def _forget_whole(self, connection: Connection) -> None:
        """Drop the differences that whole rows hold already."""
        keys = list(self._behind)
        for begin in range(0, len(keys), ASKED_AT_ONCE):
            some = keys[begin : begin + ASKED_AT_ONCE]
            found = select(profiles.c.key_id, profiles.c.as_of).where(profiles.c.key_id.in_(some))
            for key, as_of in connection.execute(found):
                young = [(batch, bits) for batch, bits in self._behind[key] if batch > as_of]
                if young:
                    self._behind[key] = young
                    self._dirty[key] = young[0][0]
                else:
                    del self._behind[key], self._dirty[key]
        self._dirty = dict(sorted(self._dirty.items(), key=lambda one: one[1]))

    def _take(self, batch: int, version: int, data: bytes) -> bool:
        try:
            delta = unpack_difference(version, data)
        except CorruptError as error:
            self.told.append(
                f"the profiles' changes since batch {batch} cannot be read ({error}): "
                "profiles go on from their last whole state"
            )
            return False
        size = PROFILE.itemsize
        for i, key in enumerate(delta.keys):
            self._behind.setdefault(key, []).append((batch, delta.bits[i * size : (i + 1) * size]))
            self._dirty.setdefault(key, batch)
        return True

    def _fill(self, rows: Rows, place: int, key: str, version: int, data: bytes) -> str:
        if version != VERSION:
            return f"is of version {version}, this keywatch knows {VERSION}"
        try:
            rows[place] = unpack(key, data)[0]
        except CorruptError as error:
            return f"is damaged ({error})"
        return ""

    def _give_up(self, key: str, why: str) -> None:
        self.told.append(f"the profile of {key} {why}: the key is learned anew")
        self._urgent.append(key)


def _replace(connection: Connection, table: Table, rows: Iterable[dict[str, object]]) -> None:
    values = list(rows)
    if not values:
        return
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    names = [column.name for column in table.primary_key]
    fresh = {c.name: insert.excluded[c.name] for c in table.c if c.name not in names}
    connection.execute(insert.on_conflict_do_update(index_elements=names, set_=fresh), values)
