"""Names of endpoints, so that people can read what profiles keep as numbers.

Only what an accepted key was answered well on gets a name, ids left out, and only so many in all:
nobody fills the table by asking for what is not there.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, select

from database.listed import among
from database.schema import endpoint_names
from database.upsert import inserting
from detectors import terms
from detectors.profile import Rows
from detectors.scoring import Events
from keystore.audit import storable

MOST = 10_000
LONGEST = 120
_REFUSED = 400


class Names:
    """Gives names to endpoints that have none yet.

    Args:
        known: number of an endpoint → its name.
    """

    def __init__(self, known: Mapping[int, str]) -> None:
        self._known = dict(known)

    def fresh(self, events: Events) -> dict[int, str]:
        """Return the names of endpoints that were not named before."""
        used = np.unique(events.endpoint[events.status < _REFUSED]).tolist()
        new = [number for number in used if number not in self._known]
        found = {number: _name(events, number) for number in new[: MOST - len(self._known)]}
        self._known |= found
        return found

    def of(self, rows: Rows) -> tuple[str, ...]:
        """Return what a key calls, what it called on most days first; `rows` is an array of one."""
        return tuple(self._known[number] for number in called(rows) if number in self._known)


def called(rows: Rows) -> list[int]:
    """Return the numbers of the endpoints of a profile, those of most days first."""
    row = rows[0]
    order = np.argsort(-row["endpoint_days"].astype(int), kind="stable")
    numbers = [*row["endpoint"][order].tolist(), *row["endpoint_new"].tolist()]
    return [number for number in dict.fromkeys(numbers) if number]


def load(connection: Connection, numbers: Sequence[int] | None = None) -> dict[int, str]:
    """Return the names that are kept, of these endpoints or of all."""
    query = select(endpoint_names.c.number, endpoint_names.c.name)
    if numbers is not None:
        query = query.where(among(endpoint_names.c.number, numbers))
    return {int(number): str(name) for number, name in connection.execute(query)}


def keep(connection: Connection, names: Mapping[int, str]) -> None:
    """Write new names down; another worker may have written the same ones."""
    if names:
        rows = [{"number": number, "name": name} for number, name in sorted(names.items())]
        connection.execute(inserting(connection, endpoint_names).on_conflict_do_nothing(), rows)


def _name(events: Events, number: int) -> str:
    at = np.flatnonzero((events.endpoint == number) & (events.status < _REFUSED))[0]
    method, path = events.target(int(at))
    return storable(f"{method or '-'} {terms.template_of(path)}"[:LONGEST])
