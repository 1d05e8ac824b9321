"""How many events a second: counted by the minute, by however many workers."""

from sqlalchemy import Connection, delete, select

from database import counters
from database.schema import counters as table

MINUTES = 5
_PREFIX = "minute:"


def note(connection: Connection, now: float, events: int) -> None:
    """Count events in the minute that it is; minutes of long ago are dropped.

    Args:
        connection: of the transaction that commits them.
        now: epoch seconds.
        events: committed in it.
    """
    minute = int(now // 60)
    counters.add(connection, {f"{_PREFIX}{minute:010d}": events})
    old = f"{_PREFIX}{minute - MINUTES - 1:010d}"
    connection.execute(delete(table).where(table.c.name.startswith(_PREFIX), table.c.name < old))


def per_second(connection: Connection, now: float) -> float:
    """Return the events a second of the last five whole minutes."""
    minute = int(now // 60)
    names = [f"{_PREFIX}{minute - back:010d}" for back in range(1, MINUTES + 1)]
    found = connection.execute(select(table.c.value).where(table.c.name.in_(names))).scalars()
    return round(sum(map(int, found)) / (60 * MINUTES), 3)
