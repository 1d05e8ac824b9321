"""The first events of a key, kept as they are until there is something to judge.

Of a fleet most keys are used a few times and then never again. A row costs 3.7 KB and some hundred
columns; the few events that would make it cost 76 bytes each. They become a row, the same to the
last bit, as soon as one of them could matter.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.clocks import segment_starts
from detectors.declared import has_said
from detectors.facts import UNKNOWN, KeyFacts, nothing_is_said
from detectors.geoip import PLACE
from detectors.profile import DAY_MS, Rows
from detectors.records import taken, whole
from detectors.scoring import Events, Scorer, WatchSettings, networks, nothing, nowhere, sensitivity
from detectors.sessions import LARGEST_BODY
from vocabulary.access import Codes, Flags, Ints

Seeds = NDArray[np.void]

LIMIT = 4
"""Events of a key that are kept as they are. Until then no detector but those of networks and
silences says anything: floods and refusals begin at five, everything else needs days."""
GAP_MS = 30 * DAY_MS
"""After a silence of this length, the coming back is evidence."""
KEENEST = 1.0
"""Keys whose alerts people want sooner by more than this are judged from the first event on."""

SEED = np.dtype(
    [
        ("t", "i8"),
        ("number", "i8"),
        ("crowd", "f8", (3,)),
        ("prefix", "u4"),
        ("asn", "u4"),
        ("agent", "u4"),
        ("endpoint", "u4"),
        ("thing", "u4"),
        ("size", "i4"),
        ("status", "i4"),
        ("country", "u2"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("tls", "u4"),
    ]
)
"""An event as the detectors see it; of the flags 1 is late, 2 writes."""
_PLACED = ("prefix", "asn", "country", "kind")
_PLAIN = ("t", "number", "crowd", "agent", "endpoint", "thing", "status", "tls")


def seeds_of(events: Events, which: Ints) -> Seeds:
    """Return some events as seeds."""
    seeds = np.zeros(len(which), SEED)
    for name in _PLAIN:
        seeds[name] = getattr(events, name)[which]
    for name in _PLACED:
        seeds[name] = events.place[name][which]
    seeds["size"] = np.clip(events.size[which], -LARGEST_BODY, LARGEST_BODY)
    seeds["flags"] = events.late[which] + 2 * events.writes[which].astype(np.uint8)
    return seeds


def events_of(names: list[str], facts: Sequence[KeyFacts], row: Codes, seeds: Seeds) -> Events:
    """Return seeds of some keys as the events that they were."""
    place = np.zeros(len(seeds), PLACE)
    for name in _PLACED:
        place[name] = seeds[name]
    return Events(
        names=names, slots=np.arange(len(names)), facts=list(facts), row=row,
        late=(seeds["flags"] & 1) > 0, place=place, writes=(seeds["flags"] & 2) > 0,
        size=seeds["size"].astype(np.int64), tokens=np.zeros(len(seeds), np.int64),
        address=nowhere, target=nothing,
        **{name: np.ascontiguousarray(seeds[name]) for name in _PLAIN},
    )  # fmt: skip


def grown(seeds: Seeds, settings: WatchSettings, facts: KeyFacts = UNKNOWN) -> Rows:
    """Return the row of a key of which these are all events there ever were."""
    row = np.zeros(len(seeds), np.int32)
    return Scorer(settings, {}).first_rows(events_of([""], [facts], row, seeds))


def limit(settings: WatchSettings) -> int:
    """Return how many events of a key may be kept as they are."""
    return LIMIT if settings.learning_events > LIMIT else 0


def quiet(events: Events, clock: Ints, count: Ints, network: np.ndarray, most: int) -> Flags:
    """Return of which keys nothing can be evidence yet, so that their events may be kept.

    Args:
        events: the batch; every key occurs.
        clock: shape (k,), the keys' clocks before; 0 for a new key.
        count: shape (k,), events that are kept of each.
        network: shape (k,), where those came from.
        most: events of a key that may be kept.
    """
    starts = segment_starts(events.row)
    few = count + np.diff(np.append(starts, len(events.row))) <= most
    if not few.any():
        return few
    now = networks(events.place)
    lowest, highest = np.minimum.reduceat(now, starts), np.maximum.reduceat(now, starts)
    one = (lowest == highest) & ((count == 0) | (network == lowest))
    gap = np.diff(events.t, prepend=events.t[:1])
    gap[starts] = np.where(clock > 0, events.t[starts] - clock, 0)
    keen = sensitivity(events.facts)
    soon = np.maximum.reduceat(gap, starts) < GAP_MS
    keep = few & one & soon & (keen <= KEENEST)
    if events.tokens.any():
        keep &= np.maximum.reduceat(events.tokens, starts) == 0
    if not nothing_is_said(events.facts):
        keep &= np.array([not has_said(one) for one in events.facts])
    return np.asarray(keep, np.bool_)


class SeedBed:
    """The seeds of many keys, in one array; each knows the one before it of the same key."""

    FIRST = 1024

    def __init__(self) -> None:
        self._seeds = np.zeros(self.FIRST, SEED)
        self._before = np.zeros(self.FIRST, np.int64)
        self._used = 0
        self._alive = 0

    def sow(self, row: Codes, seeds: Seeds, last: Ints) -> Ints:
        """Add seeds; return where the last one of each key is.

        Args:
            row: shape (n,), index of each seed's key, never decreasing, every key present.
            seeds: shape (n,).
            last: shape (k,), what was returned for each key before; 0 for nothing.
        """
        end = self._used + len(seeds)
        at = np.arange(self._used, end)
        self._reserve(end)
        starts = segment_starts(row)
        before = at.copy()  # the place before, counted from 1
        before[starts] = last
        whole(self._seeds)[self._used : end] = whole(seeds)
        self._before[self._used : end] = before
        self._used = end
        self._alive += len(seeds)
        return np.asarray(np.append(at[starts[1:] - 1], at[-1:]) + 1, np.int64)

    def of(self, last: Ints, count: Ints) -> tuple[Codes, Seeds]:
        """Return the seeds of some keys, in order, and for each the index of its key."""
        ends = np.cumsum(count)
        row = np.repeat(np.arange(len(last), dtype=np.int32), count)
        found = np.zeros(len(row), np.int64)
        at, place, left = last.copy(), ends - 1, count.astype(np.int64)
        while (left > 0).any():
            more = np.flatnonzero(left > 0)
            found[place[more]] = at[more] - 1
            at[more] = self._before[at[more] - 1]
            place[more] -= 1
            left[more] -= 1
        return row, taken(self._seeds, found)

    def forget(self, count: int) -> None:
        """Take note that so many seeds are of no key any more."""
        self._alive -= count

    def wasteful(self) -> bool:
        """Say whether most seeds are of no key any more: then all living ones are to be resown."""
        return self._used > self.FIRST and self._alive * 2 < self._used

    def clear(self) -> None:
        """Forget all seeds."""
        self._used = self._alive = 0

    def _reserve(self, count: int) -> None:
        if count > len(self._seeds):
            size = max(count, len(self._seeds) * 3 // 2)
            self._seeds.resize(size, refcheck=False)
            self._before.resize(size, refcheck=False)
