"""Volume: more requests in ten seconds, ten minutes, an hour or a day than this key makes.

The mean is what the key usually makes at this hour of a weekday or weekend, shrunk towards its
day's mean; the excess over it is judged by the excesses of the key's own past days, so that a
key of bursts is allowed its bursts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors import calibration, declared, windows
from detectors.chance import CAP, Floats, excess
from detectors.clocks import renumbered, segment_starts
from detectors.levels import LEAST_REQUESTS, expected, turning
from detectors.profile import HOUR_MS, TEN_MS, TENS
from detectors.round import Evidence, Round, evidence
from detectors.words import Reason
from vocabulary.access import Codes, Flags, Ints

SHAPE = 8.0
"""Shape of the negative binomial around the mean: levels wander by about a third."""
TENFOLD = 10.0
"""So many times the mean, and rare beyond doubt, says one more than any other evidence."""
BELOW_RECORD = 0.9
"""What is below the key's record says too little to add to anything."""
AT_RECORD, RECORD_SLOPE = (2.7, 2.7, 2.2, 2.2, 1.6), 3.0
"""What a count at the key's record may say in each window, and what ten times the record adds."""
GAIN = (1.8, 1.45, 1.0, 1.1, 1.0)
"""The shorter a window, the thinner is the tail of its days beside Student's t; chosen on staged
bursts, see docs/decisions/0003."""
EXPLAINED = 1.9
"""The most that volume says within a storm of retries, within a crowd, or on a key's first day."""
SERVER_ERROR, LEAST_FAILED = 500, 3
SILENT_H, SURELY, NO_MORE = 4, 10.0, 1.25
"""Clock hours, all but the present one without a request, in which so many were to be expected:
that is an outage, and what follows makes up for it up to so much of a day's usual number."""
DECADE, LEAST_SPREAD = 2.83, 0.5
"""What ten times the record adds, per deviation: sqrt(SHAPE) ln 10 deviations, 1 / ln 10 each."""
BURST_WINDOWS, IN_A_QUIET_HOUR, LEAST_BURST = (0, 1, 2), 3.6, 10
AT_MONTHS_TURN = (3.0, 4.0, 4.0, 6.0, 6.0)
"""By so much more is usual, in each window, on the last two days and the first of a month."""
TURN_BEYOND = 2.0
"""Up to so many times what the turn of a month had, no hour of it is a quiet one."""
WINDOWS_H = (10 / 3600, 2 / 60, 1 / 6, 1.0, 24.0)
"""The first of SCALES are those of the windows, in their order."""
REASONS = (Reason.RATE_10S, Reason.RATE_2MIN, Reason.RATE_10MIN, Reason.RATE_1H, Reason.RATE_1D)


def score(day: Round) -> Evidence:
    """Return the evidence of volume, and count the events."""
    *counts, lately = count(day)
    mean_per_h, mean_per_day = expected(day)
    failing = explained(day, counts[3]) | made_up(day, counts, lately, mean_per_day)
    if day.said is not None:
        mean_per_h = np.maximum(mean_per_h, day.said.per_h[day.row])
        mean_per_day = np.maximum(mean_per_day, day.said.per_day[day.row])
    turn = turning(day.rows["day"])
    turns = turn[day.row] if turn.any() else None
    found = _Strongest.of_nothing(len(day.t))
    excesses = []
    for i, (window_h, n) in enumerate(zip(WINDOWS_H, counts, strict=True)):
        per_window = mean_per_h * window_h if window_h < WINDOWS_H[-1] else mean_per_day
        share = per_window * day.crowd[:, CROWD[i]]
        if turns is not None:
            share = share * np.where(turns, AT_MONTHS_TURN[i], 1.0)
        if window_h < 1.0:
            # A busy hour is no news in each of its minutes.
            rest = np.maximum(counts[3] - n, 0) * window_h / (1.0 - window_h)
            share = np.maximum(share, rest)
        z = np.where(day.late, 0.0, excess(n, share + 0.5, SHAPE))
        # A window that has a crowd in it accuses nobody, long after the crowd has gone.
        crowded = day.crowd[:, CROWD[i]] > CROWDED
        excesses.append(np.where(failing | crowded, 0.0, z))
        some = np.flatnonzero(n >= LEAST_REQUESTS)
        if len(some):
            e = judged(day, i, Window(some, n[some], z[some], per_window[some]), turn)
            e = np.where(failing[some], np.minimum(e, EXPLAINED), e)
            found.take(i, some, np.where(crowded[some], np.minimum(e, BELOW_RECORD), e))
    _remember(day, excesses, counts)
    return found.evidence(day, counts)


