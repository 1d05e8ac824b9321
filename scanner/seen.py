"""What earlier scans saw: objects that held nothing under these rules are not read again.

Kept in the user's cache, in SQLite, by repository, so that a scan loads the ids of one alone. Only
what was read whole and held nothing, not even something hidden or doubtful, is ever kept: what
holds a finding is read again each time, and is found again each time. Another rule set, another
version of the scanner or other marks to honour begin anew.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from scanner import cache

_FILE = "seen.sqlite"
_PARTS = 40
"""Parts that the ids of a repository may lie in before they are joined."""
_LARGEST = 256 << 20
_TABLES = """
CREATE TABLE IF NOT EXISTS history (
  id INTEGER PRIMARY KEY, repository BLOB NOT NULL, scanned_with BLOB NOT NULL, used REAL NOT NULL,
  hidden INTEGER NOT NULL DEFAULT 0, places BLOB NOT NULL DEFAULT x'',
  listing BLOB NOT NULL DEFAULT x'', again BLOB NOT NULL DEFAULT x'',
  UNIQUE (repository, scanned_with));
CREATE TABLE IF NOT EXISTS part (
  history INTEGER NOT NULL REFERENCES history ON DELETE CASCADE, width INTEGER NOT NULL,
  ids BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS part_of ON part (history);
"""


class Seen(msgspec.Struct):
    """The objects of one repository that were scanned with one rule set and held nothing.

    Attributes:
        hidden: matches that marks hid in them, for the receipt.
        places: what the scanner noted of where findings stand, as it was given to `keep`.
    """

    _file: Path
    _row: int
    hidden: int = 0
    places: bytes = b""
    _listing: bytes = b""
    _again: bytes = b""
    _loaded: frozenset[bytes] | None = None

    @property
    def _ids(self) -> frozenset[bytes]:
        if self._loaded is None:
            self._loaded = frozenset()  # what cannot be loaded was not seen
            with suppress(sqlite3.Error), closing(_opened(self._file)) as connection:
                parts = connection.execute(
                    "SELECT width, ids FROM part WHERE history = ?", (self._row,)
                )
                names = (name for width, raw in parts for name in _names(raw, width))
                self._loaded = frozenset(names)
        return self._loaded

    def again(self, listing: bytes) -> list[bytes] | None:
        """Return what has to be read of a repository that is as it was; None where it is not.

        Quicker than `unseen`: a listing that is the very same needs no ids to be loaded.

        Args:
            listing: digest of what git tells of all objects.
        """
        if not self._listing or listing != self._listing:
            return None
        return self._again.split()

    def __len__(self) -> int:
        """Return how many objects were seen."""
        return len(self._ids)

    def __contains__(self, name: bytes) -> bool:
        """Say whether an object, by its id in hex, was seen."""
        return name in self._ids

    def unseen(self, names: Sequence[bytes]) -> list[bytes]:
        """Return the object ids, in hex, that have to be read, in the order given."""
        known = self._ids
        return [name for name in names if name not in known]

    def gone(self, names: Iterable[bytes]) -> bool:
        """Say whether something that was seen is not among these."""
        return not self._ids.issubset(names)

    def keep(
        self,
        clean: Iterable[bytes],
        hidden: int = 0,
        places: bytes = b"",
        listing: bytes = b"",
        again: Iterable[bytes] = (),
    ) -> None:
        """Add objects that were read whole and held nothing; a full disk is no error.

        Args:
            clean: ids in hex, all of one length.
            hidden: matches that marks hid in them.
            places: replaces what was noted before.
            listing: digest of what git told of all objects, where all of them are seen now but for
                those named in `again`.
            again: ids of those that have to be read each time.
        """
        names = [name for name in clean if name not in self._ids]
        new, width = b"".join(names), len(names[0]) if names else 0
        noted = (places, listing, b" ".join(again))
        if not (new or hidden or noted != (self.places, self._listing, self._again)):
            return
        with suppress(sqlite3.Error, OSError), closing(_opened(self._file)) as connection:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                if new:
                    raw = bytes.fromhex(new.decode())
                    connection.execute(
                        "INSERT INTO part VALUES (?, ?, ?)", (self._row, width // 2, raw)
                    )
                connection.execute(
                    "UPDATE history SET hidden = hidden + ?, used = ?, places = ?, listing = ?, "
                    "again = ? WHERE id = ?",
                    (hidden, time.time(), *noted, self._row),
                )
                _join(connection, self._row)
            _shrink(connection, self._file)


def seen_of(repository: Path, rules: str, *, inline_ignores: bool) -> Seen | None:
    """Return what was seen of a repository; None where there is no cache to be trusted.

    Args:
        repository: absolute; the git directory that all worktrees share.
        rules: digest of the rule set.
        inline_ignores: whether marks in the text are honoured.
    """
    folder = cache.cache_dir()
    if folder is None or not _ours(folder / _FILE):
        return None
    named = blake2b(os.fsencode(repository), digest_size=16).digest()
    with_ = blake2b(f"{rules} {inline_ignores} {_code()}".encode(), digest_size=16).digest()
    try:
        return _loaded(folder / _FILE, named, with_)
    except sqlite3.DatabaseError:  # not a database any more: it is only a cache
        with suppress(OSError):
            (folder / _FILE).unlink()
        return None
    except (sqlite3.Error, OSError):
        return None


def _loaded(file: Path, repository: bytes, with_: bytes) -> Seen:
    with closing(_opened(file)) as connection:
        with connection:
            connection.execute(
                "INSERT OR IGNORE INTO history (repository, scanned_with, used) VALUES (?, ?, ?)",
                (repository, with_, time.time()),
            )
        found = connection.execute(
            "SELECT id, hidden, places, listing, again FROM history "
            "WHERE repository = ? AND scanned_with = ?",
            (repository, with_),
        ).fetchone()
    return Seen(file, *found)


def _names(raw: bytes, width: int) -> list[bytes]:
    """Return ids in hex; a part that was cut off counts as none."""
    if not raw or len(raw) % width:
        return []
    return raw.hex(" ", width).encode().split(b" ")


def _opened(file: Path) -> sqlite3.Connection:
    if not file.exists():
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(file, timeout=5, isolation_level=None)
    # a cache that is lost in a power failure costs one slow scan
    connection.executescript("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;" + _TABLES)
    return connection


def _ours(file: Path) -> bool:
    """Say whether a file is not there yet, or is a regular one that nobody else can touch."""
    try:
        return cache.private_file(file.lstat())
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _code() -> str:
    """Name the scanner's own code by what the file system tells of it."""
    here = Path(__file__).parent
    stated = []
    for folder in (here, here / "archives", here / "model"):
        for entry in os.scandir(folder):
            status = entry.stat()
            if entry.is_file():
                stated.append((entry.name, status.st_size, status.st_mtime_ns))
    return repr(sorted(stated))


def _join(connection: sqlite3.Connection, row: int) -> None:
    """Join the parts of a repository when they have become many."""
    parts = connection.execute("SELECT width, ids FROM part WHERE history = ?", (row,)).fetchall()
    if len(parts) <= _PARTS or len({width for width, _ in parts}) > 1:
        return
    connection.execute("DELETE FROM part WHERE history = ?", (row,))
    whole = b"".join(raw for _, raw in parts)
    connection.execute("INSERT INTO part VALUES (?, ?, ?)", (row, parts[0][0], whole))


def _shrink(connection: sqlite3.Connection, file: Path) -> None:
    """Forget the repositories that were not scanned for longest, until the file is small enough."""
    while file.stat().st_size > _LARGEST:
        oldest = connection.execute("SELECT id FROM history ORDER BY used LIMIT 1").fetchone()
        if oldest is None:
            return
        connection.execute("DELETE FROM history WHERE id = ?", oldest)
        connection.execute("VACUUM")
