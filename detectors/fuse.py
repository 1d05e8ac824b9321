"""From evidence to severity: the largest within a family, summed across families, fading.

Evidence fades with a half-life of half an hour. In the logarithm to base 2 fading is a
subtraction of time, so that the strongest evidence that still counts is a running maximum: one
pass over whole numbers, and the same for any batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.chance import CAP, Floats
from detectors.clocks import running_index, running_maximum, segment_starts
from detectors.network import EXPLAINED, SERVERS
from detectors.profile import FAMILIES
from detectors.round import Evidence, Round
from detectors.words import Reason
from vocabulary.access import Ints
from vocabulary.alert import Severity

HALF_LIFE_MS = 30 * 60_000
UNIT = float(1 << 20)
FLOOR = 1.0
"""Evidence weaker than this adds nothing: every day has its small surprises."""
SOME_MORE = 2.5
"""Volume that is no alert of medium by itself."""
ROUNDING = 0.01
"""Faded evidence is not exact."""
MANY = 0.5
"""What each further family costs: with four of them, two small surprises in a day are common."""
THRESHOLDS = {Severity.LOW: 2.0, Severity.MEDIUM: 3.0, Severity.HIGH: 5.0, Severity.CRITICAL: 7.0}
FAMILIES_AT_LEAST = 2
NETWORK_AT_LEAST = 2.0
"""A key is revoked only if the network says so too."""


@dataclass(frozen=True, slots=True)
class Fused:
    """What all detectors together say.

    Attributes:
        severity: shape (n,), 0 for nothing.
        total: shape (n,).
        share: per family, shape (n,): the evidence that still counts.
        level: per family, shape (n,): the same as it is remembered.
        since: per family, shape (n,): the event of this round that gave it, -1 for one before.
        again: shape (n,), what of the total is only told once more; see `said_again`.
    """

    severity: Ints
    total: Floats
    share: tuple[Floats, ...]
    level: tuple[Ints, ...]
    since: tuple[Ints, ...]
    again: Floats


def fuse(day: Round, families: Sequence[Evidence]) -> Fused:
    """Fuse the evidence of the families, in the order of FAMILIES."""
    shares, levels, origins = [], [], []
    for i, one in enumerate(families):
        share, level, since = fading(day, one.e, day.rows["evidence"][:, i])
        shares.append(share)
        levels.append(level)
        origins.append(since)
    total, strong = np.zeros(len(day.t)), np.zeros(len(day.t), np.int64)
    for share in shares:
        total += np.where(share >= FLOOR, share, 0.0)
        strong += share >= FLOOR
    total -= MANY * np.maximum(strong - 1, 0) + day.lenient[day.row]
    again = said_again(day, families, shares, origins, total)
    return Fused(
        severities(day, total, strong, shares, again),
        total, tuple(shares), tuple(levels), tuple(origins), again,
    )  # fmt: skip


def said_again(
    day: Round,
    families: Sequence[Evidence],
    shares: Sequence[Floats],
    origins: Sequence[Ints],
    total: Floats,
) -> Floats:
    """Return how much of the total only tells once more of what a harmless cause explains.

    Who travels lives by another clock: unusual hours in a place that is new to a known client are
    no second witness, unless the place is a data centre. A new version of a program has a new name
    and calls new endpoints. Who works late does a little more that day, and more than is usual at
    that hour. All are told, and none is a reason to slow a key down.
    """
    found = np.zeros(len(total))
    at = np.flatnonzero(total >= THRESHOLDS[Severity.MEDIUM])
    if not len(at):
        return found
    network, time, volume, behaviour = (
        np.where(share[at] >= FLOOR, reasons(day, families[i], i, origins[i], at), Reason.NONE)
        for i, share in enumerate(shares)
    )
    moved = np.isin(network, (Reason.NEW_NETWORK, Reason.YOUNG_NETWORK, Reason.TRAVEL))
    moved &= (shares[0][at] <= EXPLAINED + ROUNDING) & (
        1 << day.place["kind"][at].astype(np.int64) & SERVERS == 0
    )
    travels = moved & (time == Reason.OFF_HOURS)
    renewed = (network == Reason.NEW_CLIENT) & (behaviour == Reason.NEW_ENDPOINTS)
    late = (network == Reason.NONE) & (time == Reason.OFF_HOURS) & (volume != Reason.NONE)
    late &= shares[2][at] <= SOME_MORE
    told = ((travels, 1), (renewed, 3), (late, 2))
    found[at] = np.select([when for when, _ in told], [shares[family][at] for _, family in told])
    return found


def reasons(day: Round, family: Evidence, number: int, since: Ints, at: Ints) -> Ints:
    """Return what the evidence of a family that still counts is about, for some events."""
    here = since[at]
    carried = day.rows["reason"][day.row[at], number]
    return np.where(here >= 0, family.reason[np.maximum(here, 0)], carried).astype(np.int64)


def fading(day: Round, e: Floats, before: Ints) -> tuple[Floats, Ints, Ints]:
    """Return the strongest evidence so far, faded, and the event that it comes from."""
    age = day.t / HALF_LIFE_MS
    level = np.zeros(len(e), np.int64)
    some = np.flatnonzero(e > 0)
    level[some] = np.rint((np.log2(np.maximum(e[some], 1e-6)) + age[some]) * UNIT)
    starts = segment_starts(day.row)
    lifted = level.copy()
    lifted[starts] = np.maximum(level[starts], before[day.row[starts]])
    highest = running_maximum(day.row, lifted)
    earlier = np.concatenate(([0], highest[:-1]))
    earlier[starts] = before[day.row[starts]]
    since = running_index(day.row, highest > earlier)
    share = np.zeros(len(e))
    some = np.flatnonzero(highest > 0)
    share[some] = np.exp2(np.minimum(highest[some] / UNIT - age[some], 3.0))
    return share, highest, since


def severities(
    day: Round, total: Floats, strong: Ints, shares: Sequence[Floats], again: Floats
) -> Ints:
    """Return the severity of each event; what acts on a key takes evidence that is told once."""
    network, volume = (shares[FAMILIES.index(name)] for name in ("network", "volume"))
    mature = day.mature[day.row]
    severity = np.zeros(len(total), np.int64)
    severity[total >= THRESHOLDS[Severity.LOW]] = Severity.LOW
    severity[total >= THRESHOLDS[Severity.MEDIUM]] = Severity.MEDIUM
    once = np.where(again > 0, total - again + MANY, total)
    several = strong - (again > 0) >= FAMILIES_AT_LEAST
    high = (once >= THRESHOLDS[Severity.HIGH]) & several
    high |= (total >= THRESHOLDS[Severity.HIGH]) & (volume > CAP)
    severity[high & mature] = Severity.HIGH
    critical = (once >= THRESHOLDS[Severity.CRITICAL]) & (network >= NETWORK_AT_LEAST)
    severity[critical & several & mature] = Severity.CRITICAL
    return severity
