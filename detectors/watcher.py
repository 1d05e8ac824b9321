"""The detectors' one door: a batch of events in, alerts and the profiles' changes out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, Engine

from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from vocabulary.access import EventBatch
from vocabulary.alert import Alert

Clock = Callable[[], float]


class WatchSettings(msgspec.Struct, frozen=True):
    """How the detectors watch.

    Attributes:
        lateness_s: an event older than this behind its key's clock is late.
        future_s: how far ahead of our own clock an event's time is believed.
    """

    lateness_s: float = 600.0
    future_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch led to. Nothing is stored until `write` is called, in the caller's transaction.

    Attributes:
        alerts: in order of time, then id.
        events: number of events in the batch.
        late: how many of them were too old to be scored for their rate.
        told: sentences for the operator: quarantined profiles and the like.
    """

    alerts: tuple[Alert, ...]
    events: int
    late: int
    told: tuple[str, ...] = ()
    _store: Callable[[Connection, float], None] = field(default=lambda _connection, _now: None)

    def write(self, connection: Connection, now: float) -> None:
        """Write the changes of the profiles; once, in the transaction of the batch."""
        self._store(connection, now)


class Watcher:
    """Knows every key, and says what is unlike it.

    If the transaction in which a step was written fails, the watcher is ahead of the database:
    throw it away and make a new one.

    Args:
        engine: where profiles are kept; None keeps them in memory only.
        geo: where addresses are.
        clock: epoch seconds; events from the future are clamped to it. For a replay: `infinite`.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        geo: GeoReader | None = None,
        settings: WatchSettings = WatchSettings(),  # noqa: B008  (frozen)
        *,
        clock: Clock = time.time,
    ) -> None:
        self._engine = engine
        self._geo = geo or GeoReader()
        self._settings = settings
        self._clock = clock

    def step(self, batch: EventBatch, facts: Mapping[str, KeyFacts]) -> Step:
        """Score the batch against the profiles of its keys, in each key's order of arrival.

        Args:
            batch: events, sorted by key and arrival.
            facts: what the key store knows of the batch's keys; keys may be missing.
        """
        return Step((), len(batch), 0)
