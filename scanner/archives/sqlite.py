"""SQLite databases: rows as `column = 'value'`, so that a value has the name of its column.

The file is hostile: it is read into memory and opened there, with the schema untrusted, nothing
but plain tables looked at, and steps counted. What its pages hold beside rows, deleted ones
too, is found by reading the file as it is.
"""

import sqlite3
from collections.abc import Callable, Iterator
from typing import IO

from scanner.archives.reading import Read

_LARGEST = 64 << 20
_STEPS, _EVERY = 50_000_000, 100_000
_LONGEST = 16 << 20
_VIRTUAL = 2
"""How `table_xinfo` marks a generated column that is not stored."""


def members(raw: IO[bytes], note: Callable[[str], None]) -> Iterator[tuple[str, Read]]:
    """Open a database; one that is too large for memory has been read as it is, which must do."""
    content = bytearray(raw.read(_LARGEST + 1))
    if len(content) > _LARGEST:
        return
    content[18:20] = b"\1\1"  # a write-ahead log would need a file
    connection = sqlite3.connect(":memory:")
    try:
        _guard(connection)
        connection.deserialize(bytes(content))
        for table in _tables(connection):
            try:
                rows = _rows(connection, table)
                yield table, rows
            except sqlite3.Error as error:
                note(f"{table}: {type(error).__name__}")
    finally:
        connection.close()


def _guard(connection: sqlite3.Connection) -> None:
    left = _STEPS // _EVERY

    def step() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(step, _EVERY)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Return the plain tables: no view and nothing that a module makes up."""
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 "
        "AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return [str(name) for (name,) in found]


def _rows(connection: sqlite3.Connection, table: str) -> Read:
    columns = _stored(connection, table)
    named = ", ".join(map(_quoted, columns))
    cursor = connection.execute(f"SELECT {named} FROM {_quoted(table)}")  # noqa: S608  (quoted)
    kept = b""

    def some(size: int) -> bytes:
        nonlocal kept
        while not kept and (row := cursor.fetchone()):
            kept = _line(columns, row)
        got, kept = kept[:size], kept[size:]
        return got

    return some


def _stored(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns whose values stand in the file.

    To make the others takes as long as whoever wrote the schema likes, and counts as one step.
    """
    told = connection.execute(f"PRAGMA table_xinfo({_quoted(table)})")
    return [str(name) for _, name, _, _, _, _, hidden in told if hidden != _VIRTUAL]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _line(columns: list[str], row: tuple[object, ...]) -> bytes:
    """Write a row, a line each value."""
    return b"".join(
        b"%s = '%s'\n" % (column.encode(), value if isinstance(value, bytes) else value.encode())
        for column, value in zip(columns, row, strict=True)
        if isinstance(value, str | bytes) and value
    )
