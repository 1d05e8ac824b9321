"""An INSERT that can say what becomes of rows that are there already, for the dialect in hand."""

from typing import cast

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import sqlite


def inserting(asked: Connection | Dialect, table: Table) -> sqlite.Insert:
    """Return an INSERT that knows `on_conflict_do_update` and `on_conflict_do_nothing`.

    Args:
        asked: the connection that it is for, or its dialect.
        table: into which it inserts.
    """
    dialect = asked.dialect if isinstance(asked, Connection) else asked
    if dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415  (large, and seldom there)

    return cast("sqlite.Insert", postgresql.insert(table))  # alike as far as conflicts go
