"""Totals that are kept from one process to the next."""

from contextlib import suppress

from database import counters
from database.transaction import open_database, reading, transaction


class Crash(Exception):  # noqa: N818  (it is one)
    """Whatever may go wrong in a caller."""


def test_totals_add_up_and_values_are_set(database_url):
    engine = open_database(database_url)
    for _ in range(2):
        with transaction(engine) as connection:
            counters.add(connection, {"events": 3, "letters": 1})
            counters.put(connection, {"lag_ms": 40})
    with suppress(Crash), transaction(engine) as connection:
        counters.add(connection, {"events": 100})
        raise Crash
    with reading(engine) as connection:
        assert counters.all_of(connection) == {"events": 6, "letters": 2, "lag_ms": 40}
    engine.dispose()
