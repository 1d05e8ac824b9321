"""Sources that cannot be read just now, as everybody who asks the database is told."""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Engine, delete, insert, select

from database.schema import failures
from database.transaction import transaction

FRESH_S = 180.0
"""How long a failure is believed that nobody has repeated: its process may be gone."""

_REPEAT_S = 60.0


class Failing:
    """Keeps what fails in the database, for as long as it does.

    Args:
        engine: the database.
        clock: epoch seconds.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine, self._clock = engine, clock
        self._written: dict[str, str] = {}
        self._since: dict[str, float] = {}
        self._repeat_at = 0.0

    def note(self, failed: Mapping[str, str]) -> None:
        """Write down what fails now, if that is news or was not said for a minute.

        Args:
            failed: name of a source → error.

        Raises:
            DatabaseError: when it could not be.
        """
        now = self._clock()
        if failed == self._written and (not failed or now < self._repeat_at):
            return
        self._since = {name: self._since.get(name, now) for name in failed}
        rows = [
            {"source": name, "error": error, "since": self._since[name], "at": now}
            for name, error in failed.items()
        ]
        with transaction(self._engine) as connection:
            names = {*failed, *self._written}
            connection.execute(delete(failures).where(failures.c.source.in_(names)))
            connection.execute(delete(failures).where(failures.c.at < now - FRESH_S))
            if rows:
                connection.execute(insert(failures), rows)
        self._written, self._repeat_at = dict(failed), now + _REPEAT_S


def failing(connection: Connection, now: float) -> dict[str, str]:
    """Return the sources that cannot be read, with the errors; `now` is epoch seconds."""
    query = select(failures.c.source, failures.c.error).where(failures.c.at >= now - FRESH_S)
    rows = connection.execute(query.order_by(failures.c.source))
    return {str(row.source): str(row.error) for row in rows}
