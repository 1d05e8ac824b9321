"""Travel: how far and how fast a key would have moved from where it was used before."""

from dataclasses import dataclass

import numpy as np

from detectors.chance import Floats
from detectors.clocks import running_index, segment_starts
from detectors.round import Round
from vocabulary.access import Flags, Ints

EARTH_KM = 6371.0
FAR_KM, FAST_KMH = 500.0, 800.0
"""Databases are wrong by less than the one; airliners are hardly faster than the other."""
FEW_EVENTS = 4
"""A key's first events are no place to travel from: until then it may have no row yet."""


@dataclass(frozen=True, slots=True)
class Journey:
    """From where the key was used before, to each event.

    Attributes:
        km: shape (n,), along the great circle; 0 where a place is not known.
        ms: shape (n,), since then.
    """

    km: Floats
    ms: Ints

    def impossible(self) -> Flags:
        """Return which of them nobody can have made."""
        hours = np.maximum(self.ms, 1) / 3_600_000.0
        return np.asarray((self.km >= FAR_KM) & (self.km >= FAST_KMH * hours), np.bool_)


def follow(day: Round, which: Ints) -> Journey:
    """Measure the journeys to some events, and remember where each key was used last.

    Args:
        day: the round.
        which: the events that are of interest: the others' journeys are 0.
    """
    starts = segment_starts(day.row)
    number = np.arange(len(day.row)) - starts[day.row] + day.rows["events"][day.row]
    placed = np.isfinite(day.place["lat"]) & np.isfinite(day.place["lon"])
    placed &= (number >= FEW_EVENTS) & ~day.late
    found = Journey(np.zeros(len(day.row)), np.zeros(len(day.row), np.int64))
    if not placed.any():
        return found
    latest = running_index(day.row, placed)
    before = np.concatenate(([-1], latest[:-1]))
    before[starts] = -1
    some = which[placed[which]]
    _measure(day, some, before[some], found)
    last = np.append(starts[1:], len(day.row)) - 1
    seen = np.flatnonzero(latest[last] >= 0)
    at = latest[last[seen]]
    day.rows["spot"][seen] = np.stack((day.place["lat"][at], day.place["lon"][at]), axis=1)
    day.rows["spotted"][seen] = day.t[at]
    return found


def _measure(day: Round, which: Ints, before: Ints, found: Journey) -> None:
    row, inside = day.row[which], before >= 0
    spot, place = day.rows["spot"][row].astype(np.float64), day.place[before]
    lat = np.where(inside, place["lat"], spot[:, 0])
    lon = np.where(inside, place["lon"], spot[:, 1])
    since = np.where(inside, day.t[before], day.rows["spotted"][row])
    known = since > 0
    here = day.place[which]
    km = distance_km(lat, lon, here["lat"].astype(np.float64), here["lon"].astype(np.float64))
    found.km[which] = np.where(known, km, 0.0)
    found.ms[which] = np.where(known, day.t[which] - since, 0)


def distance_km(lat: Floats, lon: Floats, other_lat: Floats, other_lon: Floats) -> Floats:
    """Return kilometres along the great circle, by the haversine; places in degrees."""
    a, b = np.radians(lat), np.radians(other_lat)
    half = np.sin((b - a) / 2.0) ** 2
    half += np.cos(a) * np.cos(b) * np.sin(np.radians(other_lon - lon) / 2.0) ** 2
    return np.asarray(2.0 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))


PACKED = float(1 << 32)


def packed(number: np.ndarray, more: np.ndarray) -> Floats:
    """Return two whole numbers as one that keeps both: the first below 2**32, the other 2**20."""
    return np.asarray(number.astype(np.float64) + PACKED * np.minimum(np.rint(more), 2.0**20 - 1))


def unpacked(value: float) -> tuple[int, int]:
    """Return the two numbers that `packed` packed."""
    more, number = divmod(int(value), int(PACKED))
    return number, more
