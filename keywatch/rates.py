"""How many events a second: counted by the minute, by however many workers."""

from sqlalchemy import Connection, delete, select

from database import counters
from database.schema import counters as table

MINUTES = 5
_PREFIX = "minute:"


def note(connection: Connection, now: float, events: int, source: str = "") -> None:
    """Count events in the minute that it is; minutes of long ago are dropped.

    Args:
        connection: of the transaction that commits them.
        now: epoch seconds.
        events: committed in it.
        source: that they came from.
    """
    minute = int(now // 60)
    names = [f"{_PREFIX}{minute:010d}", *([f"{_PREFIX}{minute:010d}:{source}"] if source else [])]
    counters.add(connection, dict.fromkeys(names, events))
    old = f"{_PREFIX}{minute - MINUTES - 1:010d}"
    connection.execute(delete(table).where(table.c.name.startswith(_PREFIX), table.c.name < old))


def per_second(connection: Connection, now: float) -> float:
    """Return the events a second of the last five whole minutes."""
    minute = int(now // 60)
    names = [f"{_PREFIX}{minute - back:010d}" for back in range(1, MINUTES + 1)]
    found = connection.execute(select(table.c.value).where(table.c.name.in_(names))).scalars()
    return round(sum(map(int, found)) / (60 * MINUTES), 3)


def per_source(connection: Connection, now: float) -> dict[str, float]:
    """Return the events a second of the last five whole minutes, of each source that had any."""
    minute = int(now // 60)
    first, end = (f"{_PREFIX}{at:010d}" for at in (minute - MINUTES, minute))
    mine = select(table).where(table.c.name >= first, table.c.name < end)
    found: dict[str, int] = {}
    for name, value in connection.execute(mine):
        _, _, source = name.removeprefix(_PREFIX).partition(":")
        if source:
            found[source] = found.get(source, 0) + int(value)
    return {source: round(number / (60 * MINUTES), 3) for source, number in found.items()}
