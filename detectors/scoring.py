"""Scoring: days of keys against their profiles, learned from when the next day opens.

What arrives together is divided into rounds: the first day of every key, then the second. A round
is worked off in blocks of keys, whole columns at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import pairwise
from typing import overload
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from detectors import (
    alarm,
    behaviour,
    calibration,
    declared,
    feedback,
    hours,
    levels,
    network,
    pending,
    rate,
    sessions,
    tokens,
)
from detectors.chance import Floats
from detectors.clocks import renumbered, segment_starts
from detectors.facts import KeyFacts, nothing_is_said
from detectors.forest import Forest
from detectors.fuse import fuse
from detectors.profile import DAY_MS, Rows, blank, picked, words_of
from detectors.records import taken
from detectors.round import Evidence, Round, evidence, largest, strongest
from detectors.words import Reason
from vocabulary.access import Codes, Flags, Ints
from vocabulary.alert import Alert

Totals = Callable[[list[str], int, Floats], None]
Collect = Callable[[list[str], Rows, sessions.Closed], None]
BLOCK_KEYS = 7168
"""Keys of a round that are worked on together: 28 MB of profiles. With fewer the calls of numpy
cost more than what they do, with more the profiles leave the caches; and from 32 MiB on the
allocator of glibc asks the system for each copy of a block, page by page."""


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
class Events:
    """Events that count for a key, as columns sorted by key and arrival; see Round.

    Attributes:
        names: the keys.
        slots: shape (k,), where the keys' profiles are.
        facts: of the keys.
        row: shape (n,), points into `names`.
        address: returns where an event came from, as the log has it.
        target: returns an event's method and path.
    """

    names: list[str]
    slots: Ints
    facts: list[KeyFacts]
    row: Codes
    t: Ints
    late: Flags
    place: np.ndarray
    agent: np.ndarray
    endpoint: np.ndarray
    number: Ints
    thing: np.ndarray
    status: np.ndarray
    writes: np.ndarray
    size: Ints
    crowd: np.ndarray
    tls: np.ndarray
    tokens: Ints
    address: Callable[[int], str]
    target: Callable[[int], tuple[str, str]]

    def parts(self, which: Ints) -> Iterator[Ints]:
        """Divide some of the events into rounds and blocks."""
        if len(which):
            order, edges = rounds(self.row[which], self.t[which] // DAY_MS)
            for begin, end in pairwise(edges):
                yield from blocks(self.row, which[order[begin:end]])


def nowhere(_: int) -> str:
    """Return where an event came from that is remembered without its address."""
    return ""


def nothing(_: int) -> tuple[str, str]:
    """Return what was asked for by an event that is remembered without its path."""
    return "", ""


class Names(Sequence[str]):
    """The names of the keys of a round. Of most nothing is said, and no name is asked for."""

    def __init__(self, every: Sequence[str], which: Ints) -> None:
        self._every, self._which = every, which

    def __len__(self) -> int:
        return len(self._which)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            return Names(self._every, self._which[at])
        return self._every[int(self._which[at])]


class Scorer:
    """Scores rounds.

    Args:
        settings: from when on a key is known.
        operators: names of AS numbers.
        forest: a model of sessions; None for none.
        collect: is given the profiles and sessions of each round, with the profiles' names.
        totals: is given the highest total of evidence of each key and day, as they are scored.
    """

    def __init__(
        self,
        settings: WatchSettings,
        operators: Mapping[int, str],
        *,
        forest: Forest | None = None,
        collect: Collect | None = None,
        totals: Totals | None = None,
    ) -> None:
        self.settings, self._operators = settings, operators
        self._forest, self._collect, self._totals = forest, collect, totals

    def first_rows(self, events: Events) -> Rows:
        """Return the profiles of keys of which these events are all there ever was."""
        return self.advanced(blank(len(events.names)), events)

    def advanced(self, rows: Rows, events: Events) -> Rows:
        """Return the profiles of keys, changed in place, after events of which nothing is said."""
        for which in events.parts(np.arange(len(events.t))):
            used = np.unique(events.row[which]).astype(np.int64)
            every = len(used) == len(rows)
            some = rows if every else picked(rows, used)
            self.score(events, which, some)
            if not every:
                words_of(rows)[used] = words_of(some)
        return rows

    def score(self, events: Events, which: Ints, rows: Rows) -> list[Alert]:
        """Score some events of one day of each of their keys.

        Args:
            events: the columns.
            which: which of them.
            rows: the profiles of their keys, in the order of the keys; changed in place.
        """
        used, row = renumbered(events.row[which])
        t = events.t[which]
        starts = segment_starts(row)
        today = t[starts] // DAY_MS
        facts = [events.facts[i] for i in used.tolist()]
        plain = nothing_is_said(facts)
        offset = offsets([] if plain else [one.tz for one in facts], today)
        opening = np.flatnonzero(rows["day"] != today)
        closed = self._open(rows, today, offset, t[starts])
        declared.foresee(rows, facts, opening, today, offset)
        place = taken(events.place, which)
        day = Round(
            rows=rows, row=row, t=t, late=events.late[which], offset_ms=offset, place=place,
            network=networks(place), agent=events.agent[which], endpoint=events.endpoint[which],
            number=events.number[which], thing=events.thing[which], status=events.status[which],
            writes=events.writes[which], size=events.size[which],
            crowd=events.crowd[which], tls=events.tls[which], tokens=events.tokens[which],
            mature=rows["mature"] > 0, budget=tokens.budgets(facts),
            lenient=rows["tolerance"] - sensitivity(facts),
            closed=closed, said=declared.said(
                rows, facts, row, place["country"], lambda i: events.address(int(which[i]))
            ),
        )  # fmt: skip
        names = Names(events.names, used)
        found = score(day, self._forest, self._collect and partial(self._collect, list(names)))
        fused = fuse(day, found)
        if self._totals:
            for at in np.unique(today).tolist():
                most = largest(row, fused.total, len(rows))
                here = np.flatnonzero(today == at)
                self._totals([names[i] for i in here.tolist()], at, most[here])
        labels = alarm.Labels(names, dict(self._operators), lambda i: events.address(int(which[i])))
        alerts = alarm.raise_alerts(day, fused, found, labels)
        last = np.append(starts[1:], len(row)) - 1
        rows["clock"] = t[last]
        rows["events"] += np.bincount(row, minlength=len(rows)).astype(np.uint32)
        if day.late.any():
            late = np.bincount(row, weights=day.late, minlength=len(rows))
            rows["late"] += late.astype(np.uint32)
        pending.prepare(day, found[0])
        return alerts

    def _open(self, rows: Rows, today: Ints, offset: Ints, t: Ints) -> Evidence:
        """Close the days that have passed, learn from them, and open today's."""
        closed = [np.zeros(len(rows)) for _ in range(3)]
        closing = np.flatnonzero((rows["day"] >= 0) & (rows["day"] != today))
        if len(closing):
            every = len(closing) == len(rows)
            past = rows if every else picked(rows, closing)
            feedback.hold(past, offset[closing])
            stolen = np.flatnonzero(feedback.stolen(past))
            before = past[stolen]
            counts = levels.day_counts(past)
            said = behaviour.close(past, counts)
            for column, values in zip(closed, (said.e, said.observed, said.expected), strict=True):
                column[closing] = values
            elapsed = (today[closing] - past["day"]).astype(np.float64)
            calibration.learn(past, elapsed)
            levels.learn(past, counts, offset[closing], elapsed)
            hours.learn(past, counts, offset[closing], elapsed)
            network.learn(past, elapsed)
            sessions.learn(past, elapsed)
            tokens.learn(past, elapsed)
            feedback.unlearn(past, stolen, before)
            past["days"] += 1
            # Decided when a day opens, so that it does not depend on where a batch begins.
            past["mature"] = self._mature(past, today[closing])
            past["steady"] = levels.is_steady(past)
            hours.foresee(past, today[closing], offset[closing])
            if not every:
                words_of(rows)[closing] = words_of(past)
        opening = np.flatnonzero(rows["day"] != today)
        if len(opening):
            rows["first"] = np.where(rows["day"] < 0, t, rows["first"])
            rows["day"] = today
        return evidence(closed[0], Reason.OBJECTS, closed[1], closed[2])

    def _mature(self, rows: Rows, today: Ints) -> Flags:
        settings = self.settings
        return np.asarray(
            (today - rows["first"] // DAY_MS >= settings.learning_days)
            & (rows["events"] >= settings.learning_events)
            & (rows["days"] >= settings.learning_active_days)
        )


def sensitivity(facts: Sequence[KeyFacts]) -> Floats:
    """Return how sensitive people want the alerts of some keys to be."""
    if nothing_is_said(facts):
        return np.zeros(len(facts))
    return np.array([one.sensitivity for one in facts], np.float64)


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
        return np.zeros(len(today), np.int64)
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
    except (LookupError, OSError, ValueError, OverflowError):
        return 0
    return int(ahead.total_seconds() * 1000) if ahead else 0
