"""Which objects of a folder are read: a row each while it is new, eight bytes each after that.

What is remembered is never asked for its time: a name that was read is not read again, however
late, touched or copied its object is, and one that was not is read whenever it comes.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, delete, insert, select

from database.listed import among
from database.schema import positions, read_objects
from database.transaction import reading, transaction
from streams import checkpoint
from streams.checkpoint import Position

Digests = npt.NDArray[np.uint64]

_BYTES = 8
_AT_ONCE = 5000
"""Rows of one statement; databases count the values in it."""

_TIMES = ("newest_ms", "lag_ms")


def digests(keys: Iterable[str]) -> Digests:
    """Return what is remembered of names: of a billion, two are alike with a chance of 3 %."""
    hashed = (blake2b(_bytes(key), digest_size=_BYTES).digest() for key in keys)
    return np.frombuffer(b"".join(hashed), "<u8").astype(np.uint64)


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


class Names:
    """Names that are read for good.

    Args:
        known: their digests, in any order.
    """

    def __init__(self, known: Digests) -> None:
        self._known = np.unique(known)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, keys: Iterable[str]) -> None:
        """Take in more of them."""
        self._known = np.union1d(self._known, digests(keys))

    def without(self, keys: Sequence[str]) -> list[str]:
        """Return those of the names that are not among them, in their order."""
        if not len(self._known):
            return list(keys)
        asked = digests(keys)
        at = np.minimum(np.searchsorted(self._known, asked), len(self._known) - 1)
        fresh = self._known[at] != asked
        return [key for key, is_fresh in zip(keys, fresh.tolist(), strict=True) if is_fresh]

    def among(self, listed: Digests) -> Digests:
        """Return the digests of those that are listed."""
        return np.intersect1d(self._known, listed)


class ObjectMemory:
    """What the database knows of the objects of one folder.

    Args:
        engine: the database.
        folder: name of the source.
        clock: epoch seconds.
    """

    def __init__(self, engine: Engine, folder: str, clock: Callable[[], float] = time.time) -> None:
        self._engine, self._folder, self._clock = engine, folder, clock
        self._prefix = f"{folder}/"

    def positions(self) -> dict[str, Position]:
        """Return the positions of objects that have a row of their own, by their names."""
        with reading(self._engine) as connection:
            found = checkpoint.under(connection, self._prefix)
        return {name.removeprefix(self._prefix): one for name, one in found.items()}

    def names(self) -> Names:
        """Return the names that have none any more."""
        asked = select(read_objects.c.names).where(read_objects.c.folder == self._folder)
        with reading(self._engine) as connection:
            parts = [bytes(part) for part in connection.execute(asked).scalars()]
        return Names(np.frombuffer(b"".join(parts), "<u8").astype(np.uint64))

    def archive(self, keys: Sequence[str]) -> None:
        """Put names in place of the rows of objects that are read to their end, part by part.

        Raises:
            DatabaseError: some are as they were; none is lost.
        """
        for first in range(0, len(keys), _AT_ONCE):
            self._archive(keys[first : first + _AT_ONCE])

    def _archive(self, keys: Sequence[str]) -> None:
        rows = [f"{self._prefix}{key}" for key in keys]
        with transaction(self._engine) as connection:
            self._sum_up(connection, rows)
            connection.execute(delete(positions).where(among(positions.c.source, rows)))
            self._insert(connection, digests(keys))

    def replace(self, names: Digests) -> None:
        """Remember these names and no others.

        Raises:
            DatabaseError: everything is as it was.
        """
        with transaction(self._engine) as connection:
            mine = read_objects.c.folder == self._folder
            connection.execute(delete(read_objects).where(mine))
            self._insert(connection, names)

    def _insert(self, connection: Connection, names: Digests) -> None:
        row = {"folder": self._folder, "names": names.astype("<u8").tobytes()}
        connection.execute(insert(read_objects), [row])

    def _sum_up(self, connection: Connection, rows: Sequence[str]) -> None:
        """Keep for the folder what status says of it: how many, how far in time."""
        asked = select(positions).where(among(positions.c.source, [*rows, self._folder]))
        found = connection.execute(asked).all()
        before: Mapping[str, Any] = next(
            (row.position for row in found if row.source == self._folder), {}
        )
        newest: Position = max((row.position for row in found), key=_newest, default={})
        at = max((row.updated_at for row in found), default=self._clock())
        told = {name: newest[name] for name in _TIMES if name in newest}
        number = int(before.get("archived", 0)) + len(rows)
        position = {"folder": self._folder, "done": True, "archived": number, **told}
        checkpoint.save(connection, self._folder, position, at)


def _newest(position: Position) -> int:
    return int(position.get("newest_ms", 0))
