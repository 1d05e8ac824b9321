"""Running totals that commit with what they count."""

from collections.abc import Mapping

from sqlalchemy import Connection, Insert, select

from database.schema import counters
from database.upsert import inserting


def add(connection: Connection, amounts: Mapping[str, int]) -> None:
    """Add to the named totals; one that is new begins at 0."""
    for name, amount in amounts.items():
        connection.execute(_upsert(connection, name, amount, add_up=True))


def put(connection: Connection, values: Mapping[str, int]) -> None:
    """Set the named values."""
    for name, value in values.items():
        connection.execute(_upsert(connection, name, value, add_up=False))


def all_of(connection: Connection) -> dict[str, int]:
    """Return every total by name."""
    return {name: int(value) for name, value in connection.execute(select(counters))}


def _upsert(connection: Connection, name: str, value: int, *, add_up: bool) -> Insert:
    new = counters.c.value + value if add_up else value
    row = inserting(connection, counters).values(name=name, value=value)
    return row.on_conflict_do_update(index_elements=["name"], set_={"value": new})
