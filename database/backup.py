"""Copies of a database while it is in use: an SQLite file, whatever kind it is copied from."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine, func, inspect, select, table

from database.copying import replace_rows
from database.engine import BUSY_TIMEOUT_S, place_of, sqlite_file, told
from database.schema import metadata
from database.transaction import HEAD, open_database, reading, revision, transaction
from vocabulary.errors import DatabaseError, UsageError


def backup(engine: Engine, file: Path) -> None:
    """Write the database, as it is at one moment, to a new `file` that only the owner can read.

    The file is an SQLite database: it can be looked into, and put into a server as well.

    Raises:
        UsageError: when `file` is there already, or the database has no rows to keep.
        DatabaseError: when it cannot be read or written; no half-written file is left.
    """
    if file.exists():
        raise UsageError("the file is there already", where=str(file), remedy="name another")
    source = sqlite_file(engine)
    with unfinished(file) as part:
        if source is None:
            _copy_rows(engine, part)
        else:
            copy(source, part)
        with told(str(part)), closing(_connect(part)) as connection:
            # one file, without a log beside it
            connection.execute("PRAGMA journal_mode=DELETE")
        part.replace(file)


def _copy_rows(engine: Engine, part: Path) -> None:
    place = place_of(engine)
    with told(place):
        found = revision(engine, place)
    if found != HEAD:
        raise UsageError(
            f"the schema is {found or 'missing'}", where=place, remedy="run `keywatch db upgrade`"
        )
    target = open_database(f"sqlite:///{part}")
    try:
        with reading(engine) as rows, transaction(target) as connection:
            replace_rows(rows, connection)
    finally:
        target.dispose()


def copy(source: Path, target: Path) -> None:
    """Make `target` hold what `source` holds, at once, whoever has them open.

    Raises:
        DatabaseError: when either cannot be used; then `target` is as it was.
    """
    with told(str(source)), closing(_connect(source, "ro")) as origin:
        origin.execute("SELECT count(*) FROM sqlite_master")
        with told(str(target)), closing(_connect(target)) as destination:
            origin.backup(destination)


@contextmanager
def unfinished(file: Path) -> Iterator[Path]:
    """Yield an empty file beside `file`, for its owner alone; it is gone afterwards.

    Raises:
        DatabaseError: when it cannot be made.
    """
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise DatabaseError(reason, where=str(file), remedy="name a file elsewhere") from error
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + ending).unlink(missing_ok=True)


def contents(engine: Engine) -> dict[str, int]:
    """Return how many rows each table has that has any, of whatever schema of ours it is."""
    with reading(engine) as connection:
        names = [name for name in inspect(connection).get_table_names() if name in metadata.tables]
        counted = {
            name: connection.execute(select(func.count()).select_from(table(name))).scalar_one()
            for name in names
        }
    return {name: rows for name, rows in counted.items() if rows}


def problems(engine: Engine) -> list[str]:
    """Return what SQLite finds wrong with the file's structure and references, at most 10 things.

    A server looks after its own files: for it the list is empty.
    """
    if engine.dialect.name != "sqlite":
        return []
    with reading(engine) as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars().all()
        dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    wrong = [line for lines in said for line in str(lines).splitlines() if line != "ok"]
    return (wrong + [f"a row of {row[0]} refers to no row of {row[2]}" for row in dangling])[:10]


def _connect(file: Path, mode: str = "rw") -> sqlite3.Connection:
    uri = f"{file.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)
