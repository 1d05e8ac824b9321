"""The detectors' one door: a batch of events in, alerts and the profiles' changes out."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sqlalchemy import Connection, Engine

from detectors import beside, clocks, endpoints, feedback, merging, packing, terms
from detectors import seeds as seedlings
from detectors.arena import Arena
from detectors.clocks import renumbered, segment_starts
from detectors.facts import UNKNOWN, KeyFacts
from detectors.fleet import Fleet
from detectors.forest import Forest
from detectors.geoip import GeoReader
from detectors.packing import NOTHING_SOWN, Changed, Sown
from detectors.profile import PENDING, WAITING, Rows, picked, words_of
from detectors.records import taken
from detectors.scoring import (
    Collect,
    Events,
    Scorer,
    Totals,
    WatchSettings,
    offsets,
)
from detectors.seeds import SEED
from detectors.store import FLEET, Changes, ProfileStore, Work
from vocabulary.access import EventBatch, Flags, Ints
from vocabulary.alert import Alert
from vocabulary.lesson import REBUILT, Lesson

__all__ = ["Step", "WatchSettings", "Watcher"]

Clock = Callable[[], float]
FAR_MS = 1e15
"""Beyond every time that a log can hold: a clock that says so clamps nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch led to. Nothing is stored until `write` is called, in the caller's transaction.

    Attributes:
        alerts: in order of time, then id.
        events: number of events in the batch.
        late: how many of them were too old to be scored for their rate.
        told: sentences for the operator: quarantined profiles and the like.
        taught: the lessons that were taken in; they are done once the step is written.
        named: number of an endpoint → its name, where it had none before.
    """

    alerts: tuple[Alert, ...]
    events: int
    late: int
    told: tuple[str, ...] = ()
    taught: tuple[Lesson, ...] = ()
    changes: Changes | None = field(default=None, repr=False)
    named: Mapping[int, str] = field(default_factory=dict, repr=False)

    def write(self, connection: Connection, now: float) -> None:  # noqa: ARG002
        """Write the changes of the profiles; once, in the transaction of the batch.

        Args:
            connection: the transaction.
            now: epoch seconds; profiles live in event time and do not use it.
        """
        if self.changes is not None:
            self.changes.write(connection)
        endpoints.keep(connection, self.named)


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
        shard: whose profiles, where several workers share a database; see `ProfileStore`. What
            addresses do is seen by all of them together then; see `detectors.refusals`.
    """

    def __init__(  # noqa: PLR0913  (what it is made of)
        self,
        engine: Engine | None = None,
        geo: GeoReader | None = None,
        settings: WatchSettings = WatchSettings(),  # noqa: B008  (frozen)
        *,
        forest: Forest | None = None,
        collect: Collect | None = None,
        totals: Totals | None = None,
        clock: Clock = time.time,
        shard: str = "",
    ) -> None:
        self._store = ProfileStore(engine, shard)
        sides = self._store.open()
        self._fleet = Fleet.unpacked(sides[FLEET]) if FLEET in sides else Fleet()
        self._arena = Arena(self._store.load)
        self._names = endpoints.Names(self._store.names())
        self._geo = geo or GeoReader()
        self._settings = settings
        self._scorer = Scorer(
            settings, self._geo.operators, forest=forest, collect=collect, totals=totals
        )
        # Who wants to see every round is shown every round.
        self._seeds = 0 if collect or totals else seedlings.limit(settings)
        self._clock = clock

    def step(
        self,
        batch: EventBatch,
        facts: Mapping[str, KeyFacts],
        lessons: Sequence[Lesson] = (),
        lateness_s: float = 0.0,
    ) -> Step:
        """Score the batch against the profiles of its keys, in each key's order of arrival.

        Args:
            batch: events, sorted by key and arrival.
            facts: what the key store knows of the batch's keys; keys may be missing.
            lessons: what people say; those about keys of the batch are taken in, before it.
            lateness_s: how far behind its key's clock an event may be; 0 for the usual.
        """
        self._make_room()
        changed: list[Changed] = []
        events = self._columns(batch, facts, changed, lateness_s or self._settings.lateness_s)
        taught = self._teach(events, lessons, changed)
        alerts = [] if self._store.shard else self._sources(batch)
        quiet, sown = self._sow(events)
        quiet |= self._wait(events, np.flatnonzero(~quiet), changed)
        busy = np.flatnonzero(~quiet)
        which = np.flatnonzero(~quiet[events.row])
        alerts += self._score(*self._with_earlier(events, busy, which), changed)
        late = int(events.late.sum())
        alerts.sort(key=lambda one: (one.ts, one.id))
        changes = self._changes(events, changed, sown)
        named = self._names.fresh(events) if self._store.engine else {}
        return Step(tuple(alerts), len(batch), late, self._told(), taught, changes, named)

    def of(self, keys: Sequence[str], facts: Mapping[str, KeyFacts] | None = None) -> Rows:
        """Return copies of the profiles of distinct keys, as rows beside which nothing waits."""
        slots = self._arena.slots(keys)
        rows = self._arena.gathered(slots)
        known = [(facts or {}).get(key, UNKNOWN) for key in keys]
        for earlier in self._earlier(list(keys), known, slots, np.arange(len(slots))):
            used, row = renumbered(earlier.row)
            few = replace(
                earlier,
                row=row,
                names=[keys[i] for i in used.tolist()],
                facts=[known[i] for i in used.tolist()],
            )
            words_of(rows)[used] = words_of(self._scorer.advanced(picked(rows, used), few))
        rows["pending"] = np.zeros((), PENDING)
        return rows

    def called(self, key: str) -> tuple[str, ...]:
        """Return the endpoints that a key calls, by name; see `endpoints.Names.of`."""
        return self._names.of(self.of([key]))

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
        self, events: Events, lessons: Sequence[Lesson], changed: list[Changed]
    ) -> tuple[Lesson, ...]:
        place = {name: i for i, name in enumerate(events.names)} if lessons else {}
        mine = tuple(one for one in lessons if one.key in place)
        for one in mine:
            i = place[one.key]
            slot = events.slots[i : i + 1]
            self._settle(events, np.array([i]), changed)
            row = self._arena.gathered(slot)
            if one.verdict == REBUILT:
                self._put(
                    np.array([i]), slot, self._rebuilt(one.key, events.facts[i], row), changed
                )
                continue
            offset = offsets([events.facts[i].tz], row["day"])
            feedback.teach(row, one, int(offset[0]))
            self._put(np.array([i]), slot, row, changed)
        return mine

    def _rebuilt(self, key: str, facts: KeyFacts, row: Rows) -> Rows:
        """Return the profile that was put together from a key's history, or else what there is."""
        kept = self._store.rebuilt(key)
        if kept is None:
            return row
        return seedlings.grown(kept, self._settings, facts) if kept.dtype == SEED else kept

    def kept(self, key: str) -> bytes:
        """Return a key's profile as the database keeps it."""
        _, kept = self._arena.kept_at(self._arena.slots([key]))
        return packing.Packer().pack(key, kept[0])

    def _sources(self, batch: EventBatch) -> list[Alert]:
        return self._fleet.sources.alerts(batch, self.plausible(batch.ts_ms))

    def _put(self, which: Ints, slots: Ints, rows: Rows, changed: list[Changed]) -> None:
        """Put rows back, and note what has changed for the database."""
        if self._store.engine:
            before = words_of(self._arena.gathered(slots))
            changed.append(packing.changed(which, before, rows))
        self._arena.put(slots, rows)

    def _told(self) -> tuple[str, ...]:
        told = tuple(self._store.told)
        self._store.told.clear()
        return told

    def _changes(self, events: Events, changed: list[Changed], sown: Sown) -> Changes | None:
        side = {FLEET: self._fleet.packed()}
        work = Work(events.names, events.slots, changed, sown, len(events.t), side)
        return self._store.changes(work, self._arena.slots, self._arena.kept_at)

    def _sow(self, events: Events) -> tuple[Flags, Sown]:
        """Keep the events of keys about which nothing can be said yet; say of which keys."""
        arena, slots = self._arena, events.slots
        if not len(slots) or not self._seeds:
            return np.zeros(len(slots), np.bool_), NOTHING_SOWN
        quiet = ~arena.has_row(slots)
        quiet &= seedlings.quiet(
            events, arena.clock[slots], arena.count[slots], arena.network[slots], self._seeds
        )
        which = np.flatnonzero(quiet[events.row])
        if not len(which):
            return quiet, NOTHING_SOWN
        used, row = renumbered(events.row[which])
        seeds = seedlings.seeds_of(events, which)
        arena.sow(slots[used], row, seeds)
        return quiet, Sown(used, np.bincount(row), seeds)

    def _wait(self, events: Events, which: Ints, changed: list[Changed]) -> Flags:
        """Have events wait beside the rows of some keys; say of which keys they do."""
        found = np.zeros(len(events.slots), np.bool_)
        which = which[np.bincount(events.row, minlength=len(found))[which] <= WAITING]
        which = beside.may_have(events.facts, which[self._arena.has_row(events.slots[which])])
        if not self._seeds or not len(which):
            return found
        found[which] = True
        slots = events.slots[which]
        held = self._arena.pending(slots)
        waits = beside.add(
            events, np.flatnonzero(found[events.row]), held,
            lambda i, endpoint: self._arena.knows(slots[i], endpoint),
        )  # fmt: skip
        found[which] = waits
        slots, held = slots[waits], taken(held, np.flatnonzero(waits))
        if len(slots) and self._store.engine:
            changed.append(packing.waited(which[waits], self._arena.pending(slots), held))
        self._arena.wait(slots, held)
        return found

    def _settle(self, events: Events, which: Ints, changed: list[Changed]) -> None:
        """Have the rows of some keys be what they are after all their events."""
        for earlier in self._earlier(events.names, events.facts, events.slots, which):
            every = np.arange(len(earlier.t))
            self._score(replace(earlier, slots=events.slots), every, changed)

    def _with_earlier(self, events: Events, busy: Ints, which: Ints) -> tuple[Events, Ints]:
        """Return events, and which are scored: those of some keys, after what waited of them."""
        earlier = self._earlier(events.names, events.facts, events.slots, busy)
        if not earlier:
            return events, which
        both = beside.joined(earlier, events, which)
        return both, np.arange(len(both.t))

    def _earlier(
        self, names: list[str], facts: Sequence[KeyFacts], slots: Ints, which: Ints
    ) -> list[Events]:
        """Return the events of some keys that wait to be scored, of those with rows and others."""
        young = which[self._arena.count[slots[which]] > 0]
        row, kept = self._arena.seeds(slots[young])
        found = [seedlings.events_of(names, facts, young[row].astype(np.int32), kept)]
        old = which[self._arena.has_row(slots[which])]
        found.append(beside.events_of(names, facts, old, self._arena.pending(slots[old])))
        return [one for one in found if len(one.t)]

    def _score(self, events: Events, which: Ints, changed: list[Changed]) -> list[Alert]:
        """Score some events, and put the rows of their keys back."""
        alerts = []
        for part in events.parts(which):
            used = events.row[part][segment_starts(events.row[part])].astype(np.int64)
            rows = self._arena.gathered(events.slots[used])
            alerts += self._scorer.score(events, part, rows)
            self._put(used, events.slots[used], rows, changed)
        return alerts

    def _columns(
        self,
        batch: EventBatch,
        facts: Mapping[str, KeyFacts],
        changed: list[Changed],
        lateness_s: float,
    ) -> Events:
        """Take the events that count for a key, on their keys' clocks."""
        believed = batch.accepted
        if not all(batch.keys):
            believed = believed & np.array([bool(key) for key in batch.keys])[batch.key]
        counts = np.flatnonzero(believed)
        used, row = renumbered(batch.key[counts])
        names = list(batch.keys)
        if len(used) < len(names):
            names = [names[i] for i in used.tolist()]
        # Rows that are read in the order in which they lie are read sooner.
        slots, order = self._arena.in_order(names)
        if order is not None:
            names = list(map(names.__getitem__, order.tolist()))
            counts, row = clocks.reordered(counts, row, order)
        known = [facts.get(name, UNKNOWN) for name in names] if facts else [UNKNOWN] * len(names)
        if facts:
            self._inherit(names, slots, known, changed)
        ts_ms = self.plausible(batch.ts_ms)[counts]
        lateness_ms = int(lateness_s * 1000)
        clocked = clocks.effective(row, ts_ms, self._arena.clock[slots], lateness_ms)
        crowd = self._fleet.crowd.factors(
            batch.arrival[counts], self._arena.codes[slots][row], ts_ms
        )
        endpoint, number, thing = terms.endpoints(batch)
        place = taken(self._geo.places(batch.ips, batch.ip, batch.ts_ms), counts)
        return Events(
            names=names, slots=slots, facts=known, row=row, t=clocked.t, late=clocked.late,
            place=place, agent=terms.clients(batch)[counts], endpoint=endpoint[counts],
            number=number[counts], thing=thing[counts], status=batch.status[counts],
            writes=terms.writes(batch.methods)[batch.method[counts]], size=batch.size[counts],
            crowd=crowd, tls=terms.prints(batch)[counts], tokens=terms.tokens(batch)[counts],
            address=lambda i: batch.ips[batch.ip[counts[i]]],
            target=lambda i: _target(batch, counts[i]),
        )  # fmt: skip

    def _inherit(
        self, names: list[str], slots: Ints, known: Sequence[KeyFacts], changed: list[Changed]
    ) -> None:
        """Give keys that replace others what those had, once.

        Both may be used during a grace; what they then do is learned apart.
        """
        for i, facts in enumerate(known):
            old = facts.rotated_from
            if not old or self._arena.heir_of(slots[i]) == merging.mark(old):
                continue
            mine, other = self.of([names[i]], {names[i]: facts}), self.of([old])
            new = merging.merged(mine, other, offsets([facts.tz], mine["day"]))
            new["heir"] = merging.mark(old)
            self._put(np.array([i]), slots[i : i + 1], new, changed)

    def plausible(self, ts_ms: Ints) -> Ints:
        """Clamp times to our own clock, so that the future moves nothing."""
        now_ms = (self._clock() + self._settings.future_s) * 1000.0
        past = np.maximum(ts_ms, 0)
        return np.minimum(past, np.int64(now_ms)) if now_ms < FAR_MS else past


def _target(batch: EventBatch, at: int) -> tuple[str, str]:
    return batch.methods[batch.method[at]], batch.paths[batch.path[at]]
