"""Events that wait beside the rows of their keys; see `pending`."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.behaviour import FORBIDDEN
from detectors.clocks import renumbered, segment_starts
from detectors.crowd import STEP
from detectors.declared import has_said
from detectors.facts import UNKNOWN, KeyFacts, nothing_is_said
from detectors.geoip import PLACE
from detectors.pending import RARE
from detectors.profile import BITS, DAY_MS, EVENT, HOUR_MS, WAITING, WAY, WAYS, Rows
from detectors.records import field, taken, whole
from detectors.scoring import Events, Scorer, WatchSettings, nothing, nowhere
from detectors.sessions import LARGEST_BODY
from vocabulary.access import Codes, Flags, Ints

Pending = NDArray[np.void]
"""PENDING records, shape (k,)."""
Knows = Callable[[Ints, np.ndarray], Flags]
"""Whether each of some profiles knows an endpoint."""

WINDOWS_MS = ((1000, 10), (60_000, 2), (60_000, 10), (60_000, 60), (HOUR_MS, 24))
"""Of each window, the length of its buckets and their number."""
COLUMNS = (
    "row", "t", "late", "place", "agent", "endpoint", "number", "thing", "status", "writes",
    "size", "crowd", "tls", "tokens",
)  # fmt: skip


def may_have(facts: Sequence[KeyFacts], which: Ints) -> Ints:
    """Return those of some keys of which events may wait: not where owners want to know sooner."""
    if nothing_is_said(facts):
        return which
    wait = [one.sensitivity <= 0 and not has_said(one) for one in facts]
    return which[np.array(wait, np.bool_)[which]]


def add(events: Events, which: Ints, held: Pending, knows: Knows) -> Flags:
    """Have the events of some keys wait, of those of which all can.

    Args:
        events: the batch.
        which: all events of these keys, at least one.
        held: shape (k,), what waits of these keys, in their order; changed in place.
        knows: says of keys, by index, whether they know an endpoint.

    Returns:
        Shape (k,), True for the keys whose events wait; of the others `held` is of no use.
    """
    _, own = renumbered(events.row[which])
    starts = segment_starts(own)
    number = np.arange(len(own)) - starts[own] + held["count"][own]
    way = _ways(events, which, held, own)
    fits = _may_wait(events, which, held, own) & (number < WAITING) & (way < WAYS)
    found = np.logical_and.reduceat(fits, starts)
    # What is left is nearly all, or nearly nothing.
    some = np.flatnonzero(found[own])
    which, own, number, way = which[some], own[some], number[some], way[some]
    if not len(some):
        return found
    moment = events.t[which] % DAY_MS
    field(held, "events")[own, number] = whole(_waiting(events, which, way))
    bad = _exceeds(held, own, number, moment)
    hour = moment // HOUR_MS
    rare = ~_bit(held["free"], own, hour)
    if rare.any():
        bad |= rare & ~_bit(held["rare"], own, hour)
        held["odd"] += np.bincount(own, rare, len(held)).astype(np.uint8)
        bad |= (held["odd"] > RARE)[own]
    asked = np.flatnonzero(~bad & (held["any"] == 0)[own])
    bad[asked] = ~knows(own[asked].astype(np.int64), events.endpoint[which[asked]])
    found[own[bad]] = False
    held["count"] += np.bincount(own, minlength=len(held)).astype(np.uint8)
    return found


def _may_wait(events: Events, which: Ints, held: Pending, own: Codes) -> Flags:
    status, size = events.status[which], events.size[which]
    fits = ~events.late[which] & (size >= 0) & (events.tokens[which] == 0)
    fits &= (status != FORBIDDEN) & (status >= 0) & (status <= np.iinfo(np.uint16).max)
    return np.asarray(fits & (events.t[which] // DAY_MS + 1 == held["open"][own]), np.bool_)


def _ways(events: Events, which: Ints, held: Pending, own: Codes) -> Ints:
    """Return by which of their keys' ways events came, WAYS for none."""
    ways, known = held["ways"], held["known"]
    prefix, agent = events.place["prefix"][which], events.agent[which]
    found = np.full(len(which), WAYS)
    for i in reversed(range(WAYS)):
        same = (ways["place"]["prefix"][own, i] == prefix) & (ways["agent"][own, i] == agent)
        found[same & (known[own] > i)] = i
    at = np.flatnonzero(found < WAYS)
    way, one = field(held, "ways")[own[at], found[at]].view(WAY), which[at]
    same = way["tls"] == events.tls[one]
    for name in ("asn", "country", "kind"):
        same &= way["place"][name] == events.place[name][one]
    for name in ("lat", "lon"):
        # By their bits: what is not known is like what is not known.
        now, then = (
            np.ascontiguousarray(part[name]).view(np.uint32)
            for part in (taken(events.place, one), way["place"])
        )
        same &= now == then
    found[at[~same]] = WAYS
    return found


