"""The desk: everything that the API and the console ask for, on one database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine

from database.transaction import reading, transaction
from keystore import audit
from keywatch import portrait, wiring
from keywatch.config import Settings
from keywatch.desk import contract, counterfactual, doing, keys, looking, summary
from keywatch.desk.summary import DAY_S
from keywatch.keystores import scheme_of
from keywatch.people.roles import Person
from vocabulary.errors import KeyNotFoundError

if TYPE_CHECKING:
    from detectors.geoip import GeoReader

VIEW_S = 600.0
"""Who looks at the same thing again within so many seconds is not written down again."""
_REMEMBERED = 10_000
_FRESH_S = 1.0
STANDS_S = 60.0
"""So long the number of keys stands on the overview: where there are a million, counting takes."""


class Desk:
    """What people see and do.

    Args:
        engine: the database.
        settings: the configuration.
        clock: epoch seconds.
    """

    def __init__(
        self, engine: Engine, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self.engine, self.settings, self.clock = engine, settings, clock
        self._policy, self._enabled = wiring.policy(settings), tuple(settings.actions.enabled)
        self._lock, self._places = Lock(), Lock()
        self._viewed: dict[tuple[str, str], float] = {}
        self._geo: GeoReader | None = None
        self._overview: tuple[float, contract.Overview] | None = None
        self._stands: tuple[float, summary.Standing] | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one snapshot."""
        with reading(self.engine) as connection:
            yield connection

    def overview(self) -> contract.Overview:
        """Return what needs somebody now; at most a second old, the number of keys a minute."""
        now = self.clock()
        with self._lock:
            if self._overview is None or not 0 <= now - self._overview[0] < _FRESH_S:
                with reading(self.engine) as connection:
                    stands = self._standing(connection, now)
                    found = summary.overview(connection, self._enabled, now, stands)
                self._overview = (now, found)
            return self._overview[1]

    def _standing(self, connection: Connection, now: float) -> summary.Standing:
        known = self._stands
        if known is None or not 0 <= now - known[0] < STANDS_S or known[1].today != now // DAY_S:
            known = self._stands = (now, summary.standing(connection, now))
        return known[1]

    def policy(self) -> contract.Policy:
        """Return the policy and what it would have done lately."""
        with reading(self.engine) as connection:
            return counterfactual.policy_shown(
                connection, self._policy, self._enabled, self.clock()
            )

    def profile(self, key_id: str) -> dict[str, Any]:
        """Return what the detectors know of a key.

        Raises:
            MissingError: when they have never seen it.
        """
        with self._places:
            if self._geo is None:
                self._geo = wiring.geo(self.settings.geoip)
            try:
                return portrait.read(self.engine, key_id, self._geo)
            except KeyNotFoundError as error:
                raise looking.MissingError(error.what) from None

    def key(self, key_id: str) -> contract.Key:
        """Return a key."""
        with reading(self.engine) as connection:
            return keys.show_key(connection, key_id, self.clock())

    def viewed(self, person: Person, what: str) -> None:
        """Write down that somebody has looked at something sensitive.

        The subject in the log is `view:` and what it was: what is done to a key is told by rows
        about the key itself, and looking does nothing to it.
        """
        now, seen = self.clock(), (person.actor, what)
        with self._lock:
            if now - self._viewed.get(seen, 0.0) < VIEW_S:
                return
        with transaction(self.engine) as connection:
            entry = audit.Entry(now, person.actor, "view", f"view:{what}", "", {})
            audit.append(connection, [entry])
        # only now: what could not be written is tried again by the next look
        with self._lock:
            if len(self._viewed) >= _REMEMBERED:
                self._viewed.clear()
            self._viewed[seen] = now

    def rotate(self, person: Person, key_id: str, wanted: contract.Rotation) -> contract.Rotated:
        """Replace a key; the answer holds the new secret, which is kept nowhere.

        Raises:
            MissingError: when there is no such key.
            TransitionError: when it no longer works or was rotated before.
        """
        scheme = scheme_of(self.settings.keys)
        act = doing.Act(person.actor, self.clock(), person.human)
        with transaction(self.engine) as connection:
            return keys.rotate(connection, key_id, wanted, act, scheme)

    def act(self, person: Person, verb: "doing.Verb", target: str, wanted: Any) -> contract.Done:  # noqa: ANN401
        """Do something in a transaction of its own, under the person's name."""
        with self._lock:
            self._overview = None
        with transaction(self.engine) as connection:
            may_force, may_judge = person.may("keys:force"), person.may("alerts:write")
            act = doing.Act(person.actor, self.clock(), person.human, may_force, may_judge)
            return verb(connection, target, wanted, act)
