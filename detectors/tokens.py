"""AI tokens: days that cost more than this key's days do, or than its budget allows.

What an answer costs stands in the log, or nowhere. The sum of the open day is judged as it grows,
against the key's own past days in the logarithm; and against the budget that its owner gave it,
which holds only where a gateway that counts them stands in front.
"""

from collections.abc import Sequence

import numpy as np

from detectors.calibration import HALF_LIFE_DAYS, WINSOR, Scale
from detectors.chance import Floats
from detectors.clocks import renumbered, segment_starts
from detectors.facts import KeyFacts, nothing_is_said
from detectors.profile import Rows, alarmed, picked, words_of
from detectors.round import Evidence, Round, evidence
from detectors.words import Reason
from vocabulary.access import Ints

MOST = np.iinfo(np.uint32).max
"""Tokens of a day that are counted."""
PRIOR_DAYS, DEVIATION, FREEDOM = 2.0, 0.5, 20.0
"""So many days of so much around the key's own mean are believed before it has shown itself."""
KNOWN_DAYS = 5.0
"""Days with tokens before which nothing is usual."""
BEYOND = 1.5
"""Below so many times the busiest day nothing is said."""
OVER, OVERDRAWN = 1.25, 3.1
"""A budget is overdrawn by an answer or two where it is kept; so much more is told."""


def score(day: Round) -> Evidence:
    """Return the evidence of what was spent today, and remember it."""
    n = len(day.row)
    e, reason, seen, usual = np.zeros(n), np.full(n, Reason.TOKENS, np.uint8), *np.zeros((2, n))
    some = np.flatnonzero(day.tokens)
    if len(some):
        used, own = renumbered(day.row[some])
        before, after = _sums(day, some, used, own)
        seen[some] = after
        said, mean = _unusual(day, some, used, own, after)
        limit = OVER * day.budget[used][own]
        # Told by the event that goes beyond it: what follows is no more of it.
        over = (limit > 0) & (before <= limit) & (after > limit)
        e[some] = np.where(over, OVERDRAWN, said)
        reason[some[over]] = Reason.BUDGET
        usual[some] = np.where(over, day.budget[used][own], mean)
    return evidence(e, reason, seen, usual)


def _sums(day: Round, some: Ints, used: Ints, own: np.ndarray) -> tuple[Ints, Ints]:
    """Return what each event's key had spent that day before and after it."""
    cost, starts = day.tokens[some], segment_starts(own)
    added = np.cumsum(cost)
    added -= (added - cost)[starts][own]
    carried = day.rows["spent"][used].astype(np.int64)[own]
    after = np.minimum(carried + added, MOST)
    day.rows["spent"][used] = after[np.append(starts[1:], len(own)) - 1]
    return np.minimum(carried + added - cost, MOST), after


def _unusual(
    day: Round, some: Ints, used: Ints, own: np.ndarray, after: Ints
) -> tuple[Floats, Floats]:
    """Return the evidence of sums beyond every day before, and what is usual."""
    past = day.rows["spends"][used].astype(np.float64)
    most = day.rows["spent_most"][used].astype(np.float64)
    scale = _predicted(past)
    # In a crowd everybody spends more.
    shared = after / day.crowd[some, 2]
    much = (past[:, 0] >= KNOWN_DAYS)[own] & (shared > BEYOND * most[own])
    at = np.flatnonzero(much)
    said = np.zeros(len(own))
    said[at] = scale.surprise(own[at], np.log1p(shared[at]))
    return said, np.expm1(np.minimum(scale.mean, np.log(float(MOST))))[own]


def _predicted(past: Floats) -> Scale:
    """Return what number, sum and sum of squares of past days predict of the next one."""
    days = np.maximum(past[:, 0], 1.0)
    mean = past[:, 1] / days
    own = np.maximum(past[:, 2] - days * mean * mean, 0.0)
    variance = (own + PRIOR_DAYS * DEVIATION**2) / (days + PRIOR_DAYS)
    return Scale(mean, np.sqrt(variance * (1.0 + 1.0 / days)), np.minimum(days, FREEDOM))


def learn(rows: Rows, elapsed_days: Floats) -> None:
    """Take what the closed day has cost into what is usual; days without tokens teach nothing."""
    which = np.flatnonzero((rows["spent"] > 0) | (rows["spends"][:, 0] > 0))
    if not len(which):
        return
    some = picked(rows, which)
    keep = 0.5 ** (elapsed_days[which] / HALF_LIFE_DAYS)
    past, spent = some["spends"].astype(np.float64), some["spent"].astype(np.float64)
    now = _predicted(past)
    known = past[:, 0] >= KNOWN_DAYS
    value = np.log1p(spent)
    value = np.where(known, np.minimum(value, now.mean + WINSOR * now.spread), value)
    counts = spent > 0
    taught = np.stack((counts, value * counts, value * value * counts), axis=1)
    some["spends"] = past * keep[:, None] + taught
    # An alarming day is no record; what it has taught can be taken back.
    alarming = alarmed(some)
    faded = some["spent_most"] * keep
    some["spent_most"] = np.where(alarming, faded, np.maximum(faded, spent))
    some["held_spent"] = np.where(alarming, value * counts, some["held_spent"])
    some["spent"] = 0
    words_of(rows)[which] = words_of(some)


def accept(one: Rows) -> None:
    """Take today's tokens for the owner's, in a profile, an array of one."""
    one["spent_most"] = np.maximum(one["spent_most"], one["spent"])


def take_out(one: Rows) -> None:
    """Undo what the alarmed day that was closed last has taught, in an array of one."""
    value = float(one["held_spent"][0])
    if value > 0:
        past = one["spends"][0].astype(np.float64)
        one["spends"][0] = np.maximum(past - (1.0, value, value * value), 0.0)
    one["held_spent"] = 0


def budgets(facts: Sequence[KeyFacts]) -> Floats:
    """Return how many tokens a day some keys may spend; 0 where nothing is said."""
    if nothing_is_said(facts):
        return np.zeros(len(facts))
    return np.array([one.tokens_per_day for one in facts], np.float64)
