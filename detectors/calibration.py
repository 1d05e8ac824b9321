"""How surprising a day's highest score is for this very key: Student's t over its past days.

Of each scale a profile keeps the decayed number, sum and sum of squares of its daily maxima.
A prior stands for the days that a young key has not lived yet.
"""

from dataclasses import astuple, dataclass

import numpy as np

from detectors.chance import Floats, student
from detectors.clocks import renumbered, segment_starts
from detectors.profile import SCALES, Rows
from vocabulary.access import Codes, Ints

HALF_LIFE_DAYS = 45.0
SETTLED_DAYS = 5.0
WINSOR = 3.0
"""A day teaches at most this many deviations above the mean: a flood must not make floods usual."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of a scale before a key has shown itself: so many days of so much.

    Attributes:
        freedom: the most degrees of freedom: daily maxima have fatter tails than a normal
            distribution, however many days are known.
    """

    days: float | Floats
    mean: float | Floats
    deviation: float | Floats
    freedom: float | Floats


PRIORS = {
    "rate_10s": Prior(4.0, 1.5, 0.7, 30.0),
    "rate_2min": Prior(4.0, 1.5, 0.8, 25.0),
    "rate_10min": Prior(4.0, 1.5, 1.2, 20.0),
    "rate_1h": Prior(4.0, 1.5, 1.2, 20.0),
    "rate_1d": Prior(4.0, 1.5, 1.2, 12.0),
    "hours": Prior(4.0, 0.5, 0.6, 20.0),
    "sequence": Prior(4.0, 1.0, 1.0, 12.0),
    "denied": Prior(4.0, 0.5, 0.8, 12.0),
    "objects": Prior(0.1, 1.0, 1.0, 20.0),
}
_EVERY = Prior(*np.array([astuple(PRIORS[name]) for name in SCALES]).T)
"""All scales at once, a column each."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The predictive distribution of a scale, shape (k,) each."""

    mean: Floats
    spread: Floats
    freedom: Floats

    def surprise(self, row: np.ndarray, score: Floats) -> Floats:
        """Return -log10 of the chance that a day of the key reaches the score."""
        t = (score - self.mean[row]) / self.spread[row]
        said = np.zeros(len(t))
        # Below the mean nothing is surprising, and most scores are below it.
        above = np.flatnonzero(t > 0)
        said[above] = np.maximum(student(t[above], self.freedom[row[above]]) - _HALF, 0.0)
        return said


_HALF = float(np.log10(2.0))


def scale(rows: Rows, name: str, which: Ints | slice = slice(None)) -> Scale:
    """Return what is predicted of a scale of each profile, or of some of them."""
    past = rows["calibration"][which, SCALES.index(name)]
    return _predicted(past.astype(np.float64), PRIORS[name])


def _predicted(past: Floats, prior: Prior) -> Scale:
    n, total, squares = (np.ascontiguousarray(past[..., i]) for i in range(3))
    days = n + prior.days
    mean = (total + prior.days * prior.mean) / days
    second = squares + prior.days * (prior.deviation**2 + prior.mean**2)
    variance = np.maximum(second / days - mean * mean, 0.01)
    return Scale(mean, np.sqrt(variance * (1.0 + 1.0 / days)), np.minimum(days, prior.freedom))


def remember(rows: Rows, name: str, row: Codes, score: Floats) -> None:
    """Note the highest score of the day; `score`, shape (n,), is not negative."""
    some = np.flatnonzero(score > 0)
    if len(some):
        used, own = renumbered(row[some])
        most = np.maximum.reduceat(score[some], segment_starts(own))
        highest, place = rows["highest"], SCALES.index(name)
        highest[used, place] = np.maximum(highest[used, place], most)


def learn(rows: Rows, elapsed_days: Floats) -> None:
    """Take the closed day's highest scores into the calibration."""
    keep = 0.5 ** (elapsed_days / HALF_LIFE_DAYS)
    settled = rows["exposure"][:, 0] + rows["exposure"][:, 1] >= SETTLED_DAYS
    counts = np.repeat(settled[:, None], len(SCALES), axis=1)
    # Before its mean is known, every day of a key looks wild and says nothing.
    counts[:, SCALES.index("hours")] = rows["mature"] > 0
    past = rows["calibration"].astype(np.float64)
    now = _predicted(past, _EVERY)
    value = np.minimum(rows["highest"], now.mean + WINSOR * now.spread)
    taught = np.stack((counts, value * counts, value * value * counts), axis=2)
    rows["calibration"] = past * keep[:, None, None] + taught
    rows["highest"] = 0.0
