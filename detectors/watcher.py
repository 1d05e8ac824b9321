"""The detectors' one door: a batch of events in, alerts and the profiles' changes out."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from sqlalchemy import Connection, Engine

from detectors import (
    alarm,
    behaviour,
    calibration,
    clocks,
    feedback,
    hours,
    network,
    packing,
    rate,
    sessions,
    terms,
)
from detectors.arena import Arena
from detectors.chance import Floats
from detectors.clocks import renumbered, segment_starts
from detectors.facts import UNKNOWN, KeyFacts
from detectors.fleet import Fleet
from detectors.forest import Forest
from detectors.fuse import fuse
from detectors.geoip import GeoReader
from detectors.packing import Changed
from detectors.profile import DAY_MS, Rows, picked, words_of
from detectors.round import Evidence, Round, evidence, largest, strongest
from detectors.store import Changes, ProfileStore
from detectors.words import Reason
from vocabulary.access import Codes, EventBatch, Flags, Ints
from vocabulary.alert import Alert
from vocabulary.lesson import Lesson

Clock = Callable[[], float]
Totals = Callable[[list[str], int, Floats], None]
Collect = Callable[[list[str], Rows, sessions.Closed], None]
BLOCK_KEYS = 8192
"""Keys of a round that are worked on together: about 30 MB of profiles. With fewer the calls of
numpy cost more than what they do, with more the profiles leave the caches."""
FAR_MS = 1e15
"""Beyond every time that a log can hold: a clock that says so clamps nothing."""


class WatchSettings(msgspec.Struct, frozen=True):
    """How the detectors watch.

    Attributes:
        lateness_s: an event older than this behind its key's clock is late.
        future_s: how far ahead of our own clock an event's time is believed.
        learning_days, learning_events, learning_active_days: until then a key is still learned.
        profiles_in_memory: of more keys, those that were used longest ago wait in the database.
    """

    lateness_s: float = 600.0
    future_s: float = 300.0
    learning_days: int = 14
    learning_events: int = 50
    learning_active_days: int = 5
    profiles_in_memory: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch led to. Nothing is stored until `write` is called, in the caller's transaction.

    Attributes:
        alerts: in order of time, then id.
        events: number of events in the batch.
        late: how many of them were too old to be scored for their rate.
        told: sentences for the operator: quarantined profiles and the like.
        taught: the lessons that were taken in; they are done once the step is written.
    """

    alerts: tuple[Alert, ...]
    events: int
    late: int
    told: tuple[str, ...] = ()
    taught: tuple[Lesson, ...] = ()
    changes: Changes | None = field(default=None, repr=False)

    def write(self, connection: Connection, now: float) -> None:  # noqa: ARG002
        """Write the changes of the profiles; once, in the transaction of the batch.

        Args:
            connection: the transaction.
            now: epoch seconds; profiles live in event time and do not use it.
        """
        if self.changes is not None:
            self.changes.write(connection)


