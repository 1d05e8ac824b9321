"""What only the whole fleet shows: crowds that many keys share, and one source trying many keys.

A crowd is measured minute by minute on the events' common clock, the running maximum of all
times in order of arrival. Each minute that has passed gives one factor, by which every key's
expectation grows in the minutes that follow; it is a side input, stored with the profiles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from zlib import crc32

import msgspec
import numpy as np
from msgspec.structs import replace

from detectors.chance import Floats
from detectors.words import rfc3339
from vocabulary.access import EventBatch, Flags, Ints
from vocabulary.alert import Alert, Evidence, Severity, Span
from vocabulary.senders import sender

MINUTE_MS = 60_000
LEAST_KEYS = 20
"""Below so many usually active keys there is no crowd, only keys."""
DEAD_BAND, NOISE = 1.4, 5.0
"""A fleet less than this much busier (by roots) is not told from noise; nor one within so many
deviations, if each active key counts as one."""
MOST = 20.0
MOST_KEYS = 1 << 16
"""Keys of a minute that are counted one by one; of a larger fleet a share of them is."""
ROOT = 1024.0
STEP = 1024.0
"""Factors are whole numbers of this part, so that they can be kept in two bytes."""
SMOOTH = 5
"""Minutes over which the present is averaged."""
SLOT_MIN = 60
SLOTS = 24
FADE = 0.5 ** (1 / 4)
"""How the usual activity of an hour of the day fades from day to day: a half-life of four days."""
WINSOR = 3.0
READY_DAYS = 3.0


class CrowdState(msgspec.Struct):
    """The fleet's clock, the open minute, and what is usual at each hour of the day.

    Attributes:
        minute: the open minute since 1970; -1 before the first event.
        open: hash of each key active in the open minute → its events.
        recent: activity of the last minutes, the newest last.
        sum, calm, keys, minutes: of the running hour: activity, the same without what crowds
            add, active keys, and minutes.
        usual, usual_keys, days: per hour of the day, decayed means and their weight.
        last: per hour of the day, the calm activity when it last was.
        done: sum of roots (in units of 1 / ROOT) and keys of the open minute, once it is whole.
        by_minute, by_hour: the factors of the last hour and the last day.
        share: in the open minute one in so many keys is counted, chosen by its hash.
    """

    clock_ms: int = 0
    minute: int = -1
    open: dict[int, int] = {}
    recent: list[float] = []
    hour: int = -1
    sum: float = 0.0
    calm: float = 0.0
    keys: float = 0.0
    minutes: int = 0
    usual: list[float] = msgspec.field(default_factory=lambda: [0.0] * SLOTS)
    last: list[float] = msgspec.field(default_factory=lambda: [0.0] * SLOTS)
    usual_keys: list[float] = msgspec.field(default_factory=lambda: [0.0] * SLOTS)
    days: list[float] = msgspec.field(default_factory=lambda: [0.0] * SLOTS)
    done: tuple[int, int] = (0, 0)
    by_minute: list[float] = []
    by_hour: list[float] = []
    last_hour: int = -1
    share: int = 1


@dataclass(slots=True)
class Crowd:
    """Follows how busy the fleet is, each key counting by the root of its events.

    By the root, so that one key's flood is not the fleet's.
    """

    state: CrowdState = field(default_factory=CrowdState)

    def factors(self, arrival: Ints, key: Ints, ts_ms: Ints) -> Floats:
        """Return for each event by how much the fleet is busier than usual.

        Args:
            arrival: shape (n,), rank of arrival.
            key: shape (n,), a hash of each event's key.
            ts_ms: shape (n,), plausible times.

        Returns:
            Shape (n, 3): in the last minutes, the last hour and the last day; at least 1.
        """
        if not len(arrival):
            return np.ones((0, 3))
        order = np.argsort(arrival, kind="stable")
        clock = np.maximum.accumulate(np.maximum(ts_ms[order], self.state.clock_ms))
        self.state.clock_ms = int(clock[-1])
        minute = clock // MINUTE_MS
        begins = np.concatenate(([True], minute[1:] != minute[:-1]))
        place = np.cumsum(begins) - 1
        pair, counts = np.unique(place << 32 | key[order], return_counts=True)
        edges = np.searchsorted(pair >> 32, np.arange(place[-1] + 2)).tolist()
        found = np.ones((place[-1] + 1, 3))
        roots = np.rint(np.sqrt(counts) * ROOT).astype(np.int64)
        before = [0, *np.cumsum(roots).tolist()]
        minutes = minute[begins].tolist()
        calm = self._is_calm()
        for i, (at, begin, end) in enumerate(zip(minutes, edges[:-1], edges[1:], strict=True)):
            if at != self.state.minute:
                self._advance(at)
                calm = calm and self._is_calm(since=-1)
            if not calm:
                found[i] = self._factors()
            over = 0 < i < len(minutes) - 1
            if over and self.state.share == 1:
                # A whole minute that is over: its sums are enough.
                self.state.done = (before[end] - before[begin], end - begin)
                continue
            which = self._chosen(pair[begin:end] & 0xFFFFFFFF) + begin
            if over:
                self.state.done = (int(roots[which].sum()), len(which))
            else:
                self._count(pair[which] & 0xFFFFFFFF, counts[which])
        result = np.empty((len(order), 3))
        result[order] = found[place]
        return result

    def _is_calm(self, since: int = 0) -> bool:
        """Whether no minute since then, and no hour, makes any factor more than 1."""
        state = self.state
        return all(one == 1.0 for one in state.by_minute[since:]) and all(
            one <= 1.0 for one in state.by_hour
        )

    def _chosen(self, names: Ints) -> Ints:
        """Return which keys are counted: of a large fleet a share stands for all."""
        share = self.state.share
        return np.arange(len(names)) if share == 1 else np.flatnonzero(names % share == 0)

    def _count(self, names: Ints, counts: Ints) -> None:
        open_minute = self.state.open
        for name, n in zip(names.tolist(), counts.tolist(), strict=True):
            open_minute[name] = open_minute.get(name, 0) + n

    def _advance(self, minute: int) -> None:
        state = self.state
        if state.minute < 0:
            state.minute = minute
            return
        activity, keys = state.done
        if state.open:
            roots = np.rint(np.sqrt(np.array(list(state.open.values()))) * ROOT)
            activity, keys = int(roots.astype(np.int64).sum()), len(state.open)
        self._close(activity * state.share / ROOT, keys * state.share)
        for _ in range(min(minute - state.minute - 1, SMOOTH)):
            self._close(0.0, 0)
        # Decided when a minute opens, so that it does not depend on where a batch begins.
        state.share = 1 << max(0, (keys * state.share // MOST_KEYS).bit_length())
        state.minute, state.open, state.done = minute, {}, (0, 0)
        self._remember(self._factor())

    def _close(self, activity: float, keys: int) -> None:
        state = self.state
        state.recent = [*state.recent[1 - SMOOTH :], activity]
        hour = state.minute // SLOT_MIN
        if hour != state.hour:
            self._learn()
            state.hour = hour
        state.sum += activity
        # What a crowd explains is not what yesterday was like.
        state.calm += activity / math.sqrt(state.by_minute[-1] if state.by_minute else 1.0)
        state.keys += keys
        state.minutes += 1

    def _learn(self) -> None:
        state = self.state
        if state.minutes:
            slot, mean = state.hour % SLOTS, state.sum / SLOT_MIN
            usual = state.usual[slot]
            state.last[slot] = state.calm / SLOT_MIN
            if state.days[slot] >= READY_DAYS:
                mean = min(mean, WINSOR * usual)
            weight = state.days[slot] * FADE
            state.usual[slot] = (usual * weight + mean) / (weight + 1.0)
            known = state.usual_keys[slot]
            state.usual_keys[slot] = (known * weight + state.keys / SLOT_MIN) / (weight + 1.0)
            state.days[slot] = weight + 1.0
        state.sum, state.calm, state.keys, state.minutes = 0.0, 0.0, 0.0, 0

    def _factor(self) -> float:
        state = self.state
        slot = state.minute // SLOT_MIN % SLOTS
        if state.days[slot] < READY_DAYS or state.usual_keys[slot] * SMOOTH < LEAST_KEYS:
            return 1.0
        near = (slot - 1, slot, (slot + 1) % SLOTS)
        # A fleet that grew since yesterday is no crowd.
        usual = max(*(state.usual[i] for i in near), *(state.last[i] for i in near[1:]))
        present = max(sum(state.recent) / len(state.recent), state.recent[-1] * LAST)
        ratio = present / usual
        noise = 1.0 + NOISE / math.sqrt(state.usual_keys[slot] * SMOOTH)
        return min(ratio * ratio, MOST) if ratio > max(DEAD_BAND, noise) else 1.0

    def _remember(self, factor: float) -> None:
        """Keep the factors of the last hour by minute, those of the last day by hour."""
        state = self.state
        hour = state.minute // 60
        if hour != state.last_hour:
            past = [*state.by_hour, sum(state.by_minute) / max(len(state.by_minute), 1)]
            state.by_hour, state.last_hour = past[-24:], hour
        state.by_minute = [*state.by_minute[-59:], factor]

    def _factors(self) -> tuple[float, float, float]:
        """Return the highest of ten minutes, and the means of an hour and a day."""
        state = self.state
        minutes = state.by_minute or [1.0]
        hour = sum(minutes) + (60 - len(minutes))
        day = sum(state.by_hour) + (24 - len(state.by_hour))
        of_a_day = max(day / 24.0, hour / 60.0 / 24.0, 1.0)
        return _rounded(max(minutes[-10:])), _rounded(max(hour / 60.0, 1.0)), _rounded(of_a_day)


def _rounded(factor: float) -> float:
    return round(factor * STEP) / STEP


LAST = 0.7
"""The last minute alone says something at once, a little less than the mean of several."""


WINDOW_MS = 10 * MINUTE_MS
STUFFING = ((50, Severity.HIGH), (10, Severity.MEDIUM))
"""So many different keys, refused to one address within ten minutes, are no mistake."""
MOST_SOURCES, MOST_TRIED = 4096, 64
"""Addresses, and refused keys of each, that are told apart: a few more than it takes to alert."""


class SourcesState(msgspec.Struct):
    """Which keys were refused to which address in the open window of ten minutes.

    Attributes:
        window: the open window since 1970.
        tried: address → hashes of the keys that were refused to it.
        first_ms, events: address → when its first one was, and how many.
        told: address → the severity that was told in this window.
    """

    clock_ms: int = 0
    window: int = -1
    tried: dict[str, set[int]] = {}
    first_ms: dict[str, int] = {}
    events: dict[str, int] = {}
    told: dict[str, int] = {}


@dataclass(slots=True)
class Sources:
    """Notices addresses that try many keys which are not accepted."""

    state: SourcesState = field(default_factory=SourcesState)

    def alerts(self, batch: EventBatch, ts_ms: Ints, which: Flags | None = None) -> list[Alert]:
        """Return the alerts about addresses; nothing here accuses a key.

        Args:
            batch: the events.
            ts_ms: shape (n,), plausible times.
            which: shape (n,), the events that are looked at; None for all that were refused.
        """
        refused = np.flatnonzero(~batch.accepted if which is None else which)
        refused = refused[np.argsort(batch.arrival[refused], kind="stable")]
        found = []
        for i in refused.tolist():
            address, key = batch.ips[batch.ip[i]], int(hashes([batch.keys[batch.key[i]]])[0])
            alert = self._see(sender(address), key, int(ts_ms[i])) if address else None
            if alert:
                found.append(replace(alert, ip=address))
        return found

    def _see(self, address: str, key: int, ts_ms: int) -> Alert | None:
        state = self.state
        state.clock_ms = max(state.clock_ms, ts_ms)
        window = state.clock_ms // WINDOW_MS
        if window != state.window:
            self.state = state = SourcesState(state.clock_ms, window)
        if address not in state.tried and len(state.tried) >= MOST_SOURCES:
            return None
        tried = state.tried.setdefault(address, set())
        state.first_ms.setdefault(address, state.clock_ms)
        state.events[address] = state.events.get(address, 0) + 1
        if len(tried) < MOST_TRIED:
            tried.add(key)
        for least, severity in STUFFING:
            if len(tried) >= least and state.told.get(address, 0) < severity:
                state.told[address] = severity
                return self._alert(address, severity)
        return None

    def _alert(self, address: str, severity: Severity) -> Alert:
        state, moment = self.state, rfc3339(self.state.clock_ms)
        kind = "a network" if "/" in address else "an address"
        keys, name = len(state.tried[address]), f"{address}\0{severity.word}\0{moment}"
        seen = f"{keys} different keys refused (401) to {address} within 10 min"
        return Alert(
            id=f"alr_{blake2b(name.encode(), digest_size=10).hexdigest()}",
            ts=moment,
            kind="stuffing",
            severity=severity.word,
            family="network",
            summary=f"{seen}; {kind} that mistypes its key tries one or two",
            evidence=(Evidence("stuffing", seen, f"one or two keys {kind}", 1e-4),),
            events=Span(rfc3339(state.first_ms[address]), moment, state.events[address]),
        )


@dataclass(slots=True)
class Fleet:
    """All that is known of the fleet as a whole."""

    crowd: Crowd = field(default_factory=Crowd)
    sources: Sources = field(default_factory=Sources)

    def packed(self) -> bytes:
        """Return the state for the database."""
        return msgspec.msgpack.encode((self.crowd.state, self.sources.state))

    @classmethod
    def unpacked(cls, data: bytes) -> "Fleet":
        """Return the fleet that `packed` packed; a new one when the bytes are of no use."""
        try:
            crowd, sources = msgspec.msgpack.decode(data, type=tuple[CrowdState, SourcesState])
        except msgspec.DecodeError:
            return cls()
        return cls(Crowd(crowd), Sources(sources))


def hashes(names: Sequence[str]) -> Ints:
    """Return a hash of each key's name, the same in every process."""
    try:
        codes = list(map(crc32, map(str.encode, names)))
    except UnicodeEncodeError:
        codes = [crc32(name.encode("utf-8", "replace")) for name in names]
    return np.array(codes or [0], np.int64)
