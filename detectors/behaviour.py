"""Behaviour: endpoints, objects and answers that are unlike this key, and its silences."""

import numpy as np

from detectors import calibration, churn, tables, tokens, windows
from detectors.chance import Floats, poisson
from detectors.clocks import renumbered, segment_starts
from detectors.fuse import FLOOR
from detectors.network import TABLES
from detectors.profile import DAY_MS, HOUR_MS, SCALES, TEN_MS, TENS, Rows, picked
from detectors.round import Evidence, Round, evidence, strongest
from detectors.terms import NO_OBJECT
from detectors.words import Reason
from vocabulary.access import Codes, Flags, Ints

ENDPOINT_DAYS, ENDPOINT_NEWS = 5.0, 0.5
FORBIDDEN = 403
KNOWN_BY, LEAST_REFUSED, LEAST_STEPS, LEAST_OBJECTS = 3, 5, 20, 20
"""Days of life, requests and objects below which nothing is said."""
BIAS = 0.709
"""HyperLogLog's constant for 64 registers."""
LINEAR = 160.0
"""Below it, counting empty registers is the better estimate."""
BUSIER, KNOWN_DAYS = 0.5, 7.0
"""Twice the requests bring about 1.4 times the objects; before so many days nothing is known."""
SLACK, SUSTAIN, SUSTAINED = 1.25, 0.9, 0.85
"""Deviations that a day may have for nothing, what a day forgets, and evidence per deviation."""
TOLD = 3.0
"""Evidence that is an alert by itself."""
LONG_SILENCE_DAYS = 30.0


def score(day: Round, new_network: Flags) -> Evidence:
    """Return the evidence of behaviour."""
    found = endpoints(day, new_network)
    count_objects(day)
    found = strongest(strongest(found, refusals(day)), sequences(day))
    if day.tokens.any():
        found = strongest(found, tokens.score(day))
    return strongest(found, yesterday(day))


def endpoints(day: Round, new_network: Flags) -> Evidence:
    """Return the evidence of endpoints that the key never used."""
    seen = tables.look_up(day.rows, "endpoint", day.row, day.endpoint, day.rows["day"])
    every, expected = np.zeros(len(day.row)), np.zeros(len(day.row))
    fresh = np.flatnonzero(seen.fresh)
    fresh = fresh[day.rows["mature_days"][day.row[fresh]] >= KNOWN_BY]
    row, count = day.row[fresh], seen.count[fresh].astype(np.float64)
    news = day.rows["novelties"][row, TABLES.index("endpoint")].astype(np.float64)
    days = day.rows["mature_days"][row].astype(np.float64)
    usual = (news + ENDPOINT_NEWS) / (days + ENDPOINT_DAYS)
    e = poisson(count, usual)
    e = e + np.where(new_network[fresh], 0.5, 0.0)
    _allow_names(day.rows, row, count, e, usual)
    every[fresh], expected[fresh] = e, usual
    return evidence(every, Reason.NEW_ENDPOINTS, seen.count.astype(np.float64), expected)


def _allow_names(rows: Rows, row: Codes, count: Floats, e: Floats, usual: Floats) -> None:
    """Lower, in place, what new endpoints say of keys whose paths hold names."""
    which = np.flatnonzero(e >= FLOOR)
    if not len(which):
        return
    used, back = renumbered(row[which])
    brought = churn.churn(picked(rows, used))[back]
    named = brought > usual[which]
    at, brought = which[named], brought[named]
    e[at] = np.minimum(e[at], churn.surprise(count[at], brought))
    usual[at] = brought


def refusals(day: Round) -> Evidence:
    """Return the evidence of answers 403 within an hour."""
    n = _in_an_hour(day, "refused", day.status == FORBIDDEN)
    own = n / day.crowd[:, 1]
    many = np.flatnonzero((day.status == FORBIDDEN) & (own >= LEAST_REFUSED))
    e = _surprise(day, "denied", np.log1p(own), many)
    return evidence(e, Reason.REFUSED, n.astype(np.float64), np.zeros(len(n)))


def sequences(day: Round) -> Evidence:
    """Return the evidence of walking through ids, one after the other."""
    starts = segment_starts(day.row)
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
    many = np.flatnonzero(step & (n >= LEAST_STEPS))
    e = _surprise(day, "sequence", np.log1p(n / day.crowd[:, 0]), many)
    return evidence(e, Reason.SEQUENCE, n.astype(np.float64), np.zeros(len(n)))