def _waiting(events: Events, which: Ints, way: Ints) -> np.ndarray:
    one = np.zeros(len(which), EVENT)
    one["moment"] = (events.t[which] % DAY_MS << BITS) + way * 2 + events.writes[which]
    one["crowd"] = np.rint(events.crowd[which] * STEP)
    one["endpoint"], one["thing"] = events.endpoint[which], events.thing[which]
    one["kib"] = np.minimum(events.size[which], LARGEST_BODY) >> 10
    one["status"], one["number"] = events.status[which], events.number[which]
    return one


def _exceeds(held: Pending, own: Codes, number: Ints, moment: Ints) -> Flags:
    """Return which events might be more than what says nothing, in any window.

    Args:
        held: what waits, these events included.
        own: shape (n,), of which key each event is.
        number: shape (n,), which of what waits of that key.
        moment: shape (n,), their milliseconds since midnight.
    """
    bad = np.zeros(len(own), np.bool_)
    since, before = held["since"].astype(np.int64), held["events"]["moment"]
    for window, (length_ms, width) in enumerate(WINDOWS_MS):
        most, left = held["most"][own, window], held["left"][own, window]
        # As long as what was scored before is within reach, all of it is counted.
        bad |= (number >= left) & (moment // length_ms - since[own] // length_ms < width)
        many = np.flatnonzero(number >= most)
        if len(many):
            first = before[own[many], number[many] - most[many]] >> BITS
            bad[many] |= moment[many] // length_ms - first // length_ms < width
    return bad


def _bit(bits: np.ndarray, own: Codes, hour: Ints) -> Flags:
    return np.asarray(bits[own, hour >> 3] >> (7 - (hour & 7)).astype(np.uint8) & 1, np.bool_)


def events_of(names: list[str], facts: Sequence[KeyFacts], which: Ints, held: Pending) -> Events:
    """Return what waits of some keys as the events that they were.

    Args:
        names: the keys of the batch.
        facts: what is known of each.
        which: shape (k,), the keys whose events they are, ascending.
        held: shape (k,).
    """
    count = held["count"].astype(np.int64)
    own = np.repeat(np.arange(len(held)), count)
    number = np.arange(len(own)) - (np.cumsum(count) - count)[own]
    one = field(held, "events")[own, number].view(EVENT)
    way = field(held, "ways")[own, one["moment"] >> 1 & 3].view(WAY)
    day = held["open"].astype(np.int64) - 1
    return Events(
        names=names, slots=np.arange(len(names)), facts=list(facts),
        row=which[own].astype(np.int32), t=day[own] * DAY_MS + (one["moment"] >> BITS),
        late=np.zeros(len(own), np.bool_), place=field(way, "place").copy().view(PLACE),
        agent=way["agent"].copy(), endpoint=one["endpoint"].copy(), number=one["number"].copy(),
        thing=one["thing"].copy(), status=one["status"].astype(np.int32),
        writes=(one["moment"] & 1) > 0, size=one["kib"].astype(np.int64) << 10,
        crowd=one["crowd"] / STEP, tls=way["tls"].copy(), tokens=np.zeros(len(own), np.int64),
        address=nowhere, target=nothing,
    )  # fmt: skip


def joined(earlier: Sequence[Events], events: Events, which: Ints) -> Events:
    """Return what waited before some events, and these, sorted by key and arrival.

    Args:
        earlier: what waited, by the same keys.
        events: the batch.
        which: those of its events that are scored.
    """
    row = np.concatenate([*(one.row for one in earlier), events.row[which]])
    order = np.argsort(row, kind="stable")
    new = len(row) - len(which)
    columns = {
        name: _column([*(getattr(one, name) for one in earlier), getattr(events, name)[which]])
        for name in COLUMNS
    }

    def origin(at: int) -> int:
        return int(which[order[at] - new]) if order[at] >= new else -1

    return Events(
        names=events.names, slots=events.slots, facts=events.facts,
        address=lambda at: events.address(origin(at)) if origin(at) >= 0 else nowhere(at),
        target=lambda at: events.target(origin(at)) if origin(at) >= 0 else nothing(at),
        **{name: column[order] for name, column in columns.items()},
    )  # fmt: skip


def _column(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays one after the other; records as they are."""
    if parts[0].dtype.names is None:
        return np.concatenate(parts)
    return np.concatenate([whole(part) for part in parts]).view(parts[0].dtype)


def settled(row: Rows, settings: WatchSettings, facts: KeyFacts = UNKNOWN) -> Rows:
    """Return a row, an array of one, after what waits beside it."""
    if not row["pending"]["count"][0]:
        return row
    held = row["pending"].copy()
    return Scorer(settings, {}).advanced(
        row.copy(), events_of([""], [facts], np.zeros(1, np.int64), held)
    )
