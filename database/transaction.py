"""Opening the database, bringing it up to date, and writing to it in one piece."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url, text

from vocabulary.errors import DatabaseError

HEAD = "0001"
"""The newest revision in migrations/versions; a test holds it to that."""

BUSY_TIMEOUT_S = 5.0

_WRITERS = int.from_bytes(b"keywatch", "big")


def open_database(url: str, *, create: bool = True) -> Engine:
    """Open the database at `url` and bring it to the newest schema.

    Args:
        url: an SQLAlchemy URL (`sqlite:///keywatch.db`, `postgresql+psycopg://…`).
        create: whether a missing SQLite file is made.

    Raises:
        DatabaseError: when it cannot be opened, read or upgraded.
    """
    place = shown(url)
    with _told(place):
        engine = _engine(url, create=create)
        upgrade(engine, place)
    return engine


def shown(url: str) -> str:
    """Return the URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except exc.ArgumentError as error:
        raise DatabaseError(
            "this is no database URL",
            where=url.rsplit("@", maxsplit=1)[-1],
            remedy="write it like sqlite:///keywatch.db",
        ) from error


def upgrade(engine: Engine, place: str) -> None:
    """Run the migrations that the database has not seen.

    Raises:
        DatabaseError: when it was written by a newer keywatch.
    """
    found = _revision(engine)
    if found == HEAD:
        return
    if found > HEAD:
        raise DatabaseError(
            f"the database is of schema {found}, this keywatch knows {HEAD}",
            where=place,
            remedy="install the keywatch that wrote it, or a newer one",
        )
    from database.migrate import run  # noqa: PLC0415  (alembic is slow to import)

    run(engine)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Everything in the block is committed together, or nothing is.

    On SQLite the write lock is taken at once (`BEGIN IMMEDIATE`): a read that turns into a
    write would fail with SQLITE_BUSY_SNAPSHOT whatever the timeout.

    Raises:
        DatabaseError: when the database is locked, full, read-only or gone.
    """
    place = engine.url.render_as_string(hide_password=True)
    with (
        _told(place),
        engine.connect().execution_options(write=True) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one snapshot and writes nothing."""
    with _told(engine.url.render_as_string(hide_password=True)), engine.connect() as connection:
        yield connection


def in_commit_order(connection: Connection) -> None:
    """Let no other writer that calls this commit before the caller's transaction has ended.

    Numbers given out afterwards are in the order in which they become visible. SQLite's write
    lock has seen to that already. Call it before rows are touched, or two writers may deadlock.
    """
    assert connection.get_execution_options().get("write"), "open it with transaction()"
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")


def _engine(url: str, *, create: bool) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    path = parsed.database or ""
    if path and path != ":memory:" and not create and not Path(path).exists():
        raise DatabaseError(
            "there is no database", where=path, remedy="create a key first, or correct the URL"
        )
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401
    # The driver would begin transactions late and of the wrong kind: `_begin` does it instead.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _revision(engine: Engine) -> str:
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, "alembic_version"):
            return ""
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return str(row[0]) if row else ""


_REMEDIES = {
    "locked": "another keywatch is writing to it; stop it or wait",
    "readonly": "give write access to the file and its folder",
    "full": "free some space; nothing was half written",
    "unable to open": "check that the folder exists and is yours",
    "not a database": "name another file; this one is left as it is",
    "malformed": "restore it from a backup",
}


@contextmanager
def _told(place: str) -> Iterator[None]:
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        what = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        remedy = next((said for word, said in _REMEDIES.items() if word in what), "")
        raise DatabaseError(what, where=place, remedy=remedy) from error
