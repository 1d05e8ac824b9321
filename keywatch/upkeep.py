"""What the key store needs now and then, whatever comes in: graces that end early, old rows."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import Engine

from actions import keynews
from database import counters
from database.transaction import in_commit_order, reading, transaction
from keystore import feed, graces, usage
from keystore.scheme import DAY_S
from keywatch.config_keys import KeySettings
from keywatch.forgetting import forget_again
from keywatch.status import DROPPED
from streams import checkpoint, repoqueue

EVERY_S = 60.0
NEWS_S = 0.5
ACTOR = "keywatch"
_FEED_S = 7 * DAY_S
_NEWS = "audit:keynews"


class Upkeep:
    """Does it once a minute, from whatever loop asks; news of keys are told at once.

    Args:
        engine: the database.
        settings: of keys.
        told: notifier → what it is told of keys; see `actions.keynews`.
        clock: epoch seconds.
        events_kept_s: for how long repository events are remembered that were dealt with.
    """

    def __init__(
        self,
        engine: Engine,
        settings: KeySettings,
        told: Mapping[str, Sequence[str]] = MappingProxyType({}),
        clock: Callable[[], float] = time.time,
        events_kept_s: float = 90 * DAY_S,
    ) -> None:
        self._engine, self._clock = engine, clock
        self._told = {name: verbs for name, verbs in told.items() if verbs}
        self._next_news, self._events_kept_s = 0.0, events_kept_s
        self._idle_s = settings.grace_idle_days * DAY_S
        self._kept_s = settings.usage_days * DAY_S
        self._next = self._next_prune = 0.0

    def turn(self) -> list[str]:
        """Do what is due; return a sentence for each thing that was done.

        Raises:
            DatabaseError: when the database is away.
        """
        now = self._clock()
        if self._told and now >= self._next_news:
            self._next_news = now + NEWS_S
            self._queue_news(now)
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

    def _queue_news(self, now: float) -> None:
        with reading(self._engine) as connection:
            newest = keynews.head(connection)
            known = checkpoint.load(connection, _NEWS)
        if known is not None and known["seq"] == newest:
            return
        with transaction(self._engine) as connection:
            in_commit_order(connection)
            found = checkpoint.load(connection, _NEWS)
            seq = newest
            if found is not None:
                seq = keynews.queue_up(connection, found["seq"], self._told, now)
            checkpoint.save(connection, _NEWS, {"seq": seq}, now)

    def _forget(self, now: float) -> None:
        with transaction(self._engine) as connection:
            feed.prune(connection, now - _FEED_S)
            if given_up := repoqueue.prune(connection, now - self._events_kept_s):
                counters.add(connection, {f"{DROPPED}repository_events": given_up})
            if self._kept_s:
                usage.prune(connection, now - self._kept_s)
            forget_again(connection)
