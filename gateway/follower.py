"""One connection to the key store: has anybody written, what changed, whose is this hash.

Look-ups are plain SQL on the driver's own cursor: building a statement with SQLAlchemy for each
costs far more than SQLite's answer.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from hmac import compare_digest
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from database.schema import keys
from keystore import feed, query
from keystore.keys import SHA256, Key, key_of
from vocabulary.credential import Credential

_CHANGES_AT_ONCE = 1000
_COLUMNS = tuple(column.name for column in keys.columns)
_TOUCHED = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT max(seq) FROM changes"}
_MARKS = {"sqlite": "?", "postgresql": "%s"}


class Question(msgspec.Struct, frozen=True):
    """A credential that is not in the cache; `digest` is the SHA-256 of the key."""

    digest: bytes
    credential: Credential


class Follower:
    """A connection of its own to one database file or server.

    Args:
        engine: from `open_database`.
        place: see `place_of`.
    """

    def __init__(self, engine: Engine, place: tuple[int, ...]) -> None:
        self.place = place
        self._touched = _TOUCHED[engine.dialect.name]
        self._mark = _MARKS[engine.dialect.name]
        self._version: object = self
        # Not one from the pool: it could still hold the file that had this name before.
        engine.dispose()
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.detach()

    def is_touched(self) -> bool:
        """Whether anybody may have committed since this was asked last."""
        ((version,),) = self._rows(self._touched)
        touched: bool = version != self._version
        self._version = version
        return touched

    def changes_since(self, seen: int | None) -> tuple[int, list[feed.Change] | None]:
        """Return the number of the newest change and the changes after `seen`.

        None in place of changes when some are missing, or too many to be told one by one.
        """
        with self._reading() as connection:
            if seen is not None:
                changes = feed.changes_since(connection, seen, _CHANGES_AT_ONCE)
                if not changes and feed.head(connection) == seen:
                    return seen, []
                if changes and _is_complete(changes, seen):
                    return changes[-1].seq, changes
            return feed.head(connection), None

    def keys(self, ids: set[str]) -> Mapping[str, Key]:
        """Return those of the keys that exist, as they are now."""
        with self._reading() as connection:
            return query.by_ids(connection, ids)

    def look_up(self, questions: Sequence[Question]) -> tuple[tuple[bytes, Key | None], ...]:
        """Answer the questions in one statement."""
        wanted = {
            value: None
            for question in questions
            for value in (question.credential.sha256, *question.credential.hmacs.values())
        }
        rows = self._rows(_by_hashes(len(wanted), self._mark), tuple(wanted))
        found = {key.hash: key for key in map(_key, rows)}
        return tuple((q.digest, _match(q.credential, found)) for q in questions)

    def close(self) -> None:
        """Give the connection back, whatever state it is in."""
        with suppress(SQLAlchemyError, OSError):
            self._connection.close()

    def _rows(self, statement: str, values: tuple[str, ...] = ()) -> Sequence[Sequence[Any]]:
        # Past SQLAlchemy, which would also open a transaction: in one, data_version stands still.
        cursor = self._connection.connection.cursor()
        try:
            cursor.execute(statement, values)
            return cursor.fetchall()
        finally:
            cursor.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._connection.begin():
            yield self._connection


def place_of(engine: Engine) -> tuple[int, ...]:
    """Tell which file the database is, so that another under its name, or none, is noticed.

    An open file stays readable after it was deleted, replaced or forbidden; whoever does that
    means it. Size and times are part of it: a file that was written over is read anew.

    Returns:
        Device and inode, then size and times; nothing for a server.

    Raises:
        OSError: when there is no such file.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path:
        return ()
    found = os.stat(path)  # noqa: PTH116  (called fifty times a second)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=256)
def _by_hashes(count: int, mark: str) -> str:
    # a client's secret or a token's name is no API key, though it lives the same life
    marks = ",".join([mark] * count)
    return f"SELECT {','.join(_COLUMNS)} FROM keys WHERE hash IN ({marks}) AND kind = 'key'"  # noqa: S608


def _key(row: Sequence[Any]) -> Key:
    return key_of(dict(zip(_COLUMNS, row, strict=True)))


def _match(credential: Credential, found: Mapping[str, Key]) -> Key | None:
    """Return the key whose hash is the credential's, made the way that the key was.

    The whole hash is compared once more, in constant time: what the database calls equal is its
    own affair (collations, indices).
    """
    for origin, value in ((SHA256, credential.sha256), *credential.hmacs.items()):
        key = found.get(value)
        if key is not None and key.pepper_id == origin and compare_digest(key.hash, value):
            return key
    return None


def _is_complete(changes: list[feed.Change], seen: int) -> bool:
    """Whether no change is missing, none says that everything changed, and none is left."""
    in_turn = changes[0].seq == seen + 1 and changes[-1].seq == seen + len(changes)
    everything = any(change.key_id == feed.EVERYTHING for change in changes)
    return in_turn and not everything and len(changes) < _CHANGES_AT_ONCE
