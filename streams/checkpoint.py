"""Where to go on reading each source, committed with the results of what was read."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from database.listed import among
from database.schema import deliveries, positions
from database.upsert import inserting
from vocabulary.errors import DatabaseError

_PASSING = {"after", "deliveries"}
_NOTES = {"header", "newest_ms", "lag_ms", "behind", "again"}
"""What the pipeline keeps with a position for itself."""
_REMEMBERED_S = 7 * 86_400.0
"""How long a delivery is known."""

Position = Mapping[str, Any]
"""What a source's `open` needs to go on; JSON, and nobody else's business."""


def load(connection: Connection, source: str) -> Position | None:
    """Return the position of the source, or None when it was never read."""
    query = select(positions.c.position).where(positions.c.source == source)
    found: Position | None = connection.execute(query).scalar_one_or_none()
    return found


def bare(position: Position) -> Position:
    """Return what the source itself said, without what the pipeline noted with it."""
    return {name: value for name, value in position.items() if name not in _NOTES}


def mark(position: Position | None) -> Any:  # noqa: ANN401  (JSON)
    """Return what is committed, for `after` of what comes behind it.

    That is the offset, and where something was committed beside the order of offsets (`again`
    counts how often) that number, too.
    """
    if position is None:
        return None
    return [position["offset"], position["again"]] if "again" in position else position["offset"]


def save(connection: Connection, source: str, position: Position, now: float) -> None:
    """Keep the position, in the transaction of the results that it stands for.

    An entry `deliveries` names what is committed with it, once and for all, each by a key with the
    fingerprint of what it stands for. A position with an
    entry `after` is kept only behind the one with that `mark`: so of two
    workers that read the same records, one commits them.

    Args:
        connection: within that transaction.
        source: the source's name.
        position: as its last chunk told it.
        now: epoch seconds.

    Raises:
        DatabaseError: when another worker was faster; nothing may be committed.
    """
    fenced = "after" in position
    kept = {name: value for name, value in position.items() if name not in _PASSING}
    _deliver(connection, position.get("deliveries", {}), source, now)
    if fenced and _committed(connection, source) != position["after"]:
        raise _overtaken(source)
    row = {"position": kept, "updated_at": now}
    query = update(positions).where(positions.c.source == source).values(row)
    if not connection.execute(query).rowcount and not _inserted(connection, source, row):
        if fenced:
            raise _overtaken(source)
        connection.execute(query)


def under(connection: Connection, prefix: str) -> dict[str, Position]:
    """Return the positions of all sources whose name begins so."""
    query = select(positions.c.source, positions.c.position).where(
        positions.c.source.startswith(prefix, autoescape=True)
    )
    return {str(row.source): row.position for row in connection.execute(query)}


def delivered(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """Return those of the deliveries that are committed, with their fingerprints."""
    query = select(deliveries.c.key, deliveries.c.fingerprint).where(among(deliveries.c.key, keys))
    return {str(row.key): str(row.fingerprint) for row in connection.execute(query)}


def _deliver(connection: Connection, keys: Mapping[str, str], source: str, now: float) -> None:
    """Note deliveries; one that another worker has committed undoes this transaction."""
    if not keys:
        return
    if delivered(connection, list(keys)):
        raise _overtaken(source)
    rows = [{"key": key, "fingerprint": mark, "at": now} for key, mark in keys.items()]
    connection.execute(insert(deliveries), rows)
    connection.execute(delete(deliveries).where(deliveries.c.at < now - _REMEMBERED_S))


def _committed(connection: Connection, source: str) -> Any:  # noqa: ANN401  (JSON)
    """Return the mark that is committed, and keep others from committing another one."""
    query = select(positions.c.position).where(positions.c.source == source).with_for_update()
    found: Position | None = connection.execute(query).scalar_one_or_none()
    return mark(found)


def _inserted(connection: Connection, source: str, row: Mapping[str, Any]) -> bool:
    statement = inserting(connection, positions).values(source=source, **row)
    statement = statement.on_conflict_do_nothing()
    return connection.execute(statement.returning(positions.c.source)).first() is not None


def _overtaken(source: str) -> DatabaseError:
    return DatabaseError(
        "another worker has read on", where=source, remedy="nothing to do: this one goes on behind"
    )
