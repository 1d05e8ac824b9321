"""Behaviour: endpoints, objects and answers that are unlike this key, and its silences."""

import numpy as np

from detectors import calibration, tables, windows
from detectors.chance import Floats, poisson
from detectors.network import TABLES
from detectors.profile import HOUR_MS, SCALES, TEN_MS, Rows
from detectors.round import Evidence, Round, evidence, largest, strongest
from detectors.terms import NO_OBJECT
from detectors.words import Reason
from vocabulary.access import Flags, Ints

ENDPOINT_DAYS, ENDPOINT_NEWS = 5.0, 0.5
FORBIDDEN = 403
LONG_SILENCE_DAYS = 30.0


def score(day: Round, new_network: Flags) -> Evidence:
    """Return the evidence of behaviour."""
    found = endpoints(day, new_network)
    return strongest(strongest(found, refusals(day)), sequences(day))


def endpoints(day: Round, new_network: Flags) -> Evidence:
    """Return the evidence of endpoints that the key never used."""
    seen = tables.look_up(day.rows, "endpoint", day.row, day.endpoint, day.rows["day"])
    news = day.rows["novelties"][:, TABLES.index("endpoint")].astype(np.float64)
    days = day.rows["mature_days"].astype(np.float64)
    usual = ((news + ENDPOINT_NEWS) / (days + ENDPOINT_DAYS))[day.row]
    e = poisson(seen.count.astype(np.float64), usual)
    e = e + np.where(new_network, 0.5, 0.0)
    e = np.where(seen.fresh & (days >= 3)[day.row], e, 0.0)
    return evidence(e, Reason.NEW_ENDPOINTS, seen.count.astype(np.float64), usual)


def refusals(day: Round) -> Evidence:
    """Return the evidence of answers 403 within an hour."""
    n = _in_an_hour(day, "refused", day.status == FORBIDDEN)
    x = np.log1p(n.astype(np.float64))
    e = calibration.scale(day.rows, "denied").surprise(day.row, x)
    e = np.where((day.status == FORBIDDEN) & (n >= 5), e, 0.0)
    _remember(day, "denied", x)
    return evidence(e, Reason.REFUSED, n.astype(np.float64), n * 0.0)


def sequences(day: Round) -> Evidence:
    """Return the evidence of walking through ids, one after the other."""
    starts = np.flatnonzero(np.concatenate(([True], day.row[1:] != day.row[:-1])))
    named = np.flatnonzero(day.number != NO_OBJECT)
    before = np.full(len(day.row), NO_OBJECT, np.int64)
    # The object named before this one, by the same key.
    previous = np.concatenate((day.number[:0], day.number[named][:-1]))
    same = np.concatenate(([False], day.row[named][1:] == day.row[named][:-1]))
    carried = day.rows["object"][day.row[named]]
    before[named] = np.where(same, np.concatenate(([0], previous))[: len(named)], carried)
    step = (day.number != NO_OBJECT) & (day.number == before + 1) & (before > 0)
    last = np.maximum.reduceat(
        np.where(day.number != NO_OBJECT, np.arange(len(day.row)), -1), starts
    )
    day.rows["object"] = np.where(last >= 0, day.number[np.maximum(last, 0)], day.rows["object"])
    n = _in_an_hour(day, "steps", step)
    x = np.log1p(n.astype(np.float64))
    e = calibration.scale(day.rows, "sequence").surprise(day.row, x)
    e = np.where(step & (n >= 20), e, 0.0)
    _remember(day, "sequence", x)
    return evidence(e, Reason.SEQUENCE, n.astype(np.float64), n * 0.0)


def silence(day: Round) -> Evidence:
    """Return the evidence of a key that comes back after a silence longer than it ever kept."""
    starts = np.flatnonzero(np.concatenate(([True], day.row[1:] != day.row[:-1])))
    gap_h = np.zeros(len(day.row))
    clock = day.rows["clock"]
    gap_h[starts] = np.where(clock > 0, (day.t[starts] - clock) / HOUR_MS, 0.0)
    usual = day.rows["longest_gap_h"].astype(np.float64)[day.row]
    days = gap_h / 24.0
    e = np.where(
        days >= LONG_SILENCE_DAYS,
        1.0 + 1.5 * np.log2(np.maximum(days, 1.0) / LONG_SILENCE_DAYS),
        0.0,
    )
    e = np.where(gap_h > 2 * usual, e, 0.0)
    day.rows["longest_gap_h"] = np.maximum(
        day.rows["longest_gap_h"], np.maximum.reduceat(gap_h, starts)
    )
    return evidence(e, Reason.SILENCE, days, usual / 24.0)


def _in_an_hour(day: Round, ring: str, flag: Flags) -> Ints:
    clock = day.rows["clock"] // TEN_MS
    counted = windows.count(
        day.row, day.t // TEN_MS, flag.astype(np.int64), day.rows[ring], clock, (6,)
    )
    day.rows[ring] = np.minimum(counted.ring, np.iinfo(np.uint16).max)
    return counted.counts[0]


def _remember(day: Round, name: str, x: Floats) -> None:
    scale, highest = SCALES.index(name), day.rows["highest"]
    highest[:, scale] = np.maximum(highest[:, scale], largest(day.row, x, len(day.rows)))


def learn(rows: Rows) -> None:
    """Nothing yet."""
