"""What the key store needs now and then, whatever comes in: graces that end early, old rows."""

import time
from collections.abc import Callable

from sqlalchemy import Engine

from database.transaction import reading, transaction
from keystore import feed, graces, usage
from keystore.scheme import DAY_S
from keywatch.config import KeySettings

EVERY_S = 60.0
ACTOR = "keywatch"
_FEED_S = 7 * DAY_S


class Upkeep:
    """Does it once a minute, from whatever loop asks.

    Args:
        engine: the database.
        settings: of keys.
        clock: epoch seconds.
    """

    def __init__(
        self, engine: Engine, settings: KeySettings, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine, self._clock = engine, clock
        self._idle_s = settings.grace_idle_days * DAY_S
        self._kept_s = settings.usage_days * DAY_S
        self._next = self._next_prune = 0.0

    def turn(self) -> list[str]:
        """Do what is due; return a sentence for each thing that was done.

        Raises:
            DatabaseError: when the database is away.
        """
        now = self._clock()
        if now < self._next:
            return []
        self._next = now + EVERY_S
        said = self._close_graces(now) if self._idle_s else []
        if now >= self._next_prune:
            self._next_prune = now + DAY_S
            self._forget(now)
        return said

    def _close_graces(self, now: float) -> list[str]:
        with reading(self._engine) as connection:
            if not graces.idle(connection, self._idle_s):
                return []
        with transaction(self._engine) as connection:
            closed = graces.close(connection, self._idle_s, actor=ACTOR, now=now)
        return [
            f"{key.id}: nobody used it any more; revoked for {key.rotated_to}" for key in closed
        ]

    def _forget(self, now: float) -> None:
        with transaction(self._engine) as connection:
            feed.prune(connection, now - _FEED_S)
            if self._kept_s:
                usage.prune(connection, now - self._kept_s)