@dataclass(frozen=True, slots=True)
class Window:
    """The events for which one window holds enough to be judged.

    Attributes:
        which: shape (m,), the events.
        n: shape (m,), the requests in the window that ends with each.
        z: shape (m,), by how many deviations they are more than expected.
        expected: shape (m,), what the key usually makes in such a window.
    """

    which: Ints
    n: Ints
    z: Floats
    expected: Floats


@dataclass(frozen=True, slots=True)
class Judged:
    """The profiles of the events that one window is judged for.

    Attributes:
        used: shape (j,), the profiles.
        row: shape (m,), which of them each event is of.
        spread: shape (j,), how much the days of each vary.
        turn: shape (j,), True for those whose day is at the turn of a month.
    """

    used: Ints
    row: Codes
    spread: Floats
    turn: Flags


def judged(day: Round, window: int, seen: Window, turn: Flags) -> Floats:
    """Return the evidence of some events in one window, shape (m,)."""
    # What only some profiles need is not computed for all of them.
    used, row = renumbered(day.row[seen.which])
    scale = calibration.scale(day.rows, f"rate_{_NAMES[window]}", used)
    most = record(day, window, seen, Judged(used, row, scale.spread, turn[used]))
    e = np.minimum(GAIN[window] * scale.surprise(row, seen.z), most)
    tenfold = seen.n >= TENFOLD * (seen.expected + 0.5)
    return np.asarray(np.minimum(e, CAP) + ((e >= CAP) & tenfold))


@dataclass(frozen=True, slots=True)
class _Strongest:
    """Of each event the strongest evidence of a window, and which one that is."""

    e: Floats
    window: Ints

    @classmethod
    def of_nothing(cls, count: int) -> "_Strongest":
        return cls(np.zeros(count), np.zeros(count, np.int64))

    def take(self, window: int, which: Ints, e: Floats) -> None:
        better = e > self.e[which]
        at = which[better]
        self.e[at], self.window[at] = e[better], window

    def evidence(self, day: Round, counts: Sequence[Ints]) -> Evidence:
        said = np.flatnonzero(self.e)
        window = self.window[said]
        reason = np.full(len(self.e), REASONS[0], np.uint8)
        reason[said] = np.array(REASONS, np.uint8)[window]
        seen, usual = np.zeros(len(self.e)), np.zeros(len(self.e))
        usual[said] = day.rows["busiest"][day.row[said], window]
        for i in np.unique(window).tolist():
            at = said[window == i]
            seen[at] = counts[i][at]
        return evidence(self.e, reason, seen, usual, CAP + 1.0)


CROWD, CROWDED = (0, 0, 0, 1, 2), 1.1
_NAMES = ("10s", "2min", "10min", "1h", "1d")


