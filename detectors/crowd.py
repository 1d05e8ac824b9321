"""Crowds: what makes most keys busier at once accuses none of them.

A crowd is measured minute by minute on the events' common clock, the running maximum of all
times in order of arrival. Each minute that has passed gives one factor, by which every key's
expectation grows in the minutes that follow; it is a side input, stored with the profiles.
"""

import math
from dataclasses import dataclass, field

import msgspec
import numpy as np

from detectors.chance import Floats
from vocabulary.access import Ints

MINUTE_MS = 60_000
LEAST_KEYS = 20
"""Below so many usually active keys there is no crowd, only keys."""
DEAD_BAND, NOISE = 1.4, 5.0
"""A fleet less than this much busier (by roots) is not told from noise; nor one within so many
deviations, if each active key counts as one."""
STRONG = 4.0
"""For an hour after a factor as large as this one half of that is enough."""
MOST = 20.0
MOST_KEYS = 1 << 16
"""Keys of a minute that are counted one by one; of a larger fleet a share of them is."""
ROOT = 1024.0
STEP = 1024.0
"""Factors are whole numbers of this part, so that they can be kept in two bytes."""
SMOOTH = 5
"""Minutes over which the present is averaged."""
LAST = 0.7
"""The last minute alone says something at once, a little less than the mean of several."""
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
        bar = max(DEAD_BAND, noise)
        if max(state.by_minute, default=1.0) >= STRONG:
            # Crowds come in waves: between two of them it is the same crowd.
            bar = 1.0 + (bar - 1.0) / 2.0
        return min(ratio * ratio, MOST) if ratio > bar else 1.0

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