class Watcher:
    """Knows every key, and says what is unlike it.

    If the transaction in which a step was written fails, the watcher is ahead of the database:
    throw it away and make a new one.

    Args:
        engine: where profiles are kept; None keeps them in memory only.
        geo: where addresses are.
        forest: a model of sessions; None for none.
        collect: is given the profiles and sessions of each round, with the profiles' names.
        totals: is given the highest total of evidence of each key and day, as they are scored.
        clock: epoch seconds; events from the future are clamped to it. For a replay give one that
            returns infinity.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        geo: GeoReader | None = None,
        settings: WatchSettings = WatchSettings(),  # noqa: B008  (frozen)
        *,
        forest: Forest | None = None,
        collect: Collect | None = None,
        totals: Totals | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._store = ProfileStore(engine)
        sides = self._store.open()
        self._fleet = Fleet.unpacked(sides["fleet"]) if "fleet" in sides else Fleet()
        self._arena = Arena(self._store.load)
        self._geo = geo or GeoReader()
        self._settings = settings
        self._forest = forest
        self._collect = collect
        self._totals = totals
        self._clock = clock

    def step(
        self,
        batch: EventBatch,
        facts: Mapping[str, KeyFacts],
        lessons: Sequence[Lesson] = (),
    ) -> Step:
        """Score the batch against the profiles of its keys, in each key's order of arrival.

        Args:
            batch: events, sorted by key and arrival.
            facts: what the key store knows of the batch's keys; keys may be missing.
            lessons: what people say; those about keys of the batch are taken in, before it.
        """
        self._make_room()
        changed: list[Changed] = []
        events = self._columns(batch, facts, changed)
        taught = self._teach(events, lessons, changed)
        alerts = self._fleet.sources.alerts(batch, self._plausible(batch.ts_ms))
        if len(events.t):
            order, edges = rounds(events.row, events.t // DAY_MS)
            for begin, end in pairwise(edges):
                for block in blocks(events.row, order[begin:end]):
                    alerts += self._round(events, block, changed)
        late = int(events.late.sum())
        alerts.sort(key=lambda one: (one.ts, one.id))
        changes = self._changes(events, changed)
        return Step(tuple(alerts), len(batch), late, self._told(), taught, changes)

    @property
    def profiles(self) -> int:
        """How many profiles are in memory."""
        return len(self._arena)

    def _make_room(self) -> None:
        """Let go of profiles, which the database has by now, if too many are in memory."""
        gone = self._arena.make_room(self._settings.profiles_in_memory, self._store.is_whole)
        if gone:
            self._store.gone(gone)

    def _teach(
        self, events: "_Events", lessons: Sequence[Lesson], changed: list[Changed]
    ) -> tuple[Lesson, ...]:
        place = {name: i for i, name in enumerate(events.names)} if lessons else {}
        mine = tuple(one for one in lessons if one.key in place)
        for one in mine:
            i = place[one.key]
            slot = events.slots[i : i + 1]
            row = self._arena.gathered(slot)
            offset = offsets([events.facts[i].tz], row["day"])
            feedback.teach(row, one, int(offset[0]))
            self._put(np.array([i]), slot, row, changed)
        return mine

    def _put(self, which: Ints, slots: Ints, rows: Rows, changed: list[Changed]) -> None:
        """Put rows back, and note what has changed for the database."""
        before = self._arena.put(slots, rows)
        if self._store.engine:
            changed.append(packing.changed(which, before, rows))

    def _told(self) -> tuple[str, ...]:
        told = tuple(self._store.told)
        self._store.told.clear()
        return told

    def _changes(self, events: "_Events", changed: list[Changed]) -> Changes | None:
        return self._store.changes(
            events.names,
            changed,
            len(events.t),
            {"fleet": self._fleet.packed()},
            self._arena.of,
        )

    def _columns(
        self, batch: EventBatch, facts: Mapping[str, KeyFacts], changed: list[Changed]
    ) -> "_Events":
        """Take the events that count for a key, on their keys' clocks."""
        counts = np.flatnonzero(
            batch.accepted & (np.array([bool(k) for k in batch.keys] or [False])[batch.key])
        )
        used, row = renumbered(batch.key[counts])
        names = [batch.keys[i] for i in used.tolist()]
        slots = self._arena.slots(names)
        known = [facts.get(name, UNKNOWN) for name in names] if facts else [UNKNOWN] * len(names)
        self._inherit(slots, known, changed)
        ts_ms = self._plausible(batch.ts_ms)[counts]
        lateness_ms = int(self._settings.lateness_s * 1000)
        clocked = clocks.effective(row, ts_ms, self._arena.rows["clock"][slots], lateness_ms)
        crowd = self._fleet.crowd.factors(
            batch.arrival[counts], self._arena.codes[slots][row], ts_ms
        )
        endpoint, number, thing = terms.endpoints(batch)
        place = self._geo.places(batch.ips, batch.ip, batch.ts_ms)[counts]
        return _Events(
            names=names, slots=slots, facts=known, row=row, t=clocked.t, late=clocked.late,
            place=place, agent=terms.clients(batch)[counts], endpoint=endpoint[counts],
            number=number[counts], thing=thing[counts], status=batch.status[counts],
            writes=writes(batch.methods)[batch.method[counts]], size=batch.size[counts],
            crowd=crowd,
        )  # fmt: skip

    def _inherit(self, slots: Ints, known: Sequence[KeyFacts], changed: list[Changed]) -> None:
        """Give keys that replace others, and are seen for the first time, what those had."""
        for i, facts in enumerate(known):
            if facts.rotated_from and self._arena.rows["day"][slots[i]] < 0:
                new = feedback.inherited(self._arena.of([facts.rotated_from]))
                self._put(np.array([i]), slots[i : i + 1], new, changed)

    def _plausible(self, ts_ms: Ints) -> Ints:
        """Clamp times to our own clock, so that the future moves nothing."""
        now_ms = (self._clock() + self._settings.future_s) * 1000.0
        past = np.maximum(ts_ms, 0)
        return np.minimum(past, np.int64(now_ms)) if now_ms < FAR_MS else past

    def _round(self, events: "_Events", which: Ints, changed: list[Changed]) -> list[Alert]:
        used, row = renumbered(events.row[which])
        slots = events.slots[used]
        rows = self._arena.gathered(slots)
        t = events.t[which]
        starts = segment_starts(row)
        today = t[starts] // DAY_MS
        zones = [events.facts[i].tz for i in used.tolist()]
        offset = offsets(zones, today)
        closed = self._open(rows, today, offset, t[starts])
        place = events.place[which]
        day = Round(
            rows=rows, row=row, t=t, late=events.late[which], offset_ms=offset, place=place,
            network=networks(place), agent=events.agent[which], endpoint=events.endpoint[which],
            number=events.number[which], thing=events.thing[which], status=events.status[which],
            writes=events.writes[which], size=events.size[which],
            crowd=events.crowd[which], mature=rows["mature"] > 0,
            lenient=rows["tolerance"] - sensitivity(events.facts, used),
            closed=closed,
        )  # fmt: skip
        names = [events.names[i] for i in used.tolist()]
        found = score(day, self._forest, self._collect and partial(self._collect, names))
        fused = fuse(day, found)
        if self._totals:
            for at in np.unique(today).tolist():
                most = largest(row, fused.total, len(rows))
                here = np.flatnonzero(today == at)
                self._totals([names[i] for i in here.tolist()], at, most[here])
        alerts = alarm.raise_alerts(day, fused, found, names, self._geo.operators)
        last = np.append(starts[1:], len(row)) - 1
        rows["clock"] = t[last]
        rows["events"] += np.bincount(row, minlength=len(rows)).astype(np.uint32)
        rows["late"] += np.bincount(row, weights=day.late, minlength=len(rows)).astype(np.uint32)
        self._put(used, slots, rows, changed)
        return alerts

    def _open(self, rows: Rows, today: Ints, offset: Ints, t: Ints) -> Evidence:
        """Close the days that have passed, learn from them, and open today's."""
        closed = [np.zeros(len(rows)) for _ in range(3)]
        closing = np.flatnonzero((rows["day"] >= 0) & (rows["day"] != today))
        if len(closing):
            past = picked(rows, closing)
            feedback.hold(past, offset[closing])
            stolen = np.flatnonzero(feedback.stolen(past))
            before = past[stolen]
            said = behaviour.close(past)
            for column, values in zip(closed, (said.e, said.observed, said.expected), strict=True):
                column[closing] = values
            elapsed = (today[closing] - past["day"]).astype(np.float64)
            calibration.learn(past, elapsed)
            rate.learn(past, offset[closing], elapsed)
            hours.learn(past, offset[closing], elapsed)
            network.learn(past, elapsed)
            sessions.learn(past, elapsed)
            feedback.unlearn(past, stolen, before)
            past["days"] += 1
            # Decided when a day opens, so that it does not depend on where a batch begins.
            past["mature"] = self._mature(past, today[closing])
            past["steady"] = rate.is_steady(past)
            hours.foresee(past, today[closing], offset[closing])
            words_of(rows)[closing] = words_of(past)
        rows["first"] = np.where(rows["day"] < 0, t, rows["first"])
        rows["day"] = today
        return evidence(closed[0], Reason.OBJECTS, closed[1], closed[2])

    def _mature(self, rows: Rows, today: Ints) -> Flags:
        settings = self._settings
        return np.asarray(
            (today - rows["first"] // DAY_MS >= settings.learning_days)
            & (rows["events"] >= settings.learning_events)
            & (rows["days"] >= settings.learning_active_days)
        )


@dataclass(frozen=True, slots=True)
class _Events:
    """The events of a batch that count for a key, as columns; see Round."""

    names: list[str]
    slots: Ints
    facts: list[KeyFacts]
    row: Codes
    t: Ints
    late: np.ndarray
    place: np.ndarray
    agent: np.ndarray
    endpoint: np.ndarray
    number: Ints
    thing: np.ndarray
    status: np.ndarray
    writes: np.ndarray
    size: Ints
    crowd: np.ndarray


def sensitivity(facts: Sequence[KeyFacts], used: np.ndarray) -> Floats:
    """Return how sensitive people want the alerts of some keys to be."""
    return np.array([facts[i].sensitivity for i in used.tolist()], np.float64)


READS = frozenset({"", "GET", "HEAD", "OPTIONS"})


def writes(methods: Sequence[str]) -> Flags:
    """Return which methods change something."""
    return np.array([method.upper() not in READS for method in methods] or [False])


def score(
    day: Round, forest: Forest | None, collect: sessions.Collect | None = None
) -> tuple[Evidence, ...]:
    """Ask every detector; return the evidence of the families in the order of FAMILIES."""
    places, new = network.score(day)
    behaved = strongest(behaviour.score(day, new), sessions.score(day, forest, collect))
    silent = behaviour.silence(day)
    return (places, strongest(hours.score(day), silent), rate.score(day), behaved)


def rounds(row: Codes, day: Ints) -> tuple[Ints, list[int]]:
    """Divide events into rounds: the first day of every key, then the second, and so on.

    Returns:
        The events ordered by round, and the edges of the rounds in that order.
    """
    starts = np.concatenate(([True], row[1:] != row[:-1]))
    turns = (np.concatenate(([False], day[1:] != day[:-1])) & ~starts).astype(np.int64)
    total = np.cumsum(turns)
    begin = np.flatnonzero(starts)
    number = total - np.repeat(total[begin], np.diff(np.append(begin, len(row))))
    order = np.argsort(number, kind="stable")
    return order, [0, *np.cumsum(np.bincount(number)).tolist()]


def blocks(row: Codes, which: Ints) -> Iterator[Ints]:
    """Divide a round into parts of so many keys that their profiles stay in the caches."""
    key = row[which]
    starts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    edges = [*starts[::BLOCK_KEYS].tolist(), len(which)]
    for begin, end in pairwise(edges):
        yield which[begin:end]


def networks(place: np.ndarray) -> np.ndarray:
    """Return the AS number, or for lack of one the prefix around the address (/16, or /48)."""
    wide = np.where(place["prefix"] >> 31, place["prefix"], place["prefix"] >> 8 | 1 << 30)
    known = place["prefix"] != 0
    return np.where(place["asn"] != 0, place["asn"], np.where(known, wide, 0)).astype(np.uint32)


def offsets(zones: list[str], today: Ints) -> Ints:
    """Return by how many milliseconds each zone is ahead of UTC on its day."""
    if not any(zones):
        return np.zeros(len(zones), np.int64)
    return np.array(
        [
            _offset_ms(zone, day) if zone else 0
            for zone, day in zip(zones, today.tolist(), strict=True)
        ],
        np.int64,
    )


@lru_cache(maxsize=65536)
def _offset_ms(zone: str, day: int) -> int:
    try:
        noon = datetime(1970, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
        ahead = noon.astimezone(ZoneInfo(zone)).utcoffset()
    except (OSError, ValueError, OverflowError):
        return 0
    return int(ahead.total_seconds() * 1000) if ahead else 0