def record(day: Round, window: int, seen: Window, of: Judged) -> Floats:
    """Return the most that a count may say, given the key's busiest window so far.

    Of days that are alike, the next one is the busiest of n + 1 with chance 1 / (n + 1); beyond
    the record the tail is taken as exponential, with the key's own spread. What the count may
    owe to chance is left out. A key that is used all day long has an hour's expectation worth
    the name: there a burst in a quiet hour counts even where it is no record. Before a key's
    first day has closed nothing is known of what is much for it: alone, that is no alert, or a
    new installation would begin with one for each of its keys.
    """
    used, row, n = of.used, of.row, seen.n
    busiest = day.rows["busiest"][used, window].astype(np.float64)
    if day.said is not None:
        a_day = window == len(WINDOWS_H) - 1
        mean = (day.said.per_day if a_day else day.said.per_h * WINDOWS_H[window])[used]
        busiest = np.maximum(busiest, declared.BURST * mean)
    steady = (day.rows["steady"][used] > 0)[row]
    # What a key does at the turn of each month is its rhythm, however alarming the first time.
    at_turn = np.zeros(len(used))
    if of.turn.any():
        at_turn = np.where(of.turn, day.rows["turn"][used, window], 0).astype(np.float64)
    busiest, at_turn = np.maximum(busiest, at_turn)[row], at_turn[row]
    quiet = steady & (n >= LEAST_BURST) & (n > TURN_BEYOND * at_turn)
    ratio = (n - np.sqrt(n)) / np.maximum(busiest, 1.0)
    most = np.full(len(ratio), BELOW_RECORD)
    if window in BURST_WINDOWS:
        most[quiet] = IN_A_QUIET_HOUR
    at = np.flatnonzero(ratio >= 1.0)
    beyond, row = np.log10(ratio[at]), row[at]
    days = np.log10(1.0 + day.rows["days"][used].astype(np.float64))[row]
    strict = days + DECADE / np.maximum(of.spread, LEAST_SPREAD)[row] * beyond
    known = AT_RECORD[window] + RECORD_SLOPE * beyond
    most[at] = np.where(steady[at], np.maximum(known, most[at]), np.minimum(known, strict))
    return np.where(busiest > 0, most, EXPLAINED)


def count(day: Round) -> tuple[Ints, ...]:
    """Return the requests in the five windows up to each event, and roll the rings on.

    The sixth are those of the last SILENT_H clock hours.
    """
    weight = (~day.late).astype(np.int64)
    clock = day.rows["clock"].copy()
    found: list[Ints] = []
    for ring, length_ms, widths in (
        ("seconds", 1000, (10,)),
        ("minutes", 60_000, (2, 10, 60)),
        ("hours", HOUR_MS, (24, SILENT_H)),
    ):
        counted = windows.count(
            day.row, day.t // length_ms, weight, day.rows[ring], clock // length_ms, widths
        )
        day.rows[ring] = counted.ring
        found.extend(counted.counts)
    return tuple(found)


def explained(day: Round, in_an_hour: Ints) -> Flags:
    """Return which events stand in a storm of retries: many of the hour's answers were 5xx."""
    failed = (day.status >= SERVER_ERROR) & ~day.late
    n = windows.flagged(day.rows, "failed", day.row, day.t // TEN_MS, failed, TEN_MS, TENS)
    return n >= np.maximum(LEAST_FAILED, in_an_hour // 5)


def made_up(day: Round, counts: Sequence[Ints], lately: Ints, mean_per_day: Floats) -> Flags:
    """Return which events make up for an outage: what was not asked in time is asked at once.

    Of keys that are used all day long, after hours of complete silence, and while the day has no
    more than it should.
    """
    after = (lately == counts[3]) & (counts[4] <= NO_MORE * mean_per_day)
    certain = mean_per_day * (SILENT_H - 1) / 24.0 >= SURELY
    return np.asarray(after & certain & (day.rows["steady"] > 0)[day.row], np.bool_)


def _remember(day: Round, excesses: Sequence[Floats], counts: Sequence[Ints]) -> None:
    # What a crowd or a storm of retries explains is nothing to measure the key by.
    starts = segment_starts(day.row)
    highest, peaks = day.rows["highest"], day.rows["peaks"]
    for window, (z, n) in enumerate(zip(excesses, counts, strict=True)):
        most = np.maximum.reduceat(z, starts)
        which = np.flatnonzero(most > 0)
        if len(which):
            grown = np.maximum.reduceat(np.where(z > 0, n, 0), starts)[which]
            highest[which, window] = np.maximum(highest[which, window], most[which])
            peaks[which, window] = np.maximum(peaks[which, window], grown)
