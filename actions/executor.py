"""Working off the outbox: effects exactly once, notifications at least once."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import Engine, Row

from actions import digest, notify, queue, stages
from actions import effects as own
from actions.carry import carry_out
from actions.deliver import deliver
from actions.owners import is_gone, new_owner
from actions.policy import Guards
from actions.queue import NOTIFICATIONS
from actions.retry import NOTIFICATION_ATTEMPTS, delay_s
from actions.telling.manners import Manners
from database.transaction import in_commit_order, reading, transaction
from vocabulary.errors import KeywatchError, UsageError

LEASE_S = 60.0
"""How long a message belongs to one executor: longer than a round can take."""

_EFFECTS = 32
"""Effects that commit together: few enough to leave other writers their turn."""

_MESSAGES = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds an executor back.

    Attributes:
        manners: notifier → when it may be disturbed; the others at any time.
        guards: brakes for what was put off; see `actions.stages`.
    """

    manners: Mapping[str, Manners] = field(default_factory=dict)
    guards: Guards = Guards()  # noqa: RUF009  (frozen)


NO_LIMITS = Limits()


class Executor:
    """Works off the outbox of one database; several may run at once.

    `run_effects` and `run_notifications` may run in threads of their own, so that a receiver
    that answers slowly holds up no revocation; see `actions.background`.

    Args:
        engine: from `open_database`.
        effects: name → effect; None for those of our own store.
        notifiers: name → notifier, `log` among them; None for the log alone.
        clock: epoch seconds, of the machine and not of events.
        owner: name of this executor in leases; different for any two that run at once.
        random: in [0, 1), for the jitter of retries.
        limits: what holds it back.
    """

    def __init__(
        self,
        engine: Engine,
        effects: Mapping[str, own.Effect] | None = None,
        notifiers: Mapping[str, notify.Notifier] | None = None,
        clock: Callable[[], float] = time.time,
        owner: str = "",
        random: Callable[[], float] | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self._engine = engine
        self._effects = own.effects() if effects is None else effects
        self._notifiers = notify.notifiers([]) | dict(notifiers or {})
        self._manners = {NOTIFICATIONS + name: one for name, one in limits.manners.items()}
        self._clock, self._guards = clock, limits.guards
        self._owner = owner or new_owner()
        self._begun = False
        self._random = random or Random().random  # noqa: S311  (jitter, no secret)

    def run_once(self) -> int:
        """Carry out all that is due, effects first; return how many rows were handled.

        Raises:
            DatabaseError: when the database is away. Nothing is lost; call again.
        """
        return self.run_effects() + self.run_notifications()

    def run_out(self, wait: Callable[[float], bool]) -> None:
        """Carry out all that is due, and what others had begun, once their leases are over.

        Args:
            wait: waits so many seconds; true when there is no more time.

        Raises:
            DatabaseError: as for `run_once`.
        """
        self.run_once()
        while (rest_s := self._leased_s()) and not wait(rest_s):
            self.run_once()

    def _leased_s(self) -> float:
        """Return the seconds until the first lease of somebody ends; 0 without any."""
        with reading(self._engine) as connection:
            now = self._clock()
            until = queue.leased_until(connection, now)
        return 0.0 if until is None else min(until - now + 0.001, LEASE_S)

    def run_effects(self) -> int:
        """Carry out the effects that are due; return how many were done, put off or given up.

        Raises:
            DatabaseError: as for `run_once`.
        """
        handled = 0
        while self._due(effects=True) and (carried := self._next_effects()):
            handled += carried
        return handled

    def run_notifications(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Send the messages that are due; return how many attempts were made.

        Args:
            stopped: says that no further message is to be begun.

        Raises:
            DatabaseError: as for `run_once`; what was sent is sent again, under the same id.
        """
        handled = 0
        if not self._begun:
            self._take_over()
            self._begun = True
        if self._manners:
            self._gather()
        while not stopped() and self._due(effects=False) and (leased := self._lease()):
            tried = deliver(
                leased, self._notifiers, self._clock(), self._settle, self._thread, stopped
            )
            handled += tried
            if tried < len(leased):
                self._release(leased)
        return handled

    def _due(self, *, effects: bool) -> bool:
        # A look without the write lock: nearly always there is nothing to do.
        with reading(self._engine) as connection:
            now = self._clock()
            later = effects and stages.are_due(connection, now)
            return later or bool(queue.due(connection, now, 1, effects=effects))

    def _next_effects(self) -> int:
        now = self._clock()
        with transaction(self._engine) as connection:
            # The order of writers first, rows second, as everywhere: no deadlock.
            in_commit_order(connection)
            stages.promote(connection, self._guards, now)
            rows = queue.due(connection, now, _EFFECTS, effects=True, lock=True)
            for row in rows:
                carry_out(connection, row, self._effects, now, self._random)
        return len(rows)

    def _lease(self) -> Sequence[Row[Any]]:
        now = self._clock()
        with transaction(self._engine) as connection:
            rows = queue.due(connection, now, _MESSAGES, effects=False, lock=True)
            if self._manners:
                rows = digest.kept_back(connection, rows, self._manners, now)
            queue.lease(connection, [row.id for row in rows], self._owner, now + LEASE_S)
        return rows

    def _take_over(self) -> None:
        """Give back what processes had leased that were killed on this machine."""
        with reading(self._engine) as connection:
            gone = [owner for owner in queue.owners(connection) if is_gone(owner)]
        if gone:
            with transaction(self._engine) as connection:
                queue.take_over(connection, gone)

    def _thread(self, row: Row[Any]) -> Mapping[str, Any] | None:
        with reading(self._engine) as connection:
            return queue.thread(connection, row)

    def _gather(self) -> None:
        """Make digests of what was kept back, where it is time."""
        now = self._clock()
        with reading(self._engine) as connection:
            ripe = digest.ripe(connection, self._manners, now)
        if ripe:
            with transaction(self._engine) as connection:
                in_commit_order(connection)
                digest.gather(connection, self._manners, now)

    def _settle(self, row: Row[Any], error: KeywatchError | None, kept: Mapping[str, Any]) -> None:
        now, attempt = self._clock(), row.attempts + 1
        with transaction(self._engine) as connection:
            if error is None:
                queue.done(connection, row.id, self._owner, now, kept)
                return
            final = isinstance(error, UsageError) or attempt >= NOTIFICATION_ATTEMPTS
            again_at = None if final else now + delay_s(attempt, self._random)
            queue.failed(connection, row.id, self._owner, str(error), again_at)

    def _release(self, rows: Sequence[Row[Any]]) -> None:
        with transaction(self._engine) as connection:
            queue.release(connection, [row.id for row in rows], self._owner)
