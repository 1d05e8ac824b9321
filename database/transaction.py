"""Opening the database, bringing it up to date, and writing to it in one piece."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, inspect, text

from database.engine import BUSY_TIMEOUT_S, engine_of, place_of, shown, told
from vocabulary.errors import DatabaseError

__all__ = [
    "BUSY_TIMEOUT_S",
    "HEAD",
    "after_commit",
    "in_commit_order",
    "open_database",
    "reading",
    "revision",
    "shown",
    "transaction",
    "upgrade",
]

HEAD = "0018"
"""The newest revision in migrations/versions; a test holds it to that."""

_AFTER = "after_commit"
_WRITERS = int.from_bytes(b"keywatch", "big")


def open_database(url: str, *, create: bool = True) -> Engine:
    """Open the database at `url` and bring it to the newest schema.

    Args:
        url: an SQLAlchemy URL (`sqlite:///keywatch.db`, `postgresql://…`).
        create: whether a missing SQLite file is made.

    Raises:
        DatabaseError: when it cannot be opened, read or upgraded.
    """
    engine = engine_of(url, create=create)
    try:
        with told(shown(url)):
            upgrade(engine, shown(url))
    except BaseException:
        engine.dispose()
        raise
    return engine


def upgrade(engine: Engine, place: str) -> None:
    """Run the migrations that the database has not seen.

    Raises:
        DatabaseError: when it was written by a newer keywatch or is another program's.
    """
    found = revision(engine, place)
    if found == HEAD or (not found and engine.dialect.name == "sqlite" and _made(engine)):
        return
    from database.migrate import run  # noqa: PLC0415  (alembic is slow to import)

    run(engine)


def _made(engine: Engine) -> bool:
    """Make the newest schema in an empty SQLite file at once, in one transaction.

    It is what the migrations would make, one after the other; a test holds it to that.
    """
    from database.schema import metadata  # noqa: PLC0415  (not for those whose schema is there)

    with transaction(engine) as connection:
        if inspect(connection).get_table_names():
            return False  # another process was faster, or it was taken back to nothing
        metadata.create_all(connection)
        connection.execute(
            text(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    return True


def revision(engine: Engine, place: str) -> str:
    """Return the revision of the database's schema, "" for an empty one.

    Raises:
        DatabaseError: when it is newer than `HEAD`, or of another program.
    """
    with engine.connect() as connection:
        if engine.dialect.has_table(connection, "alembic_version"):
            row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
            found = str(row[0]) if row else ""
        else:
            found = ""
            _refuse_foreign(connection, place)
    if found and not (found.isdigit() and len(found) == len(HEAD)):
        raise _foreign(place)
    if found > HEAD:
        raise DatabaseError(
            f"the database is of schema {found}, this keywatch knows {HEAD}",
            where=place,
            remedy="install the keywatch that wrote it, or a newer one",
        )
    return found


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Everything in the block is committed together, or nothing is.

    On SQLite the write lock is taken at once (`BEGIN IMMEDIATE`): a read that turns into a
    write would fail with SQLITE_BUSY_SNAPSHOT whatever the timeout.

    Raises:
        DatabaseError: when the database is locked, full, read-only or gone.
    """
    after: list[Callable[[], None]] = []
    with (
        told(place_of(engine)),
        engine.connect().execution_options(write=True) as connection,
        connection.begin(),
    ):
        connection.info[_AFTER] = after
        yield connection
    for act in after:
        act()


def after_commit(connection: Connection, act: Callable[[], None]) -> None:
    """Have `act` called once the caller's transaction is committed, and not at all if it fails."""
    connection.info.setdefault(_AFTER, []).append(act)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one snapshot and writes nothing.

    Raises:
        DatabaseError: when the database cannot be read.
    """
    with told(place_of(engine)), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


def in_commit_order(connection: Connection) -> None:
    """Let no other writer that calls this commit before the caller's transaction has ended.

    Numbers given out afterwards are in the order in which they become visible. SQLite's write
    lock has seen to that already. Call it before rows are touched, or two writers may deadlock.
    """
    assert connection.get_execution_options().get("write"), "open it with transaction()"
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")


def _refuse_foreign(connection: Connection, place: str) -> None:
    if inspect(connection).get_table_names():
        raise _foreign(place)


def _foreign(place: str) -> DatabaseError:
    return DatabaseError(
        "the database belongs to another program", where=place, remedy="name an empty one"
    )
