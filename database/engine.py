"""Reaching a database: its URL, its dialect's settings, and its errors in words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, exc, make_url

from vocabulary.addresses import without_secrets
from vocabulary.errors import BusyError, DatabaseError

BUSY_TIMEOUT_S = 5.0
_OWNER_ONLY = 0o600
_MOVED = "the file was moved, replaced or deleted while it was open"
_CACHE = "cache_size=-32768"
"""32 MB a connection, at most, in place of 2: hashes come in no order, and of a million keys the
pages of their index would be read anew again and again."""

CACHES, _LEAST_CACHES, _SHARE_CACHES = 64 << 20, 4 << 20, 4
"""Bytes for all connections of a process: as many full caches as threads were never of use at once,
but each would be kept for ever. Where it is asked for, a share of the file's size, and at least so
much: else every connection keeps all of a small file, and grows with it."""

_REMEDIES = {
    "locked": "another keywatch is writing to it; stop it or wait",
    "readonly": "give write access to the file and its folder",
    "read-only": "give the database's user write access",
    "full": "free some space; nothing was half written",
    "no space left": "free some space; nothing was half written",
    "i/o error": "free some space, or look for a broken disk; nothing was half written",
    "was moved": "put it back, or start keywatch with its new place; stop it first the next time",
    "unable to open": "check that the folder exists and that you may write to it",
    "not a database": "name another file; this one is left as it is",
    "malformed": "restore it from a backup",
    "refused": "start the server, or correct the address",
    "resolve host": "correct the address",
    "authentication failed": "correct user and password",
    "does not exist": "make it first: createdb",
    "closed the connection": "start the server again",
    "shutting down": "start the server again",
}


def engine_of(url: str, *, create: bool = True) -> Engine:
    """Make an engine for `url` without looking at what the database holds.

    Args:
        url: an SQLAlchemy URL; a plain `postgresql://` means psycopg 3.
        create: whether a missing SQLite file is made.

    Raises:
        DatabaseError: when there is no such file, driver or kind of database.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, create=create)
    if parsed.get_backend_name() != "postgresql":
        raise DatabaseError(
            f"keywatch does not know {parsed.get_backend_name()}",
            where=shown(url),
            remedy="take sqlite:///keywatch.db or postgresql://…",
        )
    return _postgresql(parsed)


def shown(url: str) -> str:
    """Return the URL without what is secret in it."""
    return without_secrets(_parsed(url).render_as_string(hide_password=True))


def place_of(engine: Engine) -> str:
    """Return the URL of an open database without what is secret in it."""
    return without_secrets(engine.url.render_as_string(hide_password=True))


def sqlite_file(engine: Engine) -> Path | None:
    """Return the file of an SQLite database; None for a server or a database in memory."""
    name = engine.url.database or ""
    if engine.dialect.name != "sqlite" or name in ("", ":memory:"):
        return None
    return Path(name.removeprefix("file:"))


def fit_caches(engine: Engine) -> None:
    """Let the connections of this process cache a share of an SQLite file; it may have grown.

    For who stays, and opens a file that is small yet; what loads a million keys wants all at once.
    """
    file = sqlite_file(engine)
    if file is None:
        return
    size = file.stat().st_size if file.exists() else 0
    limit = min(CACHES, max(_LEAST_CACHES, size // _SHARE_CACHES))
    with told(place_of(engine)), engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA soft_heap_limit={limit}")


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turn what a driver raises into one line: what, where, what to do.

    Raises:
        BusyError, DatabaseError: instead.
    """
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error) as error:
        said = str(getattr(error, "orig", None) or error).strip()
        what = said.splitlines()[0] if said else type(error).__name__
        remedy = next((cure for word, cure in _REMEDIES.items() if word in what.lower()), "")
        kind = BusyError if "locked" in what.lower() else DatabaseError
        raise kind(what, where=place, remedy=remedy) from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise DatabaseError(
            "this is no database URL",
            where=without_secrets(url.rsplit("@", maxsplit=1)[-1]) or "database",
            remedy="write it like sqlite:///keywatch.db",
        ) from error
    plain = parsed.drivername == "postgresql"
    return parsed.set(drivername="postgresql+psycopg") if plain else parsed


def _sqlite(url: URL, *, create: bool) -> Engine:
    connect = {"timeout": BUSY_TIMEOUT_S}
    engine = create_engine(url, hide_parameters=True, connect_args=connect, **_pooled(url))
    path = sqlite_file(engine)
    if path and not create and not path.exists():
        raise DatabaseError(
            "there is no database",
            where=str(path),
            remedy="create a key first, or correct the URL",
        )
    if path:
        _Standing(path).guard(engine)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


class _Standing:
    """Sees to it that a file is not written to any more once it stands at its path no longer.

    SQLite would write on, into what was moved away or deleted, and all of it would be lost.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._opened = path, False

    def guard(self, engine: Engine) -> None:
        """Look when a connection is made, and before each transaction."""
        event.listen(engine, "do_connect", self._before)
        event.listen(engine, "connect", self._after)
        event.listen(engine, "begin", self._look)

    def _before(self, _dialect: object, record: Any, *_: object) -> None:  # noqa: ANN401
        if self._opened and self._inode() is None:
            raise sqlite3.OperationalError(_MOVED)  # in place of a new and empty one
        _make_private(self._path)
        # Before it is opened: what is put in its place while it is, is another file.
        record.info["inode"] = self._inode()

    def _after(self, *_: object) -> None:
        self._opened = True

    def _look(self, connection: Connection) -> None:
        if connection.info.get("inode") != self._inode():
            connection.invalidate()
            raise sqlite3.OperationalError(_MOVED)

    def _inode(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)  # noqa: PTH116  (before every transaction)
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _pooled(url: URL) -> dict[str, bool]:
    """Return how connections to a file are lent: what was used last first, its cache is warm.

    In turn, each would fill a cache, and empty it again since another one has written.
    """
    from sqlalchemy.dialects.sqlite.pysqlite import (  # noqa: PLC0415  (not for a server)
        SQLiteDialect_pysqlite,
    )

    queued = issubclass(SQLiteDialect_pysqlite.get_pool_class(url), QueuePool)
    return {"pool_use_lifo": True} if queued else {}


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url, hide_parameters=True, pool_pre_ping=True, isolation_level="READ COMMITTED"
        )
    except (ModuleNotFoundError, exc.NoSuchModuleError) as error:
        raise DatabaseError(
            "the driver for PostgreSQL is not installed",
            where=without_secrets(url.render_as_string(hide_password=True)),
            remedy="install keywatch[postgres]",
        ) from error


def _make_private(path: Path) -> None:
    # What goes wrong here, SQLite says better when it opens the file.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, _OWNER_ONLY))


def _configure(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401
    # The driver would begin transactions late and of the wrong kind: `_begin` does it instead.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", _CACHE):
        connection.execute(f"PRAGMA {pragma}")
    # One limit of the process: what `fit_caches` has made of it stays.
    if connection.execute("PRAGMA soft_heap_limit").fetchone() == (0,):
        connection.execute(f"PRAGMA soft_heap_limit={CACHES}")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
