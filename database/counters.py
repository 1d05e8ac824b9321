"""Running totals that commit with what they count."""

from collections.abc import Mapping
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Insert, select

from database.schema import counters
from database.upsert import inserting


def add(connection: Connection, amounts: Mapping[str, int]) -> None:
    """Add to the named totals; one that is new begins at 0."""
    _write(connection, amounts, add_up=True)


def put(connection: Connection, values: Mapping[str, int]) -> None:
    """Set the named values."""
    _write(connection, values, add_up=False)


def all_of(connection: Connection) -> dict[str, int]:
    """Return every total by name."""
    return {name: int(value) for name, value in connection.execute(select(counters))}


def _write(connection: Connection, values: Mapping[str, int], *, add_up: bool) -> None:
    if values:
        # In one order, or two writers wait for each other for ever.
        rows = [{"name": name, "value": value} for name, value in sorted(values.items())]
        connection.execute(_upsert(connection.dialect, add_up=add_up), rows)


@lru_cache(maxsize=16)
def _upsert(dialect: Dialect, *, add_up: bool) -> Insert:
    """Return the statement, made once: it is wanted with every batch of a pipeline."""
    row = inserting(dialect, counters)
    new = counters.c.value + row.excluded.value if add_up else row.excluded.value
    return row.on_conflict_do_update(index_elements=["name"], set_={"value": new})