def silence(day: Round) -> Evidence:
    """Return the evidence of a key that comes back after a silence longer than it ever kept."""
    starts = segment_starts(day.row)
    gap_h = np.zeros(len(day.row))
    clock = day.rows["clock"]
    # Pauses within a day are no silences; and where a batch begins is chance.
    over_night = (clock > 0) & (clock // DAY_MS != day.t[starts] // DAY_MS)
    if not over_night.any():
        return evidence(gap_h, Reason.SILENCE, gap_h, gap_h)
    gap_h[starts] = np.where(over_night, (day.t[starts] - clock) / HOUR_MS, 0.0)
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
    return windows.flagged(day.rows, ring, day.row, day.t // TEN_MS, flag, TEN_MS, TENS)


def _surprise(day: Round, name: str, x: Floats, which: Ints) -> Floats:
    """Return the evidence of a scale for some events, 0 for the others; remember the highest."""
    e = np.zeros(len(x))
    if len(which):
        used, row = renumbered(day.row[which])
        e[which] = calibration.scale(day.rows, name, used).surprise(row, x[which])
    calibration.remember(day.rows, name, day.row, x)
    return e


def count_objects(day: Round) -> None:
    """Count the distinct objects of the day, in 64 registers.

    After Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog" (2007).
    """
    named = np.flatnonzero(day.thing)
    thing = day.thing[named].astype(np.int64)
    register, rest = thing & 63, thing >> 6
    # The position of the lowest set bit of the other 26.
    lowest = np.where(rest, rest & -rest, 1 << 26)
    rank = np.rint(np.log2(lowest.astype(np.float64))).astype(np.uint8) + 1
    np.maximum.at(day.rows["distinct"], (day.row[named], register), rank)


_POWERS = np.exp2(-np.arange(256.0))


def distinct(rows: Rows) -> Floats:
    """Return about how many distinct objects the open day has had."""
    registers = rows["distinct"]
    # Powers of two add up exactly, in any order.
    total = _POWERS[registers].sum(axis=1)
    empty = (registers == 0).sum(axis=1)
    raw = BIAS * 64.0 * 64.0 / total
    small = 64.0 * np.log(64.0 / np.maximum(empty, 1))
    return np.asarray(np.where((raw <= LINEAR) & (empty > 0), small, raw), np.float64)


def close(rows: Rows, in_an_hour: Ints) -> Evidence:
    """Judge the objects of the day that is over, one piece of evidence a profile.

    By the distinct objects, less what a busier day brings by itself; `in_an_hour` is what
    `levels.day_counts` gives.
    """
    objects, requests = distinct(rows), np.maximum(in_an_hour.sum(axis=1), 1)
    x = np.log1p(objects) - BUSIER * np.log(requests)
    scale, every = calibration.scale(rows, "objects"), np.arange(len(rows))
    e = scale.surprise(every, x)
    usual = np.expm1(scale.mean + BUSIER * np.log(requests))
    settled = rows["calibration"][:, SCALES.index("objects"), 0] >= KNOWN_DAYS
    step = np.clip((x - scale.mean) / scale.spread - SLACK, -SLACK, 4.0)
    sum_of_days = np.maximum(rows["sustained"] * SUSTAIN + step, 0.0) * settled
    # Once it has said so it begins anew: a lasting change is told once, not every day.
    rows["sustained"] = np.where(SUSTAINED * sum_of_days >= TOLD, 0.0, sum_of_days)
    # A day of its own, or a little too much for days: a one-sided CUSUM (Page, 1954).
    e = np.maximum(e, SUSTAINED * sum_of_days)
    e = np.where(settled & (objects >= 1.5 * usual) & (objects >= LEAST_OBJECTS), e, 0.0)
    rows["highest"][:, SCALES.index("objects")] = x
    rows["distinct"] = 0
    return evidence(e, Reason.OBJECTS, objects, usual)


def yesterday(day: Round) -> Evidence:
    """Return the evidence of the day that was closed, at the first event after it."""
    starts = segment_starts(day.row)
    n = len(day.row)
    columns = [np.zeros(n) for _ in range(3)]
    for column, values in zip(
        columns, (day.closed.e, day.closed.observed, day.closed.expected), strict=True
    ):
        column[starts] = values
    return evidence(columns[0], Reason.OBJECTS, columns[1], columns[2])
