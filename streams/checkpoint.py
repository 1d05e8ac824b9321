"""Where to go on reading each source, committed with the results of what was read."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from database.schema import positions

Position = Mapping[str, Any]
"""What a source's `open` needs to go on; JSON, and nobody else's business."""


def load(connection: Connection, source: str) -> Position | None:
    """Return the position of the source, or None when it was never read."""
    query = select(positions.c.position).where(positions.c.source == source)
    found: Position | None = connection.execute(query).scalar_one_or_none()
    return found


def save(connection: Connection, source: str, position: Position, now: float) -> None:
    """Keep the position, in the transaction of the results that it stands for.

    Args:
        connection: within that transaction.
        source: the source's name.
        position: as its last chunk told it.
        now: epoch seconds.
    """
    row = {"position": dict(position), "updated_at": now}
    changed = connection.execute(
        update(positions).where(positions.c.source == source).values(row)
    ).rowcount
    if not changed:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(positions).values(source=source, **row)
        connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=row))
